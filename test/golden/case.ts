/**
 * Reads a golden case: the folder's files as data. Numbers of calls come from syscall-tables/ by
 * the oracles' own reader, so a wrong table module cannot hide behind itself.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Call } from '../oracle/bpf.ts';
import { abiOf, ACTIONS, tableOf } from '../oracle/facts.ts';

/** `case.json`: what a profile is compiled for, and what is expected besides the program. */
export interface CaseFile {
  /** One line: the feature. */
  shows: string;
  /** A profile elsewhere, relative to the folder; `profile.json` unless said. */
  profile?: string;
  /**
   * `arch`, and any other member of a target; capabilities as changes to the engine's default set.
   */
  target: {
    arch: string;
    architectures?: string[];
    addCapabilities?: string[];
    dropCapabilities?: string[];
    kernel?: string;
    engine?: 'moby' | 'podman';
    semantics?: 'crun' | 'runc' | `runc@${string}`;
    enosysStub?: boolean;
    enosysAfter?: string;
    overlap?: 'warn' | 'error';
    failUnknown?: boolean;
    force?: boolean;
  };
  /** Members of the result that stand beside the program, each as it must be. */
  filter?: {
    arches?: string[];
    flags?: string[] | null;
    listenerPath?: string;
    confined?: boolean;
    instructions?: number;
  };
  /** Warnings and notes, `CODE pointer`, in the order in which they are found. */
  diagnostics?: string[];
  /** Statements of docs/semantics.md that the case as a whole shows. */
  sections?: string[];
}

/** One line of `probes.tsv`, its lists and ranges written out. */
export interface Probe {
  line: number;
  calls: Call[];
  /** Return value, u32. */
  expected: number;
  section: string;
}

export interface ExpectedError {
  code: string;
  pointer: string;
  section: string;
}

/** That much is looked at here; a member that is wrong in itself fails the case it stands in. */
function isCaseFile(value: unknown): value is CaseFile {
  return typeof value === 'object' && value !== null && 'shows' in value && 'target' in value;
}

export function readCase(folder: string): CaseFile {
  const path = join(folder, 'case.json');
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (!isCaseFile(value)) throw new Error(`${path}: no "shows" and "target"`);
  return value;
}

/** The rows of a tab-separated file without comments and blank lines. */
function rowsOf(path: string, columns: number): { line: number; cells: string[] }[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((text, index) => ({ line: index + 1, text }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'))
    .map(({ line, text }) => {
      const cells = text.split('\t');
      if (cells.length !== columns)
        throw new Error(`${path}:${line}: ${cells.length} columns, not ${columns}`);
      return { line, cells };
    });
}

/** `arch, call, args, action, section`; see README.md for the forms of a cell. */
export function readProbes(folder: string): Probe[] {
  return rowsOf(join(folder, 'probes.tsv'), 5).map(({ line, cells }) => {
    const [arches = '', calls = '', args = '', action = '', section = ''] = cells;
    const values = argumentsOf(args);
    return {
      line,
      calls: arches
        .split(',')
        .flatMap((arch) => calls.split(',').flatMap((call) => callsOf(arch, call, values))),
      expected: valueOf(action),
      section,
    };
  });
}

export function readExpectedErrors(folder: string): ExpectedError[] {
  return rowsOf(join(folder, 'expected-errors.tsv'), 3).map(({ cells }) => {
    const [code = '', pointer = '', section = ''] = cells;
    return { code, pointer: pointer === '-' ? '' : pointer, section };
  });
}

function callsOf(arch: string, call: string, args: bigint[]): Call[] {
  const abi = abiOf(arch);
  const audit = abi?.audit ?? Number(arch);
  if (!Number.isInteger(audit)) throw new Error(`no architecture ${arch}`);
  const [first = '', last = first] = call.split('..');
  if (!/^\d/.test(first)) {
    const nr = abi && tableOf(abi.table).numbers.get(call);
    if (nr === undefined) throw new Error(`no call ${call} on ${arch}`);
    return [{ arch: audit, nr, args }];
  }
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, index) => ({ arch: audit, nr: Number(first) + index, args }));
}

function argumentsOf(text: string): bigint[] {
  const values = text === '-' ? [] : text.split(' ').map((word) => BigInt.asUintN(64, BigInt(word)));
  return Array.from({ length: 6 }, (_, index) => values[index] ?? 0n);
}

/** `ALLOW`, `ERRNO 38`, `TRACE 7`. */
function valueOf(action: string): number {
  const [name = '', data = '0'] = action.split(' ');
  const known = ACTIONS.find(([act]) => act === `SCMP_ACT_${name}`);
  if (known === undefined) throw new Error(`no action ${name}`);
  return (known[1] | Number(data)) >>> 0;
}
