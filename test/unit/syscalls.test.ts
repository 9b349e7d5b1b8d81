import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allArches, type TableName } from '../../src/arch.ts';
import { allNames, loadTables, nameId } from '../../src/syscalls/load.ts';
import { ALL_NAMES, COUNTS, rowsOf, TABLE_NAMES, TABLES, TABLES_FOLDER, tsvFiles } from './syscalls-tsv.ts';

const tables = await loadTables(TABLE_NAMES);

/** x32's calls with an entry of their own, and arm's six private ones; base taken off. */
const OUTSIDE = new Map<TableName, number[]>([
  ['x32', Array.from({ length: 36 }, (_, i) => 512 + i)],
  ['arm', Array.from({ length: 6 }, (_, i) => 0x0f0001 + i)],
]);

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Major and minor of a release, as one number to compare. */
function release(text: string): number {
  const [major, minor] = text.split('.').map(Number);
  return major! * 1000 + minor!;
}

/** The rules at the top of since.tsv, written down a second time. */
function expectedSince(table: TableName, general: string, later: string): number {
  const own = later.split(',').find((entry) => entry.startsWith(`${table}=`));
  const start =
    { x32: '3.4', aarch64: '3.7', riscv64: '4.15', loongarch64: '5.19' }[table as string] ?? '0.0';
  return own === undefined ? Math.max(release(general), release(start)) : release(own.split('=')[1]!);
}

describe('the checked-in tables', () => {
  it('hold as many names as were counted in the headers', () => {
    const counts = Object.fromEntries([...TABLES].map(([name, table]) => [name, table.size]));
    expect(counts).toEqual(COUNTS);
    expect(ALL_NAMES.size).toBe(508);
    expect([...ALL_NAMES].filter((name) => [...TABLES.values()].every((t) => t.has(name)))).toHaveLength(310);
  });

  it('serve the 23 architectures', () => {
    expect(new Set(allArches().map((arch) => arch.table))).toEqual(new Set(TABLE_NAMES));
  });

  it('have names of 3 to 28 characters from a to z, digits and underscore', () => {
    expect([...ALL_NAMES].filter((name) => !/^[a-z_][a-z0-9_]{2,27}$/.test(name))).toEqual([]);
    expect(ALL_NAMES).toContain('sched_rr_get_interval_time64');
  });

  it.each(TABLE_NAMES)('%s: no number outside 0..471 but the known exceptions', (name) => {
    const base = { x32: 0x40000000, mips: 4000, mips64: 5000, mips64n32: 6000 }[name as string] ?? 0;
    const outside = [...TABLES.get(name)!.values()].map((nr) => nr - base).filter((nr) => nr < 0 || nr > 471);
    expect(outside).toEqual(OUTSIDE.get(name) ?? []);
  });

  it('have no holes, aliases or names of libraries', () => {
    expect([...ALL_NAMES].filter((name) => /^(unused|reserved)[0-9]/.test(name))).toEqual([]);
    expect(TABLES.get('arm')!.has('sync_file_range2')).toBe(false);
    for (const name of ['pread', 'pwrite', 'llseek', 'fstatat']) expect(ALL_NAMES.has(name)).toBe(false);
  });

  it('give one number one call from 424 to 471, base taken off', () => {
    const calls = new Map<number, Set<string>>();
    for (const [name, table] of TABLES)
      for (const [call, nr] of table) {
        const base = { x32: 0x40000000, mips: 4000, mips64: 5000, mips64n32: 6000 }[name as string] ?? 0;
        if (nr - base >= 424 && nr - base <= 471)
          calls.set(nr - base, (calls.get(nr - base) ?? new Set()).add(call));
      }
    expect(calls.size).toBe(471 - 424 + 1);
    expect([...calls].filter(([, names]) => names.size !== 1)).toEqual([]);
  });

  // Read off the headers by hand.
  it.each<[TableName, string, number | undefined]>([
    ['x86', 'select', 82],
    ['x86_64', 'select', 23],
    ['s390', 'select', undefined],
    ['x86', 'accept', undefined],
    ['mips', 'read', 4003],
    ['mips64', 'read', 5000],
    ['mips64n32', 'read', 6000],
    ['x32', 'read', 1073741824],
    ['x32', 'ioctl', 0x40000000 + 514],
    ['arm', 'breakpoint', 983041],
    ['arm', 'get_tls', 983046],
    ['arm', 'arm_sync_file_range', 341],
    ['arm', 'mmap', undefined],
    ['s390', 'file_setattr', 469],
    ['s390', 'listns', undefined],
    ['s390', 'rseq_slice_yield', undefined],
    ['parisc64', '_llseek', undefined],
    ['parisc', 'cacheflush', 356],
    ['loongarch64', 'memfd_secret', 447],
    ['riscv64', 'renameat', undefined],
    ['sh', 'clone3', undefined],
    ['ppc64', 'multiplexer', 201],
  ])('%s %s is %s', (table, name, nr) => {
    expect(TABLES.get(table)!.get(name)).toBe(nr);
  });
});

