import type { ArchName } from '../arch.ts';
import type { Endian, SockFilter } from '../bpf/instruction.ts';
import type { FlagName } from '../profile/types.ts';

/** The output formats of a filter, without JSON, which also says how the filter was made. */
export const FORMAT_NAMES = ['raw', 'hex', 'base64', 'c', 'rust', 'go', 'asm'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

/** What an output format needs of a compiled filter. */
export interface ProgramImage {
  readonly instructions: readonly SockFilter[];
  /** The same program in the byte order of the target: 8 bytes for each instruction. */
  readonly bytes: Uint8Array;
  readonly endian: Endian;
  readonly arches: readonly ArchName[];
  /** Of the profile, for what loads the program; undefined as in a profile without them. */
  readonly flags?: readonly FlagName[] | undefined;
}
