import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { endianness, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { disassemble } from '../../src/bpf/disassemble.ts';
import { formatProgram } from '../../src/format/index.ts';
import type { FormatName, ProgramImage } from '../../src/format/index.ts';
import { decodeBase64, encodeBase64 } from '../../src/format/text.ts';

// Every field at its limits at least once.
const INSTRUCTIONS: SockFilter[] = [
  { code: 0x20, jt: 0, jf: 0, k: 4 },
  { code: 0x15, jt: 0, jf: 2, k: 0xc000003e },
  { code: 0x20, jt: 0, jf: 0, k: 0 },
  { code: 0x25, jt: 255, jf: 254, k: 0xffffffff },
  { code: 0x06, jt: 0, jf: 0, k: 0x7fff0000 },
  { code: 0x06, jt: 0, jf: 0, k: 0 },
];

/** As if this machine were the target, so that its compilers give the target's bytes. */
const IMAGE: ProgramImage = {
  instructions: INSTRUCTIONS,
  bytes: encode(INSTRUCTIONS, endianness() === 'LE' ? 'little' : 'big'),
  endian: endianness() === 'LE' ? 'little' : 'big',
  arches: ['X86_64', 'X32'],
};

/** A filter that changes nothing. */
const ALLOW: SockFilter[] = [{ code: 0x06, jt: 0, jf: 0, k: 0x7fff0000 }];
const LOADED: ProgramImage = { ...IMAGE, instructions: ALLOW, bytes: encode(ALLOW, IMAGE.endian), flags: ['SECCOMP_FILTER_FLAG_LOG'] }; // prettier-ignore
/** What the kernel says of a thread that has loaded it. */
const STATUS = /^NoNewPrivs:\t1\nSeccomp:\t2$/m;
const onLinux = process.platform === 'linux';

function text(format: FormatName, image: ProgramImage = IMAGE): string {
  const product = formatProgram(format, image);
  if (typeof product !== 'string') throw new TypeError(`${format} is not text`);
  return product;
}

function missing(compiler: string, version: string): boolean {
  const absent = spawnSync(compiler, [version]).error !== undefined;
  if (absent)
    console.warn(`NOT CHECKED: ${compiler} is not installed, so its output format was not compiled`);
  return absent;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-format-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Builds a source and gives what the program prints. */
function build(name: string, source: string, compile: (file: string, program: string) => string[]): Buffer {
  const file = join(folder, name);
  const program = join(folder, `${name}.out`);
  writeFileSync(file, source);
  const [command, ...args] = compile(file, program);
  const compiled = spawnSync(command!, args, { encoding: 'utf8', cwd: folder });
  expect(compiled.stderr).toBe('');
  expect(compiled.status).toBe(0);
  return execFileSync(program);
}

describe('raw, hex and base64', () => {
  it('hold the bytes of the program', () => {
    expect(formatProgram('raw', IMAGE)).toBe(IMAGE.bytes);
    const lines = text('hex').split('\n');
    expect(lines).toHaveLength(INSTRUCTIONS.length + 1);
    expect(lines.every((line) => line === '' || /^[0-9a-f]{16}$/.test(line))).toBe(true);
    expect(Buffer.from(lines.join(''), 'hex')).toEqual(Buffer.from(IMAGE.bytes));
    expect(Buffer.from(text('base64').trim(), 'base64')).toEqual(Buffer.from(IMAGE.bytes));
  });

  it('are written in base64 as everybody reads it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const encoded = encodeBase64(bytes);
        expect(encoded).toBe(Buffer.from(bytes).toString('base64'));
        expect(decodeBase64(encoded.replaceAll(/(.{7})/g, '$1\n'))).toEqual(bytes);
      }),
    );
  });

  it('are not read from what only looks like base64', () => {
    const wrong = ['A', 'AA', 'AAA', 'AA=', 'A===', '=AAA', 'AA=A', 'AB==', 'AAB=', 'AA-_', '{}AA'];
    expect(wrong.filter((each) => decodeBase64(each) !== undefined)).toEqual([]);
    expect(decodeBase64('')).toEqual(new Uint8Array());
  });
});

describe('asm', () => {
  it('is the disassembly', () => {
    expect(text('asm')).toBe(disassemble(INSTRUCTIONS, { arch: 'X86_64' }));
  });
});

describe('c', () => {
  const flags = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];

  it.skipIf(missing('gcc', '--version'))('compiles without a warning, and gives the same bytes', () => {
    const main = `#include <stdio.h>
int main(void) { return fwrite(seccomp_program.filter, 8, seccomp_program.len, stdout) != seccomp_program.len; }
`;
    const printed = build('filter.c', text('c') + main, (file, program) => [
      'gcc',
      ...flags,
      '-o',
      program,
      file,
    ]);
    expect(printed).toEqual(Buffer.from(IMAGE.bytes));
  });

  it.skipIf(missing('gcc', '--version'))('compiles alone, with what is not used', () => {
    const file = join(folder, 'alone.c');
    writeFileSync(file, text('c'));
    const compiled = spawnSync('gcc', [...flags, '-c', '-o', `${file}.o`, file], { encoding: 'utf8' });
    expect(compiled).toMatchObject({ status: 0, stderr: '' });
  });
});

