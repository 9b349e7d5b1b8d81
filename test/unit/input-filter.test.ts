import { describe, expect, it } from 'vitest';
import { disassemble } from '../../src/bpf/disassemble.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { readFilter } from '../../src/cli/options/filter-file.ts';
import { filterIn } from '../../src/input/filter.ts';
import { SeccompcError } from '../../src/errors.ts';
import { FORMAT_NAMES, formatProgram } from '../../src/format/index.ts';
import { filterInText } from '../../src/input/filter-text.ts';

const insn = (code: number, k: number, jt = 0, jf = 0): SockFilter => ({ code, jt, jf, k });
const PROGRAM = [
  insn(0x20, 4),
  insn(0x15, 0xc000003e, 1),
  insn(0x06, 0),
  insn(0x20, 0),
  insn(0x35, 0x40000000, 2),
  insn(0x15, 2, 1),
  insn(0x06, 0x7fff0000),
  insn(0x06, 0x00050001),
];
const BYTES = encode(PROGRAM, 'little');
const bytesOf = (text: string) => new TextEncoder().encode(text);
const hex = Buffer.from(BYTES).toString('hex');
const rows = (radix: (value: number, width: number) => string) =>
  PROGRAM.map(({ code, jt, jf, k }) => [radix(code, 2), radix(jt, 2), radix(jf, 2), radix(k, 8)]);
const plainHex = rows((value, width) => value.toString(16).padStart(width, '0'));
const decimal = rows(String);

describe('every text form that seccompc writes is read as the same filter', () => {
  it.each(FORMAT_NAMES)('%s', (format) => {
    const flags = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'] as const;
    const image = { instructions: PROGRAM, bytes: BYTES, endian: 'little', arches: ['X86_64'], flags } as const; // prettier-ignore
    const product = formatProgram(format, image);
    const bytes = typeof product === 'string' ? bytesOf(product) : product;
    expect(filterIn(bytes)).toEqual({ program: PROGRAM, endian: 'little' });
  });

  it('JSON of compile and of disasm', () => {
    const base64 = Buffer.from(BYTES).toString('base64');
    const documents = [
      { bytes: base64, instructions: PROGRAM.length, endian: 'little' },
      { endian: 'little', instructions: PROGRAM.map((each) => ({ ...each, text: 'x' })) },
      PROGRAM,
    ];
    for (const document of documents)
      expect(filterIn(bytesOf(JSON.stringify(document)))).toEqual({
        program: PROGRAM,
        endian: 'little',
      });
  });

  it('a listing with every kind of instruction', () => {
    const codes = [
      0x20, 0, 1, 0x60, 0x61, 2, 3, 0x80, 0x81, 0x84, 0x16, 7, 0x87, 4, 0xc, 0x54, 0x5c, 0x74, 0x28,
    ];
    const jumps = [0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d].map((code) =>
      insn(code, code & 8 ? 0 : 9, 1, 255),
    );
    const program = [...codes.map((code) => insn(code, 0)), ...jumps, insn(5, 7), insn(0x06, 0xffffffff)];
    program.push(insn(0xffff, 0xffffffff, 255, 255));
    expect(filterInText(disassemble(program))).toEqual({ program });
  });

  it('in the byte order of the architecture that the program tests', () => {
    const program = [insn(0x20, 4), insn(0x15, 0x80000016, 0, 1), insn(0x06, 0), insn(0x06, 0x7fff0000)];
    expect(filterIn(bytesOf(disassemble(program)))).toEqual({ program, endian: 'big' });
    const digits = Buffer.from(encode(program, 'big')).toString('hex');
    expect(filterIn(bytesOf(digits))).toEqual({ program, endian: 'big' });
  });
});

