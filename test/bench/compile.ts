/** How long compilers take in a process that is warm. */
import { compile } from '../../src/compile.ts';
import type { CompileSettings } from '../../src/compile.ts';
import { prove } from '../../src/prove/prove.ts';
import { libraryMaker, OURS } from './filters.ts';
import type { Measured } from './filters.ts';
import { rulesText } from './libseccomp.ts';
import type { Libseccomp } from './libseccomp.ts';
import { mean, median, ratio } from './table.ts';
import type { Table } from './table.ts';

/** So often in a row, before the next one's turn. */
const TURN = 5;
const WARM_UP = 40;

export async function compileTable(
  measured: readonly Measured[],
  library: Libseccomp | undefined,
  rounds: number,
): Promise<Table> {
  const rows = [];
  for (const each of measured) rows.push(await timesOf(each, library, rounds));
  return {
    title: 'Compile, warm',
    method:
      `Milliseconds of processor time in a warm process, all threads: medians of ${rounds} turns of ${TURN}, taking turns. libseccomp, in C: from rules ` +
      'in memory to the exported program. seccompc: from the same rules; the proof of that program alone; the proof of ' +
      "libseccomp's; from the JSON text, with every check; from the text, with the proof. The ratio is that of rules to " +
      'program, libseccomp 2 : seccompc; below 1 libseccomp is faster.',
    columns: [
      { key: 'profile', title: 'profile' },
      { key: 'first', title: libraryMaker(1), digits: 2 },
      { key: 'second', title: libraryMaker(2), digits: 2 },
      { key: 'rules', title: `${OURS}: rules`, digits: 2 },
      { key: 'proof', title: 'proof', digits: 2 },
      { key: 'firstProof', title: 'proof of libseccomp 1', digits: 2 },
      { key: 'text', title: 'text', digits: 2 },
      { key: 'proved', title: 'text, proved', digits: 2 },
      { key: 'ratio', title: 'ratio', digits: 2 },
    ],
    rows,
  };
}

async function timesOf(
  { subject, filters }: Measured,
  library: Libseccomp | undefined,
  rounds: number,
): Promise<Table['rows'][number]> {
  const { source, profile, seccomp, target, tables, arches } = subject;
  const reference = { seccomp, target, tables };
  const rules = rulesText(seccomp, arches);
  const unproved: CompileSettings = { target, prove: 'never' };
  const programOf = (maker: string) => filters.find((filter) => filter.maker === maker)?.instructions;
  const proofOf = (maker: string) => {
    const program = programOf(maker);
    return program === undefined ? [] : [() => void prove(program, reference)];
  };
  const ours = new Map<string, () => void | Promise<unknown>>([
    ['rules', () => compile(profile, unproved)],
    ['text', () => compile(source.text, unproved)],
    ['proved', () => compile(source.text, { target, prove: 'require' })],
    ...proofOf(OURS).map((work) => ['proof', work] as const),
    ...proofOf(libraryMaker(1)).map((work) => ['firstProof', work] as const),
  ]);
  const samples = new Map<string, number[]>();
  const add = (key: string, ms: number) => samples.set(key, [...(samples.get(key) ?? []), ms]);

  for (const work of ours.values()) await repeat(work, WARM_UP);
  for (let round = 0; round < rounds; round++) {
    for (const [key, work] of ours) add(key, await repeat(work, TURN));
    for (const optimize of [1, 2] as const) {
      if (library === undefined || programOf(libraryMaker(optimize)) === undefined) continue;
      // A process of its own: its first times are warm-up.
      const built = library.build(rules, optimize, 2 * TURN, arches[0]!.endian);
      if ('refused' in built) throw new Error(`${subject.title}: ${built.refused}`);
      add(optimize === 1 ? 'first' : 'second', mean(built.ns.slice(TURN)) / 1e6);
    }
  }
  const times = new Map([...samples].map(([key, ms]) => [key, median(ms)]));
  return {
    profile: subject.title,
    ...Object.fromEntries(times),
    ratio: ratio(times.get('second'), times.get('rules')),
  };
}

/** Milliseconds of processor time for one of so many, helper threads of the runtime included. */
async function repeat(work: () => void | Promise<unknown>, count: number): Promise<number> {
  const begin = process.cpuUsage();
  for (let i = 0; i < count; i++) await work();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000 / count;
}