describe.runIf(onLinux)('a source with its loader', () => {
  it.skipIf(missing('gcc', '--version'))('runs a command under the filter: C', () => {
    const file = join(folder, 'main.c');
    writeFileSync(file, text('c', LOADED));
    expect(text('c', LOADED)).toContain('FLAGS = 2 ');
    for (const flags of [[], ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror']]) {
      const compiled = spawnSync('gcc', [...flags, '-DSECCOMPC_MAIN', '-o', `${file}.out`, file], { encoding: 'utf8' }); // prettier-ignore
      expect(compiled).toMatchObject({ status: 0, stderr: '' });
    }
    const run = (...words: string[]) => spawnSync(`${file}.out`, words, { encoding: 'utf8' });
    expect(run('cat', '/proc/self/status').stdout).toMatch(STATUS);
    expect([run().status, run('no-such-program').status, run('/').status]).toEqual([64, 127, 126]);
  });

  it.skipIf(missing('rustc', '--version'))('loads the filter into its thread: Rust', () => {
    writeFileSync(join(folder, 'loaded.rs'), text('rust', LOADED));
    const main = `mod loaded;
fn main() {
    loaded::load_filter().unwrap();
    print!("{}", std::fs::read_to_string("/proc/thread-self/status").unwrap());
}
`;
    const printed = build('load.rs', main, (file, program) => ['rustc', '-Dwarnings', '-o', program, file]);
    expect(printed.toString()).toMatch(STATUS);
  });

  it.skipIf(missing('go', 'version'))('loads the filter into all its threads: Go', () => {
    const main = `
func main() {
	if err := Load(); err != nil {
		panic(err)
	}
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		status, _ := os.ReadFile("/proc/self/task/" + thread.Name() + "/status")
		os.Stdout.Write(status)
	}
}
`;
    const source = text('go', LOADED).replace('package seccompfilter\n\nimport (\n', 'package main\n\nimport (\n\t"os"\n'); // prettier-ignore
    const printed = build('load.go', source + main, (file, program) => ['go', 'build', '-o', program, file]);
    const modes = printed.toString().match(/^Seccomp:.*$/gm)!;
    expect(modes.length).toBeGreaterThan(1);
    expect(new Set(modes)).toEqual(new Set(['Seccomp:\t2']));
  });
});

describe('rust', () => {
  it.skipIf(missing('rustc', '--version'))('compiles without a warning, and gives the same bytes', () => {
    writeFileSync(join(folder, 'filter.rs'), text('rust'));
    const main = `mod filter;
use std::io::Write;
fn main() {
    let filter = &filter::SECCOMP_FILTER;
    let bytes = unsafe {
        std::slice::from_raw_parts(filter.as_ptr().cast::<u8>(), std::mem::size_of_val(filter))
    };
    std::io::stdout().write_all(bytes).unwrap();
}
`;
    const printed = build('main.rs', main, (file, program) => ['rustc', '-Dwarnings', '-o', program, file]);
    expect(printed).toEqual(Buffer.from(IMAGE.bytes));
  });
});

describe('go', () => {
  it('holds every field of every instruction', () => {
    const rows = text('go').match(/^\t\{0x[0-9a-f]{4}, \d+, \d+, 0x[0-9a-f]{8}\},$/gm)!;
    const read = rows.map((row) => row.match(/0x[0-9a-f]+|\d+/g)!.map(Number));
    expect(read).toEqual(INSTRUCTIONS.map(({ code, jt, jf, k }) => [code, jt, jf, k]));
  });

  it.skipIf(missing('go', 'version'))('compiles, and gives the same bytes', () => {
    const main = `
func main() {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&Filter[0])), len(Filter)*int(unsafe.Sizeof(Filter[0])))
	if _, err := os.Stdout.Write(bytes); err != nil {
		panic(err)
	}
}
`;
    const imports = 'package main\n\nimport (\n\t"os"\n';
    const source = text('go').replace('package seccompfilter\n\nimport (\n', imports) + main;
    const printed = build('main.go', source, (file, program) => ['go', 'build', '-o', program, file]);
    expect(printed).toEqual(Buffer.from(IMAGE.bytes));
  });
});

describe('every format', () => {
  it('is the same text for the same filter, and says no date, host or path', () => {
    for (const format of ['c', 'rust', 'go'] as const) {
      expect(text(format)).toBe(text(format));
      expect(text(format)).not.toMatch(/20\d\d-|\/tmp|\/home/);
      expect(text(format)).toContain('X86_64, X32 (little-endian); 6 instructions.');
    }
  });
});
