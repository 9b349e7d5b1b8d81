import { disassemble } from '../bpf/disassemble.ts';
import { defined } from '../defined.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { FormatName, ProgramImage } from './program.ts';
import { toC, toGo, toRust } from './source.ts';
import { encodeBase64, toHex } from './text.ts';

export { FORMAT_NAMES } from './program.ts';
export type { FormatName, ProgramImage } from './program.ts';

const EMITTERS: Record<FormatName, (image: ProgramImage, tables?: SyscallTables) => string | Uint8Array> = {
  raw: ({ bytes }) => bytes,
  hex: ({ bytes }) => toHex(bytes),
  base64: ({ bytes }) => `${encodeBase64(bytes)}\n`,
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
  return disassemble(instructions, { endian, ...defined({ arch: arches[0], tables }) });
}
