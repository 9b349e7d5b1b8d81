/** What this project says of a configuration, held against what a runtime does with it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../../../src/compile.ts';
import { SeccompcError } from '../../../src/errors.ts';
import { doBundle } from '../../../src/oci/bundle.ts';
import { makeConfigCompiler } from '../../../src/oci/compiler.ts';
import { readConfig } from '../../../src/oci/config.ts';
import { precreate } from '../../../src/oci/store/precreate.ts';
import { checkStart, readState } from '../../../src/oci/hook/start-check.ts';
import { makeTarget } from '../../../src/target.ts';
import type { Target } from '../../../src/target.ts';
import { readProgram, runProgram } from '../../oracle/bpf.ts';
import { abiOf, tableOf } from '../../oracle/facts.ts';
import { HARMLESS } from './hostile.ts';
import type { Loaded } from './loaded.ts';

/**
 * `unclear`: rules of different actions overlap, where this project and libseccomp decide
 * differently.
 */
type Meaning = 'refused' | 'unclear' | 'none' | { program: Uint8Array };

/** All answers about one document. */
export interface Answers {
  /** What `compile` makes of it. */
  meaning: Meaning;
  /** Whether `hook check` lets it start. */
  checked: boolean;
  /** Whether the document has the filter annotation; undefined when strict reading refuses it. */
  annotated: boolean | undefined;
  /** Documents that `bundle` and `hook precreate` made of it, with a filter for what it means. */
  written: Buffer[];
}

/** @param folder Of a bundle, to be overwritten. */
export async function answersTo(
  document: Buffer,
  semantics: 'crun' | 'runc',
  folder: string,
): Promise<Answers> {
  const target = makeTarget({ arch: 'X86_64', semantics });
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'config.json');
  writeFileSync(file, document);
  const annotation = await unlessRefused(async () => ({ is: readConfig(document, file).annotation }));
  const state = Buffer.from(
    JSON.stringify({
      ociVersion: '1.0.2',
      id: 'x',
      status: 'creating',
      pid: 2,
      bundle: folder,
      // As the runtime would tell it that has read the same.
      annotations: annotation?.is === undefined ? {} : { 'run.oci.seccomp_bpf_data': annotation.is },
    }),
  );
  const found = await unlessRefused(() =>
    checkStart(readState(state), { target, requireAnnotation: false, listeners: [] }),
  );
  const { status } = await doBundle(folder, 'write', {
    compiler: compilerFor(target),
    target,
    allowUnconfined: false,
  });
  const bundled = status === 'written' || status === 'unchanged' ? [readFileSync(file)] : [];
  const options = { foreign: 'replace', strict: true } as const;
  const { output } = await precreate(document, () => compilerFor(target), options);
  const meaning = await meaningOf(document, target);
  // Beside a profile that asks for no filter, a foreign annotation stays.
  const precreated = output === undefined || meaning === 'none' ? [] : [Buffer.from(output)];
  return {
    meaning,
    checked: found !== undefined && found.every(({ severity }) => severity !== 'error'),
    annotated: annotation === undefined ? undefined : annotation.is !== undefined,
    written: [...bundled, ...precreated],
  };
}

const compilerFor = (target: Target) => makeConfigCompiler({ target, prove: 'never' }, async () => undefined);

export async function meaningOf(document: Buffer, target: Target): Promise<Meaning> {
  const filter = await unlessRefused(() =>
    compile(document, { target, prove: 'never', allowUnconfined: true }),
  );
  if (filter === undefined) return 'refused';
  if (filter.diagnostics.some(({ code }) => code === 'OVERLAPPING_RULES')) return 'unclear';
  return filter.confined ? { program: filter.bytes } : 'none';
}

async function unlessRefused<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof SeccompcError) return undefined;
    throw error;
  }
}

/**
 * Why a runtime has not done what was said of the document; undefined when it has, or has refused
 * the document.
 */
export function difference(expected: Meaning, loaded: Loaded): string | undefined {
  if (loaded !== 'none' && 'refused' in loaded) return undefined;
  if (loaded !== 'none' && 'odd' in loaded) return `not known: ${loaded.odd}`;
  if (expected === 'unclear') return undefined;
  if (expected === 'refused') return 'it runs what was refused';
  if (expected === 'none' || loaded === 'none')
    return expected === loaded ? undefined : `${expected === 'none' ? 'a' : 'no'} filter is loaded`;
  return programDifference(expected.program, loaded.program);
}

const CALLS = ['X86_64', 'X86', 'X32'].flatMap((name) => {
  const abi = abiOf(name)!;
  const numbers = [...HARMLESS, 'read', 'exit_group', 'clone3'].map((call) =>
    tableOf(abi.table).numbers.get(call),
  );
  const known = numbers.filter((number) => number !== undefined);
  return [...known, 0x40000000, 1000, 0xffffffff].map((nr) => ({ arch: abi.audit, nr }));
});
/** Every argument with every constant that a document asks about, and some more. */
const ARGUMENTS = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 0xffffffffn].flatMap((value) =>
  Array.from({ length: 6 }, (_, at) =>
    Array.from({ length: 6 }, (_each, index) => (index === at ? value : 96n)),
  ),
);

const compared = new Map<string, string | undefined>();

function programDifference(expected: Uint8Array, actual: Uint8Array): string | undefined {
  const key = `${Buffer.from(expected).toString('base64')} ${Buffer.from(actual).toString('base64')}`;
  if (!compared.has(key)) compared.set(key, firstDifference(expected, actual));
  return compared.get(key);
}

function firstDifference(expected: Uint8Array, actual: Uint8Array): string | undefined {
  const [ours, theirs] = [readProgram(expected, false), readProgram(actual, false)];
  for (const { arch, nr } of CALLS)
    for (const args of ARGUMENTS) {
      const [a, b] = [runProgram(ours, { arch, nr, args }), runProgram(theirs, { arch, nr, args })];
      if (a !== b)
        return `${arch.toString(16)} ${nr} (${args.join()}): said ${a.toString(16)}, does ${b.toString(16)}`;
    }
  return undefined;
}
