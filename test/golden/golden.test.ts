/**
 * Every folder here is one feature: a profile, the answers it must give, and the program that gives
 * them. How to read and to add one: README.md.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { archOf, parseArch } from '../../src/arch.ts';
import { disassemble } from '../../src/bpf/disassemble.ts';
import { compile } from '../../src/compile.ts';
import type { Filter } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import type { Diagnostic } from '../../src/errors.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { capabilitySet, makeTarget, parseKernelVersion } from '../../src/target.ts';
import type { KernelVersion, Target } from '../../src/target.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { readCase, readExpectedErrors, readProbes } from './case.ts';
import type { CaseFile } from './case.ts';

const here = import.meta.dirname;
const cases = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .toSorted();

/** Rewrites every `filter.txt`; the answers in `probes.tsv` are never written by a program. */
const update = process.env['SECCOMPC_UPDATE_GOLDEN'] === '1';

const refused = cases.filter((name) => existsSync(join(here, name, 'expected-errors.tsv')));

it('has a number of its own for each case', () => {
  const numbers = cases.map((name) => parseInt(name, 10));
  expect(new Set(numbers).size).toBe(cases.length);
});

describe.each(refused)('%s', (name) => {
  const folder = join(here, name);

  it('is refused with every fault named', async () => {
    const expected = readExpectedErrors(folder).map(({ code, pointer }) => `${code} ${pointer}`);
    expect(expected.length).toBeGreaterThan(0);
    expect((await faultsOf(compileCase(folder, readCase(folder)))).map(describeFault)).toEqual(expected);
  });
});

describe.each(cases.filter((name) => !refused.includes(name)))('%s', (name) => {
  const folder = join(here, name);
  const golden = readCase(folder);

  it('answers every probe', async () => {
    const filter = await compileCase(folder, golden);
    const probes = readProbes(folder);
    // Without a filter there is nothing to ask.
    expect(probes.length > 0).toBe(filter.confined);
    if (!filter.confined) return;
    const program = readProgram(filter.bytes, filter.endian === 'big');
    for (const { line, calls, expected } of probes)
      for (const call of calls)
        expect(answer(call, runProgram(program, call)), `probes.tsv:${line}`).toBe(answer(call, expected));
  });

  it('says what it should beside the program', async () => {
    const filter = await compileCase(folder, golden);
    expect(filter.diagnostics.map(describeFault)).toEqual(golden.diagnostics ?? []);
    expect(filter).toMatchObject(besideTheProgram(golden));
    if (golden.filter?.flags === null) expect(filter.flags).toBeUndefined();
  });

  it('is the program in filter.txt', async () => {
    const text = await listing(await compileCase(folder, golden));
    const path = join(folder, 'filter.txt');
    if (update) writeFileSync(path, text);
    expect(existsSync(path), 'no filter.txt; SECCOMPC_UPDATE_GOLDEN=1 writes it').toBe(true);
    expect(text).toBe(readFileSync(path, 'utf8'));
  });
});

describe('profiles/', () => {
  it('has a case for each profile', () => {
    const profiles = readdirSync(join(here, '../../profiles')).filter((name) => name.endsWith('.json'));
    const shown = cases.map((name) => readCase(join(here, name)).profile ?? '');
    expect(profiles.filter((name) => !shown.includes(`../../../profiles/${name}`))).toEqual([]);
  });
});

describe('the cases and docs/semantics.md', () => {
  const statements = statementsOf(readFileSync(join(here, '../../docs/semantics.md'), 'utf8'));
  const cited = new Map<string, string>();
  for (const name of cases) {
    const folder = join(here, name);
    const golden = readCase(folder);
    const rows = refused.includes(name) ? readExpectedErrors(folder) : readProbes(folder);
    for (const section of [...(golden.sections ?? []), ...rows.flatMap((row) => row.section.split(','))])
      cited.set(section, name);
  }

  it('cite statements that exist', () => {
    const unknown = [...cited].filter(([section]) => !statements.has(section));
    expect(unknown).toEqual([]);
  });

  it('leave out only what no probe can show', () => {
    const open = [...statements].filter((id) => !cited.has(id) && !NOT_PROBED.has(id));
    expect(open).toEqual([]);
    expect([...NOT_PROBED.keys()].filter((id) => cited.has(id) || !statements.has(id))).toEqual([]);
  });
});

