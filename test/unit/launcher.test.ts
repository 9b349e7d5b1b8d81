import { describe, expect, it } from 'vitest';
import { archOf } from '../../src/arch.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { LAUNCHER_ARCHES, makeLauncher } from '../../src/launcher/launcher.ts';
import { readFileSync } from 'node:fs';

const DEFAULT = readFileSync(new URL('../../profiles/container-default.json', import.meta.url));

/** elf.h: EI_CLASS, EI_DATA, e_machine, e_flags. */
const MACHINES = {
  X86_64: [2, 1, 62, 0],
  AARCH64: [2, 1, 183, 0],
  // EF_RISCV_RVC; no floating point in the ABI.
  RISCV64: [2, 1, 243, 1],
  // EF_ARM_EABI_VER5 | EF_ARM_ABI_FLOAT_SOFT, which the kernel does not look at.
  ARM: [1, 1, 40, 0x05000200],
  S390X: [2, 2, 22, 0],
  // ELFv2.
  PPC64LE: [2, 1, 21, 2],
} as const;

/** A reader of its own, after elf(5). */
function readElf(image: Uint8Array) {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const [kind, data] = [image[4]!, image[5]!];
  const little = data === 1;
  const wide = kind === 2;
  const word = (at: number) => (wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const half = (at: number) => view.getUint16(at, little);
  const size = wide ? 8 : 4;
  const at = { entry: 24, programs: 24 + size, sections: 24 + 2 * size, flags: 24 + 3 * size };
  const start = word(at.programs);
  const entries = Array.from({ length: half(at.flags + 8) }, (_, index) => {
    const from = start + index * half(at.flags + 6);
    const [flags, rest] = wide ? [from + 4, from + 8] : [from + 24, from + 4];
    const [offset, address, , fileSize, memorySize] = [0, 1, 2, 3, 4].map((n) => word(rest + n * size));
    return { type: view.getUint32(from, little), flags: view.getUint32(flags, little), offset, address, fileSize, memorySize }; // prettier-ignore
  });
  return {
    magic: Buffer.from(image.subarray(0, 4)).toString('latin1'),
    header: [kind, data, half(18), view.getUint32(at.flags, little)],
    type: half(16),
    entry: word(at.entry),
    sections: [word(at.sections), half(at.flags + 10), half(at.flags + 12), half(at.flags + 14)],
    entries,
    view,
    little,
  };
}

describe('a launcher', () => {
  it.each(LAUNCHER_ARCHES)('for %s is a program of at most 4 KB with the container default', async (arch) => {
    const { bytes, flags } = await compile(DEFAULT, { arch });
    const image = makeLauncher(arch, bytes, { flags });
    expect(image.length).toBeLessThanOrEqual(4096);
    const { magic, header, type, entry, sections, entries, view, little } = readElf(image);
    expect({ magic, header, type }).toEqual({ magic: '\x7fELF', header: [...MACHINES[arch]], type: 2 });
    expect(sections).toEqual([0, 0, 0, 0]);
    const [program, stack, ...others] = entries;
    // PT_LOAD that can be read and run, PT_GNU_STACK that cannot be run.
    expect(program).toMatchObject({ type: 1, flags: 5, offset: 0, fileSize: image.length, memorySize: image.length }); // prettier-ignore
    expect(stack).toMatchObject({ type: 0x6474e551, flags: 6 });
    expect(others).toEqual([]);
    expect(entry).toBeGreaterThan(program!.address!);
    expect(entry).toBeLessThan(program!.address! + image.length - bytes.length);

    const at = image.length - bytes.length;
    expect(Buffer.from(image.subarray(at)).equals(bytes)).toBe(true);
    // SPEC_ALLOW without flags in the profile.
    expect([view.getUint32(at - 8, little), view.getUint32(at - 4, little)]).toEqual([4, bytes.length / 8]);
  });

  const ret = (k: number): SockFilter => ({ code: 0x06, jt: 0, jf: 0, k });

  it('has a place for the longest filter, and the flags of the profile', () => {
    const longest = encode(
      Array.from({ length: 4096 }, () => ret(0x7fff0000)),
      'little',
    );
    const one = makeLauncher('X86_64', encode([ret(0)], 'little'), { flags: [] });
    const image = makeLauncher('X86_64', longest, {
      flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC'],
    });
    expect(image.length - one.length).toBe(4095 * 8);
    const view = new DataView(image.buffer, image.byteOffset + image.length - longest.length - 8);
    expect([view.getUint32(0, true), view.getUint32(4, true)]).toEqual([3, 4096]);
    expect(new DataView(one.buffer).getUint32(one.length - 16, true)).toBe(0);
  });

  const codes = (...making: Parameters<typeof makeLauncher>) => {
    try {
      makeLauncher(...making);
    } catch (error) {
      if (!(error instanceof SeccompcError)) throw error;
      return [error.exitCode, ...error.diagnostics.map(({ code }) => code)];
    }
    throw new Error('it is made');
  };

  it('is refused where nobody would answer a call', () => {
    const allow = encode([ret(0x7fff0000)], 'little');
    for (const flag of ['SECCOMP_FILTER_FLAG_NEW_LISTENER', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] as const)
      expect(codes('X86_64', allow, { flags: [flag] })).toEqual([65, 'LAUNCHER_HAS_NO_LISTENER']); // prettier-ignore
    for (const arch of ['X86_64', 'S390X'] as const) {
      const notify = encode([ret(0x7fc00001)], archOf(arch).endian);
      expect(codes(arch, notify)).toEqual([65, 'LAUNCHER_HAS_NO_LISTENER']);
    }
  });

  it('is refused for other machines, and for a filter that the kernel would refuse', () => {
    const allow = encode([ret(0x7fff0000)], 'big');
    expect(codes('MIPS', allow)).toEqual([64, 'LAUNCHER_ARCHITECTURE']);
    expect(codes('X86_64', new Uint8Array())).toEqual([65, 'FILTER_EMPTY']);
    // In the other byte order the opcode is none, and so it does not end with RET.
    expect(new Set(codes('X86_64', allow))).toEqual(new Set([65, 'FILTER_INVALID']));
  });
});
