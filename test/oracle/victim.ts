/** The real kernel as an oracle: victim.c, built and driven. What its words mean is told there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Oracle } from './compare.ts';

/**
 * A call and the way into the kernel. Arguments are u64; the 32-bit victim drops their high words.
 */
export interface Probe {
  how: 'syscall' | 'int80';
  nr: number;
  args: readonly bigint[];
}

export interface Victim {
  /** One line of report for each probe; without a filter, what the calls do by themselves. */
  run(filter: Uint8Array | undefined, probes: readonly Probe[], bits?: 32 | 64): string[];
  /**
   * The same with no call done: one that the filter allows comes back with errno {@link GUARDED}.
   */
  runGuarded(filter: Uint8Array, probes: readonly Probe[], bits?: 32 | 64): string[];
  /** Under a filter and an older one, which has to allow loading it. */
  runStacked(filter: Uint8Array, older: Uint8Array, probes: readonly Probe[]): string[];
}

/** Builds the victims; they need an x86_64 Linux that lets this process load filters. */
export function openVictim(): Oracle<Victim> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { missing: 'an x86_64 Linux kernel' };
  const script = fileURLToPath(new URL('build.sh', import.meta.url));
  const built = spawnSync(script, ['victim'], { encoding: 'utf8', timeout: 120_000 });
  if (built.status !== 0) return { missing: built.stderr.trim() || `${script} failed` };
  const folder = built.stdout.trim();
  if (!existsSync(join(folder, 'victim32'))) return { missing: built.stderr.trim() || 'a 32-bit victim' };
  const victim: Victim = {
    run: (filter, probes, bits = 64) => run(join(folder, `victim${bits}`), filter, probes),
    runGuarded: (filter, probes, bits = 64) => run(join(folder, `victim${bits}`), filter, probes, guard()),
    runStacked: (filter, older, probes) => run(join(folder, 'victim64'), filter, probes, older),
  };
  const allowEverything = Uint8Array.of(0x06, 0, 0, 0, 0x00, 0x00, 0xff, 0x7f);
  const [first] = victim.run(allowEverything, [{ how: 'syscall', nr: 39, args: [] }]);
  if (!first?.endsWith(' 2')) return { missing: `a kernel that takes filters (${first ?? 'no answer'})` };
  return victim;
}

/** No filter of a test answers with it. */
export const GUARDED = 123;

/**
 * Allows loading one more filter, seccomp(SECCOMP_SET_MODE_FILTER), from x86_64 and from 32-bit
 * x86; nothing else.
 */
function guard(): Uint8Array {
  const program = [
    [0x20, 0, 0, 4], // arch
    [0x15, 0, 2, 0xc000003e],
    [0x20, 0, 0, 0], // nr
    [0x15, 3, 5, 317],
    [0x15, 0, 4, 0x40000003],
    [0x20, 0, 0, 0],
    [0x15, 0, 2, 354],
    [0x20, 0, 0, 16], // the low half of argument 0
    [0x15, 1, 0, 1],
    [0x06, 0, 0, 0x00050000 | GUARDED],
    [0x06, 0, 0, 0x7fff0000],
  ] as const;
  const bytes = Buffer.alloc(8 * program.length);
  for (const [at, [code, jt, jf, k]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * at);
    bytes.writeUInt8(jt, 8 * at + 2);
    bytes.writeUInt8(jf, 8 * at + 3);
    bytes.writeUInt32LE(k, 8 * at + 4);
  }
  return bytes;
}

function run(
  program: string,
  filter: Uint8Array | undefined,
  probes: readonly Probe[],
  guarding?: Uint8Array,
): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-victim-'));
  try {
    const path = filter === undefined ? '-' : join(folder, 'filter');
    if (filter !== undefined) writeFileSync(path, filter);
    const guardPath = join(folder, 'guard');
    if (guarding !== undefined) writeFileSync(guardPath, guarding);
    const lines = probes.map(({ how, nr, args }) => {
      const six = Array.from({ length: 6 }, (_, i) => args[i] ?? 0n);
      return `${how} ${nr} ${six.join(' ')}\n`;
    });
    const paths = guarding === undefined ? [path] : [path, guardPath];
    const result = spawnSync(program, paths, { input: lines.join(''), encoding: 'utf8', timeout: 60_000 });
    if (result.status !== 0)
      throw new Error(`${program}: ${result.status ?? result.signal} ${result.stderr}`);
    const reports = result.stdout.trim().split('\n');
    if (reports.length !== probes.length)
      throw new Error(`${program}: ${reports.length} of ${probes.length} reports`);
    return reports;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * The report that a return value must lead to. `bare` is the report without a filter; of a call
 * that comes back with a value only that is compared, as process numbers differ.
 */
export function expectedReport(value: number, probe: Probe, auditArch: number, bare: string): string {
  const data = value & 0xffff;
  switch ((value & 0xffff0000) >>> 0) {
    case 0x80000000:
      return 'killed-process 31';
    case 0x00000000:
      return 'killed-thread';
    case 0x00030000:
      return `trap ${probe.nr} ${auditArch} ${data}`;
    case 0x00050000:
      return data === 0 ? 'value 2' : `errno ${data} 2`;
    case 0x7fc00000: // nobody listens
    case 0x7ff00000: // nobody traces
      return 'errno 38 2';
    default:
      return withoutValue(bare).replace(/ 0$/, ' 2');
  }
}

/** A report with the value of a call that came back left out. */
export function withoutValue(report: string): string {
  return report.replace(/^value -?\d+/, 'value');
}