describe('look-up', () => {
  it.each(TABLE_NAMES)('%s: every name, every number, and back', (name) => {
    const expected = [...TABLES.get(name)!];
    const table = tables.table(name);
    expect(table.name).toBe(name);
    expect(table.count).toBe(expected.length);
    expect(expected.map(([call]) => [call, table.numberOf(call)])).toEqual(expected);
    expect(expected.map(([, nr]) => [table.nameOf(nr), nr])).toEqual(expected);
    expect(table.entries()).toEqual(
      expected.map(([call, nr]) => [nr, call]).toSorted((a, b) => +a[0]! - +b[0]!),
    );
  });

  it.each(TABLE_NAMES)('%s: a name of another table is known and has no number here', (name) => {
    const others = [...ALL_NAMES].filter((call) => !TABLES.get(name)!.has(call));
    expect(others.length).toBe(508 - COUNTS[name]);
    const table = tables.table(name);
    const wrong = others.filter(
      (call) =>
        table.numberOf(call) !== undefined || table.sinceOf(call) !== undefined || !tables.isKnown(call),
    );
    expect(wrong).toEqual([]);
    expect(tables.isKnown('no_such_call')).toBe(false);
    expect(table.numberOf('no_such_call')).toBeUndefined();
  });

  it.each(TABLE_NAMES)('%s: unassigned numbers have no name', (name) => {
    const table = tables.table(name);
    const assigned = new Map([...TABLES.get(name)!].map(([call, nr]) => [nr, call]));
    const around = [...assigned.keys()].flatMap((nr) => [nr - 1, nr, nr + 1]);
    for (const nr of [...around, -1, 0, 0.5, NaN, Infinity, 2 ** 31, 2 ** 32 - 1, 2 ** 32])
      expect(table.nameOf(nr)).toBe(assigned.get(nr));
  });

  it.each(TABLE_NAMES)('%s: numbers ascend, and stand where the ids of their names say', (name) => {
    const { numbers, positions } = tables.table(name);
    expect(numbers).toEqual([...TABLES.get(name)!.values()].toSorted((a, b) => a - b));
    expect([...positions].map((position) => numbers[position])).toEqual(
      allNames().map((call) => TABLES.get(name)!.get(call)),
    );
  });

  it('has the multiplexed calls of every architecture under their numbers', () => {
    const arches = allArches().filter(({ ipc }) => ipc !== undefined);
    expect(arches).toHaveLength(11);
    for (const { name, socketcall, ipc } of arches) {
      const table = tables.of(name);
      expect([table.numberOf('socketcall'), table.numberOf('ipc')]).toEqual([socketcall, ipc]);
    }
  });

  it('numbers the names of all tables 0 to 507', () => {
    const ids = [...ALL_NAMES].map(nameId);
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 508 }, (_, id) => id));
    expect([...ALL_NAMES].filter((name) => allNames()[nameId(name)] !== name)).toEqual([]);
    expect(nameId('no_such_call')).toBe(-1);
  });

  it('tells which headers and which bytes it was made from', () => {
    const sums = tsvFiles()
      .filter((file) => !/^(?:argument|constant|starts)/.test(file))
      .toSorted()
      .map((file) => `${sha256(readFileSync(new URL(file, TABLES_FOLDER)))}  ${file}\n`);
    expect(sums).toHaveLength(20);
    expect(tables.digest).toBe(sha256(sums.join('')));
    expect(tables.release).toEqual({ major: 7, minor: 2 });
  });
});

describe('first release', () => {
  it('has a row for every name', () => {
    expect(rowsOf('since.tsv').map(([name]) => name)).toEqual([...ALL_NAMES].toSorted());
  });

  it.each(TABLE_NAMES)('%s: follows since.tsv', (name) => {
    const table = tables.table(name);
    const expected = rowsOf('since.tsv')
      .filter(([call]) => TABLES.get(name)!.has(call!))
      .map(([call, general, later]) => [call!, expectedSince(name, general!, later!)] as const);
    expect(expected).toHaveLength(COUNTS[name]);
    const got = expected.map(([call]) => {
      const since = table.sinceOf(call)!;
      return [call, since.major * 1000 + since.minor] as const;
    });
    expect(got).toEqual(expected);
  });

  it.each<[TableName, string, number, number]>([
    ['x86_64', 'clone3', 5, 3],
    ['mips', 'clone3', 5, 4],
    ['x86', 'accept4', 4, 3],
    ['riscv64', 'read', 4, 15],
    ['loongarch64', 'read', 5, 19],
    ['loongarch64', 'memfd_secret', 7, 0],
    ['aarch64', 'openat2', 5, 6],
    ['x86_64', 'mseal', 6, 10],
    ['x86_64', 'splice', 2, 6],
  ])('%s %s: %d.%d', (table, name, major, minor) => {
    expect(tables.table(table).sinceOf(name)).toEqual({ major, minor });
  });
});
