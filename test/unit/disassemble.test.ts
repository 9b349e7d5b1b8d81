import { describe, expect, it } from 'vitest';
import { disassemble } from '../../src/bpf/disassemble.ts';
import { tablesFor } from '../../src/bpf/tested-arches.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { loadTables } from '../../src/syscalls/load.ts';

const insn = (code: number, k: number, jt = 0, jf = 0): SockFilter => ({ code, jt, jf, k });
const load = (offset: number) => insn(0x20, offset);
const jeq = (k: number, jt: number, jf: number) => insn(0x15, k, jt, jf);
const jge = (k: number, jt: number, jf: number) => insn(0x35, k, jt, jf);
const ret = (value: number) => insn(0x06, value);

const ALLOW = 0x7fff0000;
const KILL_THREAD = 0;
const ERRNO = 0x00050000;

/** The comment on a program that only returns. */
function comment(value: number): string | undefined {
  return disassemble([ret(value)])
    .split('; ')[1]
    ?.trim();
}

describe('a listing', () => {
  it('names archs, calls, arguments, actions and errnos', async () => {
    const tables = await loadTables(['x86_64', 'x32', 'x86']);
    const program = [
      load(4),
      jeq(0xc000003e, 0, 9),
      load(0),
      jge(0x40000000, 7, 0),
      jeq(41, 1, 0),
      jge(60, 3, 4),
      load(20),
      jeq(0, 0, 3),
      load(16),
      jeq(40, 1, 0),
      ret(ALLOW),
      ret(ERRNO | 1),
      ret(KILL_THREAD),
    ];
    expect(disassemble(program, { tables }).trimEnd().split('\n')).toEqual([
      '   0: ld [4]                        ; arch',
      '   1: jeq #0xc000003e, 2, 11        ; arch == X86_64/X32; no: ERRNO EPERM',
      '   2: ld [0]                        ; nr',
      '   3: jge #0x40000000, 11, 4        ; nr >= 0x40000000 read; yes 0x40000000..0xffffffff: ERRNO EPERM',
      '   4: jeq #0x29, 6, 5               ; nr == 41 socket',
      '   5: jge #0x3c, 9, 10              ; nr >= 60 exit; no 0..59: ALLOW',
      '   6: ld [20]                       ; args[0] high',
      '   7: jeq #0x0, 8, 11               ; args[0] high == 0x0; no: ERRNO EPERM',
      '   8: ld [16]                       ; args[0] low',
      '   9: jeq #0x28, 11, 10             ; yes: ERRNO EPERM; no: ALLOW',
      '  10: ret #0x7fff0000               ; ALLOW',
      '  11: ret #0x00050001               ; ERRNO EPERM',
      '  12: ret #0x00000000               ; never reached',
    ]);
  });

  it("calls an errno by the architecture's own name", () => {
    const [x86, mips] = [0xc000003e, 0x00000008].map((arch) =>
      disassemble([load(4), jeq(arch, 0, 1), ret(ERRNO | 89), ret(KILL_THREAD)]),
    );
    expect(x86).toContain('ret #0x00050059               ; ERRNO EDESTADDRREQ');
    expect(mips).toContain('ret #0x00050059               ; ERRNO ENOSYS');
  });

  it('knows which word of an argument is the high one', () => {
    const [x86, s390x] = [0xc000003e, 0x80000016].map((arch) =>
      disassemble([load(4), jeq(arch, 0, 2), load(16), ret(ALLOW), ret(KILL_THREAD)]),
    );
    expect(x86).toContain('args[0] low');
    expect(s390x).toContain('args[0] high');
    expect(disassemble([load(16), ret(ALLOW)], { endian: 'big' })).toContain('args[0] high');
    expect(disassemble([load(8), ret(ALLOW)])).toContain('instruction_pointer low');
  });

  it('takes the numbers of a program that tests no arch from the arch that is given', async () => {
    const tables = await loadTables(['x86_64', 'x32', 'aarch64']);
    const program = [load(0), jeq(63, 0, 1), ret(ALLOW), ret(KILL_THREAD)];
    expect(disassemble(program, { tables })).toContain('; nr == 63;');
    expect(disassemble(program, { tables, arch: 'AARCH64' })).toContain('; nr == 63 read;');
  });

  it('follows an x32 number whose bit 30 is cleared into the tree of x86_64', async () => {
    const tables = await loadTables(['x86_64', 'x32']);
    const program = [
      load(4),
      jeq(0xc000003e, 0, 7),
      load(0),
      jge(0x40000000, 0, 2),
      insn(0x54, 0xbfffffff),
      jge(512, 2, 0),
      jeq(41, 0, 2),
      jeq(16, 0, 1),
      ret(ALLOW),
      ret(KILL_THREAD),
    ];
    expect(
      disassemble(program, { tables })
        .split('\n')
        .slice(4, 8)
        .map((line) => line.split('; ')[1]),
    ).toEqual(['nr without the x32 bit', 'x32 nr >= 512 rt_sigaction', 'nr == 41 socket', 'nr == 16 ioctl']);
  });

  it('names both calls where two architectures share a test', async () => {
    const tables = await loadTables(['x86_64', 'x32', 'x86']);
    const program = [
      load(4),
      jeq(0xc000003e, 1, 0),
      jeq(0x40000003, 0, 3),
      load(0),
      jeq(1, 0, 1),
      ret(ALLOW),
      ret(KILL_THREAD),
    ];
    expect(disassemble(program, { tables })).toContain('nr == 1 exit (X86), write (X86_64)');
  });

  it('names an argument and its constants where a path is of one call', async () => {
    const program = [
      load(4),
      jeq(0xc000003e, 0, 9),
      load(0),
      jeq(41, 0, 3),
      load(16),
      jeq(40, 5, 0),
      jeq(99, 4, 4),
      jge(56, 0, 3), // clone and all calls after it
      load(16),
      insn(0x45, 0x10000000, 1, 0),
      ret(ALLOW),
      ret(ERRNO | 1),
    ];
    const comments = disassemble(program, { tables: await tablesFor(program, 'X86_64') })
      .split('\n')
      .map((line) => line.split('; ')[1]);
    expect(comments.slice(4, 7)).toEqual([
      'args[0] low (family)',
      'args[0] low == 0x28 AF_VSOCK',
      'args[0] low == 0x63',
    ]);
    expect(comments.slice(8, 10)).toEqual(['args[0] low', 'args[0] low & 0x10000000']);
  });

  it('names an argument that calls of several architectures share, and not one that they do not', async () => {
    const program = [
      load(4),
      jeq(0xc000003e, 0, 2),
      load(0),
      jeq(41, 4, 6), // socket
      jeq(0x40000003, 0, 5),
      load(0),
      jeq(359, 1, 0), // socket
      jeq(125, 2, 2), // mprotect
      load(16),
      jeq(40, 2, 1),
      load(16),
      ret(ALLOW),
      ret(ERRNO | 1),
    ];
    const listing = disassemble(program, { tables: await tablesFor(program) }).split('\n');
    expect(listing[8]).toContain('args[0] low (family)');
    expect(listing[9]).toContain('args[0] low == 0x28 AF_VSOCK; yes: ERRNO EPERM');
    expect(listing[10]).toMatch(/; args\[0\] low$/);
  });

  it('says what a return value does that is not plain', () => {
    expect(comment(0x00050000)).toBe('ERRNO 0, the call seems to succeed');
    expect(comment(0x7ff00007)).toBe('TRACE 7');
    expect(comment(0x80000000)).toBe('KILL_PROCESS');
    expect(comment(0x7fff0001)).toBe('ALLOW with data 1');
    expect(comment(0x12340000)).toBe('no known action: the kernel kills the process');
  });

  it('leaves numbers as they are where no table is loaded', async () => {
    const program = [
      load(4),
      jeq(0xc000003e, 0, 3),
      load(0),
      jge(0x40000001, 1, 0),
      ret(ALLOW),
      ret(KILL_THREAD),
    ];
    expect(disassemble(program)).toContain('nr >= 0x40000001;');
    expect(disassemble(program, { tables: await loadTables(['x86_64']) })).toContain('nr >= 0x40000001;');
    expect(disassemble(program, { tables: await loadTables(['x86_64', 'x32']) })).toContain(
      '>= 0x40000001 write;',
    );
  });

  it('shows what seccomp does not know, field by field', () => {
    expect(disassemble([insn(0x28, 12)])).toContain('.insn 0x0028, 0, 0, 0xc'); // a half-word load
    expect(disassemble([insn(0x94, 3)])).toContain('.insn 0x0094, 0, 0, 0x3'); // MOD
    expect(disassemble([insn(0xffff, 0xffffffff, 1, 2)])).toContain('.insn 0xffff, 1, 2, 0xffffffff');
    expect(disassemble([insn(0x20, 0, 0, 9)])).toContain('.insn 0x0020, 0, 9, 0x0'); // jf of a load
    expect(disassemble([insn(0x07, 5)])).toContain('.insn 0x0007, 0, 0, 0x5'); // k of a TAX
  });

  it('is empty for an empty program', () => {
    expect(disassemble([])).toBe('');
  });
});
