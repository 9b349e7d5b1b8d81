import type { ArchName } from '../arch.ts';
import type { Endian, SockFilter } from '../bpf/instruction.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { FlagName, Seccomp } from '../profile/types.ts';
import type { Target } from '../target.ts';
import type { CompileMode } from './settings.ts';

/** A compiled profile: the program, and what a runtime must know to load it. */
export interface Filter {
  instructions: SockFilter[];
  /** The raw program: 8 bytes for each instruction, in the byte order of the target. */
  bytes: Uint8Array;
  /** Instructions after the kernel's conversion to eBPF. */
  convertedLength: number;
  endian: Endian;
  /** Architectures in the filter, native first. */
  arches: ArchName[];
  /**
   * False if the input asks for no filter at all, which only `allowUnconfined` accepts; the program
   * is then empty.
   */
  confined: boolean;
  /**
   * Filter flags of the profile; undefined if it has no such member (runtimes then use SPEC_ALLOW).
   */
  flags: FlagName[] | undefined;
  listenerPath?: string;
  target: Target;
  /** Whether the program is proved to answer every possible call as the profile says. */
  proved: boolean;
  /** Warnings and notes with their place, in the order of the file. */
  diagnostics: Diagnostic[];
}

/** The members of a profile that a runtime needs besides the program. */
export function runtimeMembers(seccomp: Seccomp | null): Pick<Filter, 'flags' | 'listenerPath'> {
  const { flags, listenerPath } = seccomp ?? { flags: undefined };
  return { flags, ...(listenerPath === undefined ? {} : { listenerPath }) };
}

/**
 * @throws SeccompcError NOT_CONFINED for an input that asks for no filter, unless that is allowed
 */
export function refuseUnconfined(
  { confined, diagnostics }: Filter,
  { allowUnconfined = false, file }: CompileMode,
): void {
  if (confined || allowUnconfined) return;
  const hint =
    'a filter needs a defaultAction, in a container configuration below linux.seccomp; accept no filter with the option allowUnconfined';
  const found = diagnostic('NOT_CONFINED', {}, { hint });
  throw new SeccompcError([...diagnostics, file === undefined ? found : { ...found, file }]);
}

/** The result for an input that asks for no filter. */
export function unconfinedFilter(seccomp: Seccomp | null, target: Target, diagnostics: Diagnostic[]): Filter {
  return {
    instructions: [],
    bytes: new Uint8Array(),
    convertedLength: 0,
    endian: 'little',
    arches: [],
    confined: false,
    ...runtimeMembers(seccomp),
    target,
    proved: false,
    diagnostics,
  };
}
