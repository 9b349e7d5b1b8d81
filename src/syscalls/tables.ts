import type { ArchName, TableName } from '../arch.ts';
import type { KernelVersion } from '../target.ts';

/**
 * The syscall table of one ABI. Numbers are as the kernel shows them in `seccomp_data.nr`, base
 * included.
 */
export interface SyscallTable {
  readonly name: TableName;
  /** How many names it holds. */
  readonly count: number;
  /** All numbers, ascending. */
  readonly numbers: readonly number[];
  /**
   * By the id of a name, see {@link SyscallTables.idOf}: where its number stands in `numbers`; -1
   * without one.
   */
  readonly positions: Int16Array;
  /** The number of a name; undefined when this table has no such call. */
  numberOf(name: string): number | undefined;
  /** The name of a number; undefined when it is not assigned. */
  nameOf(nr: number): string | undefined;
  /** All (number, name) pairs, numbers ascending. */
  entries(): readonly (readonly [nr: number, name: string])[];
  /**
   * First Linux release in which this number answers on this table; undefined for a name it lacks.
   */
  sinceOf(name: string): KernelVersion | undefined;
}

/** The tables in use, and what is known of names in all of them. */
export interface SyscallTables {
  /** @throws Error when the table was not loaded: a fault of the caller. */
  table(name: TableName): SyscallTable;
  of(arch: ArchName): SyscallTable;
  /**
   * The id of a name, one for all tables: 0 and up; -1 for a name that none of the 18 tables has.
   */
  idOf(name: string): number;
  /** Whether any of the 18 tables has this name. */
  isKnown(name: string): boolean;
  /**
   * What an argument is called, and a value of it, if the facts about calls are loaded and know a
   * name.
   */
  readonly argument?: (arch: ArchName, call: string, index: number) => string | undefined;
  readonly constant?: (arch: ArchName, call: string, index: number, value: bigint) => string | undefined;
  /** SHA-256 (hex) over the checked-in table files: part of a cache key. */
  readonly digest: string;
  /** Linux release of the headers the tables were made from, e.g. 7.2. */
  readonly release: KernelVersion;
}
