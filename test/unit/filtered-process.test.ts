/** What /proc says of a process before its filters are read, from files in its form. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { filteredProcess } from '../../src/oci/process/loaded-filter.ts';

let proc: string;
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'seccompc-proc-'));
});
afterEach(() => rmSync(proc, { recursive: true, force: true }));

const write = (path: string, content: string | Uint8Array) => {
  mkdirSync(dirname(join(proc, path)), { recursive: true });
  writeFileSync(join(proc, path), content);
};
const status = (fields: Record<string, string | number>) =>
  `Name:\tSeccomp: 2\nState:\tS (sleeping)\n${Object.entries(fields)
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join('')}`;
const refusal = () => {
  try {
    return filteredProcess(7, proc);
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    const [{ code, message, hint }] = error.diagnostics as [(typeof error.diagnostics)[0]];
    return { code, exit: error.exitCode, message, hint };
  }
};

describe('a process in /proc', () => {
  it('has the number of filters of each thread', () => {
    write('7/status', status({ Seccomp: 2, Seccomp_filters: 1 }));
    write('7/task/7/status', status({ Seccomp: 2, Seccomp_filters: 1 }));
    write('7/task/8/status', status({ Seccomp: 2, Seccomp_filters: 3 }));
    mkdirSync(join(proc, '7/task/9'));
    // Linux before 5.9.
    write('7/task/10/status', status({ Seccomp: 2 }));
    const { threads, narrow } = filteredProcess(7, proc);
    expect(threads).toEqual(
      new Map([
        [7, 1],
        [8, 3],
      ]),
    );
    expect(narrow).toBe(false);
  });

  it('runs a 32-bit program if its file is one', () => {
    write('7/status', status({ Seccomp: 2 }));
    mkdirSync(join(proc, '7/task'));
    for (const [elfClass, narrow] of [
      [1, true],
      [2, false],
    ] as const) {
      write('7/exe', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, elfClass, 1));
      expect(filteredProcess(7, proc).narrow).toBe(narrow);
    }
  });

  it('is refused without a filter, with what it may do instead', () => {
    for (const [mode, hint] of [
      ['0', 'every call is allowed'],
      ['1', 'it is in the strict mode of prctl(2): read, write, _exit and sigreturn are allowed'],
    ] as const) {
      write('7/status', status({ Seccomp: mode }));
      expect(refusal()).toEqual({
        code: 'LOADED_NONE',
        exit: 1,
        message: `process 7 has no filter (Seccomp: ${mode})`,
        hint,
      });
    }
    write('7/status', status({}));
    expect(refusal()).toMatchObject({
      code: 'LOADED_NONE',
      message: 'process 7 has no filter (Seccomp: unknown)',
    });
  });

  it('is refused, not called different, if it is not there or has ended', () => {
    expect(refusal()).toMatchObject({ code: 'FILTER_UNREADABLE', exit: 66 });
    write('7/status', status({ Seccomp: 2 }).replace('S (sleeping)', 'Z (zombie)'));
    expect(refusal()).toMatchObject({ code: 'FILTER_UNREADABLE', exit: 66 });
  });
});
