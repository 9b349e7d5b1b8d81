import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { ErrnoSet } from '../../src/arch.ts';
import { errnoName, errnoNumber } from '../../src/errno.ts';
import { rowsOf } from './syscalls-tsv.ts';

const SETS: readonly ErrnoSet[] = ['generic', 'mips', 'parisc'];
const ROWS = rowsOf('errno.tsv');

/** The number of a name by errno.tsv, through at most one "=NAME". */
function expectedNumber(name: string, column: number): number | undefined {
  const cell = ROWS.find((row) => row[0] === name)?.[column];
  if (cell === undefined || cell === '-') return undefined;
  return cell.startsWith('=') ? expectedNumber(cell.slice(1), column) : Number(cell);
}

describe.each(SETS)('%s', (set) => {
  const column = SETS.indexOf(set) + 1;

  it('gives every name of errno.tsv its number', () => {
    expect(ROWS).toHaveLength(141);
    for (const [name] of ROWS)
      expect([name, errnoNumber(name!, set)]).toEqual([name, expectedNumber(name!, column)]);
  });

  it('gives every number one name, never another spelling', () => {
    const names = new Map(
      ROWS.filter((row) => /^[0-9]+$/.test(row[column]!)).map(
        (row) => [Number(row[column]), row[0]] as const,
      ),
    );
    expect(names.size).toBeGreaterThan(130);
    for (let number = -1; number <= 1200; number++) expect(errnoName(number, set)).toBe(names.get(number));
  });

  it('has no other names', () => {
    for (const name of [
      '',
      'eperm',
      'EPERM ',
      'E',
      'ENOSUCH',
      '__proto__',
      'constructor',
      'toString',
      'ERESTARTSYS',
    ])
      expect(errnoNumber(name, set)).toBeUndefined();
    for (const number of [NaN, 1.5, Infinity, 512, 4095]) expect(errnoName(number, set)).toBeUndefined();
  });
});

// Read off the three headers by hand.
it.each<[string, number | undefined, number | undefined, number | undefined]>([
  ['EPERM', 1, 1, 1],
  ['ERANGE', 34, 34, 34],
  ['ENOSYS', 38, 89, 251],
  ['EDEADLK', 35, 45, 45],
  ['EDEADLOCK', 35, 56, 45],
  ['EWOULDBLOCK', 11, 11, 11],
  ['EOPNOTSUPP', 95, 122, 223],
  ['ENOTSUP', 95, 122, 223],
  ['ETIMEDOUT', 110, 145, 238],
  ['ECANCELED', 125, 158, 253],
  ['ECANCELLED', undefined, undefined, 253],
  ['EDQUOT', 122, 1133, 69],
  ['EHWPOISON', 133, 168, 257],
  ['EFTYPE', 134, 169, 258],
  ['EREMDEV', undefined, 142, undefined],
])('%s is %s, %s, %s', (name, ...numbers) => {
  expect(SETS.map((set) => errnoNumber(name, set))).toEqual(numbers);
});

it.each<[number, ErrnoSet, string]>([
  [11, 'generic', 'EAGAIN'],
  [35, 'generic', 'EDEADLK'],
  [56, 'mips', 'EDEADLOCK'],
  [95, 'generic', 'EOPNOTSUPP'],
  [253, 'parisc', 'ECANCELED'],
])('%d of %s is %s', (number, set, name) => {
  expect(errnoName(number, set)).toBe(name);
});

it.runIf(
  process.platform === 'linux' &&
    ['x64', 'arm64', 's390x', 'ppc64', 'riscv64', 'loong64'].includes(process.arch),
)("agrees with this host's C library", () => {
  const host = Object.entries(constants.errno);
  expect(host.length).toBeGreaterThan(70);
  expect(host.map(([name]) => [name, errnoNumber(name, 'generic')])).toEqual(host);
});
