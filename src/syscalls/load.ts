import { type ArchName, archOf, type TableName } from '../arch.ts';
import { digest, index as union, release } from './generated/union.ts';
import { type NameIndex, positionOf } from './perfect-hash.ts';
import { firstRelease, kernelVersion } from './since.ts';
import type { SyscallTable, SyscallTables } from './tables.ts';

/**
 * What a generated table module holds: ids of names, and their numbers in the same order, numbers
 * ascending.
 */
export interface TableData {
  readonly ids: readonly number[];
  readonly numbers: readonly number[];
  /** Of the names, by their places in these lists. */
  readonly hash: Omit<NameIndex, 'names'>;
}

const MODULES: Record<TableName, () => Promise<TableData>> = {
  x86: () => import('./generated/x86.ts'),
  x86_64: () => import('./generated/x86_64.ts'),
  x32: () => import('./generated/x32.ts'),
  arm: () => import('./generated/arm.ts'),
  aarch64: () => import('./generated/aarch64.ts'),
  mips: () => import('./generated/mips.ts'),
  mips64: () => import('./generated/mips64.ts'),
  mips64n32: () => import('./generated/mips64n32.ts'),
  ppc: () => import('./generated/ppc.ts'),
  ppc64: () => import('./generated/ppc64.ts'),
  s390: () => import('./generated/s390.ts'),
  s390x: () => import('./generated/s390x.ts'),
  parisc: () => import('./generated/parisc.ts'),
  parisc64: () => import('./generated/parisc64.ts'),
  riscv64: () => import('./generated/riscv64.ts'),
  loongarch64: () => import('./generated/loongarch64.ts'),
  m68k: () => import('./generated/m68k.ts'),
  sh: () => import('./generated/sh.ts'),
};

/** A table as it is generated. */
export function tableData(name: TableName): Promise<TableData> {
  return MODULES[name]();
}

const made = new Map<TableName, SyscallTable>();

/** Loads the tables in use and no others; each is loaded once in a process. */
export async function loadTables(names: Iterable<TableName>): Promise<SyscallTables> {
  const wanted = [...new Set(names)];
  await Promise.all(
    wanted.map(async (name) => made.has(name) || addTables({ [name]: await tableData(name) })),
  );
  return tablesNow(wanted);
}

/** For callers that have imported the modules of tables. */
export function addTables(modules: Partial<Record<TableName, TableData>>): void {
  for (const [name, data] of Object.entries(modules) as [TableName, TableData][])
    if (!made.has(name)) made.set(name, makeTable(name, data));
}

/** Tables that were loaded or added before. */
export function tablesNow(names: Iterable<TableName>): SyscallTables {
  const wanted = new Set(names);
  const table = (name: TableName): SyscallTable => {
    const found = wanted.has(name) ? made.get(name) : undefined;
    if (!found) throw new Error(`the syscall table ${name} is not loaded`);
    return found;
  };
  return {
    table,
    of: (arch: ArchName) => table(archOf(arch).table),
    idOf: nameId,
    isKnown: (name) => nameId(name) >= 0,
    digest,
    release,
  };
}

/**
 * Ids of the names that were asked for: the runtime hashes a string once, and faster than we do.
 */
const asked = new Map<string, number>();

/**
 * The position of a name among the names of all tables, 0..507 in code unit order; -1 for an
 * unknown name.
 */
export function nameId(name: string): number {
  let id = asked.get(name);
  if (id === undefined) {
    id = positionOf(union, name);
    if (id >= 0) asked.set(name, id);
  }
  return id;
}

/** The names of all tables, in the order of their ids. */
export function allNames(): readonly string[] {
  return union.names;
}

function makeTable(name: TableName, { ids, numbers, hash }: TableData): SyscallTable {
  const { names } = union;
  const positions = new Int16Array(names.length).fill(-1);
  for (let position = 0; position < ids.length; position++) positions[ids[position]!] = position;
  // Made when the first name is looked up: who has ids already needs no hash.
  let index: NameIndex | undefined;
  const positionIn = (call: string): number =>
    positionOf((index ??= { ...hash, names: ids.map((id) => names[id]!) }), call);
  return {
    name,
    count: ids.length,
    numbers,
    positions,
    numberOf: (call) => numbers[positionIn(call)],
    nameOf: (nr) => names[ids[findNumber(numbers, nr)]!],
    entries: () => numbers.map((nr, position) => [nr, names[ids[position]!]!] as const),
    sinceOf: (call) =>
      positionIn(call) < 0 ? undefined : kernelVersion(firstRelease(nameId(call), call, name)),
  };
}

/** Binary search in ascending numbers; -1 when it is not there. */
function findNumber(numbers: readonly number[], wanted: number): number {
  let low = 0;
  let high = numbers.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const nr = numbers[middle]!;
    if (nr === wanted) return middle;
    if (nr < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
