import { type Arch, type ArchName, archOf, type TableName } from '../arch.ts';
import { loadSignatures, signatureOf } from './signatures.ts';

/**
 * The constants that arguments of system calls take. Source: syscall-tables/constants.tsv and
 * constant-sets.tsv.
 */

export interface Constants {
  /** `values`: the argument is one of them. `flags`: it is a union of some. */
  readonly kind: 'values' | 'flags';
  /**
   * Bits of flags that are one value together, such as the type of a socket below SOCK_CLOEXEC; 0
   * without.
   */
  readonly field: bigint;
  /** u32 by name. */
  readonly entries: ReadonlyMap<string, bigint>;
  /** The usual name of each value. */
  readonly names: ReadonlyMap<bigint, string>;
}

interface Data {
  /** `set kind mask call:argument...`, one a line, by tabs. */
  readonly sets: string;
  /**
   * `set`, then lines `NAME value`, the only tables that have it, and `tables=value` for those
   * where it differs.
   */
  readonly constants: string;
}

interface ConstantSet {
  readonly kind: Constants['kind'];
  readonly field: bigint;
  /** The words of the lines of its constants. */
  readonly lines: string[][];
  readonly made: Map<TableName, Constants>;
}

let byUse: ReadonlyMap<string, ConstantSet> | undefined;

/** Loads what {@link constantsOf} and signatureOf read, once in a process. */
export async function loadCallFacts(): Promise<void> {
  await loadSignatures();
  if (byUse === undefined) addConstants(await import('./generated/constants.ts'));
}

/** For callers that have imported the generated module. */
export function addConstants(data: Data): void {
  if (byUse !== undefined) return;
  const uses = new Map<string, ConstantSet>();
  const sets = new Map<string, ConstantSet>();
  for (const line of data.sets.split('\n')) {
    const [name, kind, field, list] = line.split('\t') as [string, Constants['kind'], string, string];
    const set: ConstantSet = { kind, field: BigInt(field), lines: [], made: new Map() };
    sets.set(name, set);
    for (const use of list.split(' ')) uses.set(use, set);
  }
  let current: ConstantSet | undefined;
  for (const line of data.constants.split('\n')) {
    const words = line.split(' ');
    if (words.length === 1) current = sets.get(line)!;
    else current!.lines.push(words);
  }
  byUse = uses;
}

/**
 * The constants of an argument of a call; undefined for one that takes none that are known.
 * @throws Error before {@link loadCallFacts}.
 */
export function constantsOf(arch: Arch | ArchName, call: string, index: number): Constants | undefined {
  if (byUse === undefined) throw new Error('the constants are not loaded');
  const { table } = typeof arch === 'string' ? archOf(arch) : arch;
  const use = `${call}:${signatureOf(arch, call)?.args[index]?.name}`;
  const set = byUse.get(use);
  if (set === undefined) return undefined;
  let constants = set.made.get(table);
  if (constants === undefined) {
    const entries = set.lines.flatMap((words) => entryOn(table, words));
    const names = new Map(entries.toReversed().map(([name, value]) => [value, name]));
    constants = { kind: set.kind, field: set.field, entries: new Map(entries), names };
    set.made.set(table, constants);
  }
  return constants;
}

/** A constant with its value, or nothing on a table that does not have it. */
function entryOn(table: TableName, [name, usual, ...differing]: string[]): [string, bigint][] {
  const own = differing
    .map((each) => each.split('=') as [string, string?])
    .filter(([on]) => on.split(',').includes(table));
  if (own.length === 0 && differing.some((each) => !each.includes('='))) return [];
  const value = own.find(([, differs]) => differs !== undefined)?.[1] ?? usual!;
  return [[name!, BigInt.asUintN(32, BigInt(value))]];
}
