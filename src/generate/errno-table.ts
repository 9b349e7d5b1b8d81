import type { ErrnoSet } from '../arch.ts';
import { type ErrnoNames, parseErrnos, swapAlias } from './errno-header.ts';
import { ERRNO_HEADERS, type HeaderFolders, NEWEST, readHeader } from './headers.ts';
import type { Output } from './output.ts';
import { byCodeUnit, formatTsv } from './tsv.ts';

/** The order of the columns in errno.tsv, after the name. */
export const ERRNO_SETS: readonly ErrnoSet[] = ['generic', 'mips', 'parisc'];

/**
 * Makes errno.tsv: a row for each name, in the order of the generic numbers, then names of other
 * sets only.
 */
export function errnoTable(folders: HeaderFolders): Output {
  const sources = new Set<string>();
  const sets = ERRNO_SETS.map((set) => readSet(set, folders, sources));
  const generic = sets[0]!;
  const names = [...new Set(sets.flatMap((set) => [...set.keys()]))].toSorted(
    (a, b) =>
      place(generic, a) - place(generic, b) ||
      Number(isAlias(generic, a)) - Number(isAlias(generic, b)) ||
      byCodeUnit(a, b),
  );
  const comments = [
    'Errnos: name, number in the generic set, in the mips set, in the parisc set.',
    '"-": the set has no such name. "=NAME": another spelling of NAME, which is the name of the number.',
    'Two decisions of ours: ENOTSUP, which only C libraries define, is EOPNOTSUPP; and of the two spellings of',
    'parisc 253 the one with a single L, which every other set has, is the name.',
    'powerpc is counted to the generic set, but its EDEADLOCK is 58, a number without a name here.',
    ...[...sources].map((source) => `source: ${source}`),
    `count: ${names.length}`,
  ];
  const rows = names.map((name) => [name, ...sets.map((set) => cell(set.get(name)))]);
  return { path: 'syscall-tables/errno.tsv', content: formatTsv(comments, rows) };
}

function readSet(set: ErrnoSet, folders: HeaderFolders, sources: Set<string>): ErrnoNames {
  const names: ErrnoNames = new Map();
  for (const file of ERRNO_HEADERS[set]) {
    const header = readHeader(folders, NEWEST, file);
    parseErrnos(file, header.text, names);
    sources.add(header.source);
  }
  if (set === 'parisc') swapAlias(names, 'ECANCELED', 'ECANCELLED');
  names.set('ENOTSUP', 'EOPNOTSUPP');
  return names;
}

function place(generic: ErrnoNames, name: string): number {
  const value = generic.get(name);
  return typeof value === 'string' ? place(generic, value) : (value ?? Number.MAX_SAFE_INTEGER);
}

function isAlias(names: ErrnoNames, name: string): boolean {
  return typeof names.get(name) === 'string';
}

function cell(value: number | string | undefined): string {
  if (value === undefined) return '-';
  return typeof value === 'number' ? String(value) : `=${value}`;
}
