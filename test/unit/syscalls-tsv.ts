import { readdirSync, readFileSync } from 'node:fs';
import type { TableName } from '../../src/arch.ts';

/**
 * A second, plain reader of the checked-in tables: it shares nothing with the generator or the
 * look-up.
 */

export const TABLES_FOLDER = new URL('../../syscall-tables/', import.meta.url);

/** How many names each of the 18 tables holds, counted from the headers once and written down. */
export const COUNTS: Readonly<Record<TableName, number>> = {
  x86: 461,
  x86_64: 385,
  x32: 374,
  arm: 430,
  aarch64: 327,
  mips: 437,
  mips64: 373,
  mips64n32: 397,
  ppc: 452,
  ppc64: 424,
  s390: 440,
  s390x: 390,
  parisc: 407,
  parisc64: 386,
  riscv64: 328,
  loongarch64: 324,
  m68k: 443,
  sh: 436,
};

export const TABLE_NAMES: readonly TableName[] = [
  'x86', 'x86_64', 'x32', 'arm', 'aarch64', 'mips', 'mips64', 'mips64n32', 'ppc', 'ppc64', 's390', 's390x', 'parisc',
  'parisc64', 'riscv64', 'loongarch64', 'm68k', 'sh',
]; // prettier-ignore

export function tsvFiles(): string[] {
  return readdirSync(TABLES_FOLDER).filter((file) => file.endsWith('.tsv'));
}

/** The rows of one file, as columns. */
export function rowsOf(file: string): string[][] {
  const lines = readFileSync(new URL(file, TABLES_FOLDER), 'utf8').split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split('\t'));
}

/** name -> number of each table, in file order. */
export const TABLES = new Map<TableName, Map<string, number>>(
  TABLE_NAMES.map((table) => [
    table,
    new Map(rowsOf(`${table}.tsv`).map(([nr, name]) => [name!, Number(nr)] as const)),
  ]),
);

/** Every name of any table. */
export const ALL_NAMES = new Set([...TABLES.values()].flatMap((table) => [...table.keys()]));
