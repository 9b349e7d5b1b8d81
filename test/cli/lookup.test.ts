import { describe, expect, it } from 'vitest';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();

async function lookup(...args: string[]) {
  const { code, stdout, stderr } = await runIn(folder, ['lookup', ...args]);
  return { code, text: stdout.toString(), stderr };
}

describe('lookup', () => {
  it('finds numbers and names, architecture by architecture', async () => {
    expect(await lookup('clone3', '--arch', 'amd64')).toEqual({
      code: 0,
      text: '435\tclone3\tX86_64\t0xc000003e\t5.3\tclone3(struct clone_args *uargs, size_t size)\n',
      stderr: '',
    });
    expect((await lookup('0x1b3', '--arch', 'SCMP_ARCH_AARCH64')).text).toBe(
      '435\tclone3\tAARCH64\t0xc00000b7\t5.3\tclone3(struct clone_args *uargs, size_t size)\n',
    );
    const everywhere = (await lookup('read', '--arch', 'all')).text.trimEnd().split('\n');
    expect(everywhere).toHaveLength(23);
    expect(everywhere.map((line) => line.split('\t').slice(0, 3).join(' '))).toEqual(
      expect.arrayContaining(['0 read X86_64', '3 read X86', '63 read AARCH64', '4003 read MIPS']),
    );
  });

  it('answers no with 1, and says what is near or where it is', async () => {
    expect(await lookup('opneat', '--arch', 'x86_64')).toMatchObject({
      code: 1,
      text: '',
      stderr: expect.stringContaining('did you mean openat'),
    });
    expect(await lookup('set_tls', '--arch', 'x86_64')).toMatchObject({
      code: 1,
      text: '',
      stderr: expect.stringContaining('ARM'),
    });
    expect(await lookup('opneat', '--arch', 'x86_64', '-q')).toEqual({ code: 1, text: '', stderr: '' });
  });

  it('prints a whole table, ascending', async () => {
    const { code, text } = await lookup('--all', '--arch', 'aarch64');
    expect(code).toBe(0);
    const rows = text.trimEnd().split('\n');
    expect(rows.filter((row) => !/^\d+\t[a-z0-9_]+$/.test(row))).toEqual([]);
    const numbers = rows.map((row) => Number(row.split('\t')[0]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(rows).toContain('63\tread');
  });

  it('prints JSON', async () => {
    const found = documentOf(await runIn(folder, ['lookup', 'read', '--arch', 'x86_64', '--json']));
    expect(found).toMatchObject({
      found: true,
      calls: [
        {
          arch: 'X86_64',
          nr: 0,
          name: 'read',
          prototype: 'read(unsigned int fd, char *buf, size_t count)',
          args: [
            { name: 'fd', bits: 32, pointer: false },
            { name: 'buf', pointer: true },
            { name: 'count', bits: 64 },
          ],
          form: null,
        },
      ],
    });
    const carrier = documentOf(await runIn(folder, ['lookup', 'socketcall', '--arch', 'x86', '--json']));
    expect(carrier).toMatchObject({
      calls: [{ form: { kind: 'multiplexer', calls: { 1: 'socket', 20: 'sendmmsg' } } }],
    });
    const none = documentOf(await runIn(folder, ['lookup', 'tuxcall', '--arch', 'x86_64', '--json']));
    expect(none).toMatchObject({ calls: [{ prototype: null, args: null, form: null }] });
    const missing = await runIn(folder, ['lookup', 'opneat', '--arch', 'x86_64', '--json']);
    expect(missing).toMatchObject({ code: 1, stderr: '' });
    expect(documentOf(missing)).toMatchObject({ found: false, calls: [], nearest: ['openat'] });
  });
});
