/** When each call came, read from syscall-tables/since.tsv by the oracles' own parser. */
import { readFileSync } from 'node:fs';
import type { Release } from './naive.ts';

const STARTS: Record<string, string> = { x32: '3.4', aarch64: '3.7', riscv64: '4.15', loongarch64: '5.19' };

function release(text: string): Release {
  const [major = '', minor = ''] = text.split('.');
  if (!/^\d+$/.test(major) || !/^\d+$/.test(minor)) throw new Error(`no release: ${text}`);
  return { major: Number(major), minor: Number(minor) };
}

const later = (a: Release, b: Release) => (a.major - b.major || a.minor - b.minor) > 0;

/** The release of a call on one table; undefined for a name without a row. */
export function readSince(): (table: string, name: string) => Release | undefined {
  const rows = new Map<string, { general: string; exceptions: Map<string, string> }>();
  const file = new URL('../../syscall-tables/since.tsv', import.meta.url);
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [name = '', general = '', exceptions = '-'] = line.split('\t');
    const pairs = exceptions === '-' ? [] : exceptions.split(',').map((pair) => pair.split('='));
    rows.set(name, { general, exceptions: new Map(pairs.map(([table = '', at = '']) => [table, at])) });
  }
  return (table, name) => {
    const row = rows.get(name);
    if (row === undefined) return undefined;
    const exception = row.exceptions.get(table);
    if (exception !== undefined) return release(exception);
    const general = release(row.general);
    const start = release(STARTS[table] ?? '2.0');
    return later(start, general) ? start : general;
  };
}
