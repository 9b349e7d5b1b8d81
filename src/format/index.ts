import { disassemble } from '../bpf/disassemble.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import { toC } from './c.ts';
import { toGo } from './go.ts';
import type { FormatName } from './names.ts';
import type { ProgramImage } from './program.ts';
import { toRust } from './rust.ts';
import { toBase64, toHex } from './text.ts';

export { FORMAT_NAMES } from './names.ts';
export type { FormatName } from './names.ts';

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
