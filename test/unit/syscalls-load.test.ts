import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { TableName } from '../../src/arch.ts';
import { TABLE_NAMES } from './syscalls-tsv.ts';

/** Which table modules were really imported. */
let opened: TableName[] = [];

beforeEach(() => {
  opened = [];
  vi.resetModules();
  for (const table of TABLE_NAMES)
    vi.doMock(`../../src/syscalls/generated/${table}.ts`, (importOriginal) => {
      opened.push(table);
      return importOriginal();
    });
});

describe('loadTables', () => {
  it('opens nothing before it is called', async () => {
    await import('../../src/syscalls/load.ts');
    expect(opened).toEqual([]);
  });

  it('opens the tables in use and no others, each once', async () => {
    const { loadTables } = await import('../../src/syscalls/load.ts');
    const first = await loadTables(['x86_64', 'x86', 'x86_64']);
    expect(opened.toSorted()).toEqual(['x86', 'x86_64']);
    const second = await loadTables(new Set<TableName>(['x86', 'mips']));
    expect(opened.toSorted()).toEqual(['mips', 'x86', 'x86_64']);
    expect(second.table('x86')).toBe(first.table('x86'));
    expect(second.of('MIPSEL').numberOf('read')).toBe(4003);
  });

  it('opens every table when all are asked for', async () => {
    const { loadTables } = await import('../../src/syscalls/load.ts');
    await loadTables(TABLE_NAMES);
    expect(opened.toSorted()).toEqual(TABLE_NAMES.toSorted());
  });

  it('knows the names of all tables without opening them', async () => {
    const { loadTables } = await import('../../src/syscalls/load.ts');
    const tables = await loadTables([]);
    expect(tables.isKnown('arm_fadvise64_64')).toBe(true);
    expect(opened).toEqual([]);
  });

  it('refuses a table that was not loaded', async () => {
    const { loadTables } = await import('../../src/syscalls/load.ts');
    const tables = await loadTables(['arm']);
    expect(() => tables.table('sh')).toThrow('the syscall table sh is not loaded');
    expect(() => tables.of('SHEB')).toThrow('the syscall table sh is not loaded');
  });
});