/** The lines of a program that dumps bytes: offset, sixteen bytes, and what they are as text. */
function dumped(offsetOf: (offset: number) => string, groups = /$^/, grouped = ''): string {
  const lines = Array.from({ length: Math.ceil(BYTES.length / 16) }, (_, line) => {
    const bytes = [...BYTES.subarray(16 * line, 16 * line + 16)];
    const digits = bytes.map((byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
    const shown = bytes.map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    return `${offsetOf(16 * line)}${digits.replaceAll(new RegExp(groups, 'g'), grouped)}  ${shown}\n`;
  });
  return lines.join('');
}

describe('forms of other programs are read', () => {
  const list = Array.from(BYTES, (byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(', ');
  const FORMS: Record<string, string> = {
    xxd: dumped((offset) => `${offset.toString(16).padStart(8, '0')}:`, / (..) (..)/g, ' $1$2'),
    'hexdump -C': `${dumped((offset) => `${offset.toString(16).padStart(8, '0')} `)}${BYTES.length.toString(16).padStart(8, '0')}\n`,
    'od -tx1': `${dumped((offset) => offset.toString(8).padStart(7, '0'))}${BYTES.length.toString(8).padStart(7, '0')}\n`,
    'xxd -p': hex.replaceAll(/.{60}/g, '$&\n'),
    'xxd -i': `unsigned char f_bpf[] = {\n  ${list}\n};\nunsigned int f_bpf_len = ${BYTES.length};\n`,
    'escapes of C': `"${hex.replaceAll(/../g, '\\x$&')}"`,
    'rows of C': plainHex.map((row) => `{ ${row.map((field) => `0x${field}`).join(', ')} },\n`).join(''),
    'tcpdump -dd': plainHex.map((row) => `{ 0x${row[0]}, ${Number(`0x${row[1]}`)}, ${Number(`0x${row[2]}`)}, 0x${row[3]} },`).join('\n'),
    'tcpdump -ddd': `${PROGRAM.length}\n${decimal.map((row) => row.join(' ')).join('\n')}\n`,
    bpf_asm: `${PROGRAM.length},${decimal.map((row) => row.join(' ')).join(',')},\n`,
    'a table of firejail': ` line  OP JT JF    K\n=====================\n${plainHex.map((row, at) => ` ${String(at).padStart(4, '0')}: ${row.join(' ')}   ld  x\n`).join('')}`,
    'a table of seccomp-tools': ` line  CODE  JT   JF      K\n=====\n${plainHex.map((row, at) => ` ${String(at).padStart(4, '0')}: ${row.map((field) => `0x${field}`).join(' ')}  A = arch\n`).join('')}`,
    'designated members of C': `struct sock_filter f[${PROGRAM.length}] = {${PROGRAM.map(({ code, jt, jf, k }) => `{ .code = ${code}, .jt = ${jt}, .jf = ${jf}, .k = ${k}u }`).join(', ')}};`,
  }; // prettier-ignore

  it.each(Object.entries(FORMS))('%s', (_, text) => {
    expect(filterIn(bytesOf(text))).toEqual({ program: PROGRAM, endian: 'little' });
  });
});

describe('a profile is no filter, whatever else it holds', () => {
  const array = '{{0x20,0,0,4},{6,0,0,0x7fff0000}}';
  const bytes = Buffer.from(encode([insn(0x20, 4), insn(6, 0x7fff0000)], 'little')).toString('base64');
  const PROFILES: Record<string, string> = {
    'rows in a comment member': `{"defaultAction": "SCMP_ACT_ERRNO", "comment": "${array}"}`,
    'rows in a comment': `{"defaultAction": "SCMP_ACT_ERRNO"}\n// ${array}\n`,
    'rows before it in a comment': `// ${array}\n{"defaultAction": "SCMP_ACT_ERRNO"}\n`,
    'members of a filter': `{"defaultAction": "SCMP_ACT_ERRNO", "bytes": "${bytes}", "instructions": 2}`,
    'a filter in another document': `{"info": {"runtimeSpec": {}}, "bytes": "${bytes}", "instructions": 2}`,
    'an array in a comment of YAML': `defaultAction: SCMP_ACT_ERRNO\n# struct sock_filter f[2] = ${array};\n`,
    'YAML in a comment of C':
      `//x: y\nstatic/*: y\ndefaultAction: SCMP_ACT_ERRNO\n# */ struct sock_filter f[2] = ${array};\n`,
    'YAML after an include of C':
      `#include <x>\n//x: y\nstatic/*: y\ndefaultAction: SCMP_ACT_ERRNO\n# */ struct sock_filter f[2] = ${array};\n`,
  }; // prettier-ignore

  it.each(Object.entries(PROFILES))('%s', (_, text) => {
    expect(filterInText(text)).toBeUndefined();
    expect(filterIn(bytesOf(text))).toBeUndefined();
  });

  it('and the same array alone is one', () => {
    for (const text of [array, `struct sock_filter f[2] = ${array};`])
      expect(filterIn(bytesOf(text))?.program).toHaveLength(2);
  });
});

describe('a text that is not all of a filter is not read', () => {
  const image = { instructions: PROGRAM, bytes: BYTES, endian: 'little', arches: ['X86_64'] } as const;
  const text = (format: 'c' | 'go' | 'rust' | 'asm' | 'hex') => String(formatProgram(format, image));
  const CUT: Record<string, string> = {
    'C without its last row': text('c').replace(/\n.*0x00050001.*\n/, '\n'),
    'Go without a row': text('go').replace(/\n.*0x00050001.*\n/, '\n'),
    'Rust with a row more': text('rust').replace(/\n(.*0x00050001.*\n)/, '\n$1$1'),
    'C with a macro among the rows': text('c').replace(/\{ 0x0006.*0x00000000 \},/, 'BPF_STMT(BPF_RET, 0),'),
    'C with another loader': text('c').replace('return 69', 'return 0'),
    'C with a loader of other flags': text('c').replace('FLAGS = 4', 'FLAGS = 4 | 8'),
    'Go with a line behind its loader': `${text('go')}var x = 1\n`,
    'C with two arrays': `${text('c')}${text('c')}`,
    'C with a row in a comment': text('c').replace(/(\{ 0x0006.*0x00000000 \},)/, '/* $1 */'),
    'a listing with a line of words': text('asm').replace('\n', '\nand so on\n'),
    'a listing without its second line': text('asm').replace(/\n.*\n/, '\n'),
    'a listing with a backward jump': text('asm').replace(', 3, 2', ', 3, 0'),
    'a dump without its second line': dumped((offset) => `${offset.toString(16).padStart(8, '0')}:`).replace(/\n.*\n/, '\n'),
    'a dump with another end': `${dumped((offset) => `${offset.toString(16).padStart(8, '0')} `)}00000fff\n`,
    'half a byte': hex.slice(1),
    'half an instruction': hex.slice(8),
    'a table without its second row': ' 0000: 20 00 00 00000004\n 0002: 06 00 00 7fff0000\n',
    'a count that is not that of the rows': '3\n32 0 0 4\n6 0 0 0\n',
    'a jump of more than a byte': '2\n21 256 0 4\n6 0 0 0\n',
    'JSON with fewer bytes': JSON.stringify({ bytes: Buffer.from(BYTES.subarray(8)).toString('base64'), instructions: 8 }),
    'JSON with a field missing': JSON.stringify([{ code: 6, jt: 0, k: 0 }]),
    'xxd -i of another length': 'unsigned char a[] = {0x06,0,0,0,0,0,0,0};unsigned int a_len = 16;',
  }; // prettier-ignore

  it.each(Object.entries(CUT))('%s', (_, source) => {
    expect(filterInText(source)).toBeUndefined();
  });

  it.each([
    ['it is an ELF binary', Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]), /run it/],
    ['it is a script', bytesOf('#!/bin/sh\necho'), /run it/],
    ['it is a C source file', bytesOf('#include <seccomp.h>\nint main() {}\n'), /run it/],
    ['it is a log of strace', bytesOf('read(0, "", 1) = 0\n'), /8 bytes/],
    ['it is JSON', bytesOf('{"defaultAction": "SCMP_ACT_ALLOW"}'), /compile a profile first/],
    ['it is empty', new Uint8Array(), /8 bytes/],
  ])('and its kind is named: %s', (reason, bytes, hint) => {
    expect(() => readFilter(bytes, 'f')).toThrow(SeccompcError);
    try {
      readFilter(bytes, 'f');
    } catch (error) {
      const [found] = (error as SeccompcError).diagnostics;
      expect(found).toMatchObject({ code: 'NOT_A_FILTER', message: `this is not a filter: ${reason}` });
      expect(found!.hint).toMatch(hint);
    }
  });

  it('and hostile texts end without a match', () => {
    const long = 200_000;
    for (const source of [
      '/*'.repeat(long),
      `{${' '.repeat(long)}`,
      `[${'{1,1,1,1} '.repeat(long / 10)}x`,
      `[${`{1,1,1,1}${' '.repeat(100)}`.repeat(2000)}x`,
      `0: ${' '.repeat(long)}x`,
      `${'a'.repeat(long)}{`,
      '['.repeat(long),
      `struct sock_filter f[${' '.repeat(long)}x] = {{6,0,0,0}};`,
      `${'a '.repeat(long)}{{6,0,0,0}}`,
      `a${' '.repeat(long)}{{6,0,0,0}}${'/*'.repeat(long)}`,
    ])
      expect(filterInText(source)).toBeUndefined();
  });
});