/** Statements without a probe, and where they are tested instead. */
const NOT_PROBED = new Map([
  [
    '1.12',
    'about commands that read a config.json; test/unit/oci-config.test.ts, test/e2e/oci-readers.test.ts',
  ],
  ['4.5', 'no profile can ask for an unknown action; test/unit/check.test.ts has the program that would'],
  ['4.6', 'what the kernel does without tracer or listener; test/e2e'],
  ['6.2', 'a property of the tables; test/unit/syscalls.test.ts'],
  ['7.6', 'the exact test of overlap; test/unit/condition.test.ts'],
  ['10.2', 'what crun does with flags'],
  ['10.5', 'what crun does with its annotation'],
  ['13', 'the kernel; test/unit/check.test.ts, test/e2e'],
  ['14', 'what libseccomp does; test/differential'],
  ['15', 'bytes; test/unit/generate.test.ts'],
]);

/**
 * `7.1`, and `3` itself for a section that says something in a table or a figure, or has no
 * numbered statements. Of the sections from 13 on, which are not about what a profile means, only
 * the section.
 */
function statementsOf(page: string): Set<string> {
  const ids = new Set<string>();
  for (const part of page.split(/^## /m).slice(1)) {
    const section = parseInt(part, 10);
    const numbered = section > 12 ? [] : [...part.matchAll(/^(\d+)\. /gm)].slice(1);
    for (const [, statement] of numbered) ids.add(`${section}.${statement}`);
    if (numbered.length === 0 || /^(?:\||```)/m.test(part)) ids.add(String(section));
  }
  return ids;
}

async function compileCase(folder: string, golden: CaseFile): Promise<Filter> {
  const file = golden.profile ?? 'profile.json';
  const bytes = readFileSync(join(folder, file));
  return compile(bytes, { target: targetOf(golden.target), file, allowUnconfined: true });
}

function targetOf({
  arch, architectures, addCapabilities = [], dropCapabilities = [], kernel, enosysAfter, engine, ...plain
}: CaseFile['target']): Target {
  return makeTarget({
    ...plain,
    ...(engine === undefined ? {} : { engine }),
    arch: parseArch(arch)!,
    ...(architectures === undefined ? {} : { architectures: architectures.map((name) => parseArch(name)!) }),
    capabilities: capabilitySet(engine ?? 'moby', 'default', addCapabilities, dropCapabilities),
    ...(kernel === undefined ? {} : { kernel: versionOf(kernel) }),
    ...(enosysAfter === undefined ? {} : { enosysAfter: versionOf(enosysAfter) }),
  });
} // prettier-ignore

function versionOf(text: string): KernelVersion {
  const version = parseKernelVersion(text);
  if (version === undefined) throw new Error(`no release: ${text}`);
  return version;
}

async function faultsOf(compiling: Promise<Filter>): Promise<Diagnostic[]> {
  const outcome = await compiling.catch((error: unknown) => error);
  if (!(outcome instanceof SeccompcError)) throw new Error('the profile was accepted', { cause: outcome });
  return outcome.diagnostics.filter(({ severity }) => severity === 'error');
}

const describeFault = ({ code, pointer }: Diagnostic) => `${code} ${pointer ?? ''}`;

function besideTheProgram({ filter = {} }: CaseFile): object {
  const { flags, instructions, ...plain } = filter;
  return {
    ...plain,
    ...(flags === undefined || flags === null ? {} : { flags }),
    ...(instructions === undefined ? {} : { instructions: { length: instructions } }),
  };
}

const hex = (n: number | bigint) => `0x${n.toString(16)}`;

/** One line for messages: the call, and the answer as the kernel's number. */
function answer(
  { arch, nr, args }: { arch: number; nr: number; args: readonly bigint[] },
  value: number,
): string {
  return `${hex(arch)} ${nr} (${args.map(hex).join(' ')}) -> ${hex(value)}`;
}

async function listing({ instructions, endian, arches }: Filter): Promise<string> {
  const tables = await loadTables(arches.map((name) => archOf(name).table));
  const native = arches[0];
  return disassemble(instructions, { endian, tables, ...(native === undefined ? {} : { arch: native }) });
}
