import { disassemble } from '../bpf/disassemble.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import { toC } from './c.ts';
import { toGo } from './go.ts';
import type { ProgramImage } from './program.ts';
import { toRust } from './rust.ts';
import { toBase64, toHex } from './text.ts';

/** The forms a filter can be written in, JSON apart: that one also tells how it was made (see src/cli). */
export const FORMAT_NAMES = ['raw', 'hex', 'base64', 'c', 'rust', 'go', 'asm'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

const EMITTERS: Record<FormatName, (image: ProgramImage, tables?: SyscallTables) => string | Uint8Array> = {
  raw: ({ bytes }) => bytes,
  hex: toHex,
  base64: toBase64,
  c: toC,
  rust: toRust,
  go: toGo,
  asm: toAsm,
};

/** `tables` names the syscalls in `asm`. Only `raw` gives bytes. */
export function formatProgram(
  format: FormatName,
  image: ProgramImage,
  tables?: SyscallTables,
): string | Uint8Array {
  return EMITTERS[format](image, tables);
}

function toAsm({ instructions, endian, arches }: ProgramImage, tables?: SyscallTables): string {
  const native = arches[0];
  return disassemble(instructions, {
    endian,
    ...(native === undefined ? {} : { arch: native }),
    ...(tables === undefined ? {} : { tables }),
  });
}
export type { ProgramImage } from './program.ts';
