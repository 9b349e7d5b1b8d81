import type { ActionName } from '../action.ts';
import type { Diagnostic } from '../errors.ts';

export const OPERATOR_NAMES = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;
export type OperatorName = (typeof OPERATOR_NAMES)[number];

/** Filter flags of the runtime-spec, as written there. */
export const FLAG_NAMES = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_NEW_LISTENER',
  'SECCOMP_FILTER_FLAG_TSYNC_ESRCH',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
] as const;
export type FlagName = (typeof FLAG_NAMES)[number];

/** One argument comparison. For MASKED_EQ `value` is the mask and `valueTwo` the datum. */
export interface SyscallArg {
  /** 0..5 after validation. */
  index: number;
  /** Unsigned 64-bit, exact. */
  value: bigint;
  /** Unsigned 64-bit, exact; 0 when absent. */
  valueTwo: bigint;
  op: OperatorName;
}

export interface SyscallEntry {
  /** Undefined only when the member is missing: an error, or no rule in runc mode. */
  names: string[] | undefined;
  action: ActionName;
  /** Unsigned 32-bit, unmasked; undefined when absent (0 is a value). */
  errnoRet?: number;
  /** Empty when absent, null or empty. */
  args: SyscallArg[];
  /** RFC 6901 pointer of the entry in the user's file. */
  pointer: string;
  /** True when the name came from the dialect's singular `name`. */
  singular?: true;
}

/** `linux.seccomp` of the OCI runtime-spec: what every dialect becomes. Every number is exact. */
export interface Seccomp {
  /** Undefined only if missing or empty; the policy stage decides what that means. */
  defaultAction: ActionName | undefined;
  defaultErrnoRet?: number;
  /** As spelled in the file. */
  architectures: { name: string; pointer: string }[];
  /** Undefined when the member is absent; an empty list is "no flags". */
  flags: FlagName[] | undefined;
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: SyscallEntry[];
  /** RFC 6901 pointer of the object: '' for a bare profile, '/linux/seccomp' in a config.json. */
  pointer: string;
}

/** Conditions under which the Docker dialect keeps (`includes`) or drops (`excludes`) an entry. */
export interface DockerCondition {
  caps: string[];
  arches: string[];
  /** As written; only moby reads it. */
  minKernel?: string;
}

export interface DockerEntry extends Omit<SyscallEntry, 'names' | 'singular'> {
  name?: string;
  names: string[];
  /** Podman's: an errno name or digits. It wins over errnoRet there. */
  errno?: string;
  includes: DockerCondition;
  excludes: DockerCondition;
}

/** A profile in the Docker/Podman dialect, before a target resolves it. */
export interface DockerProfile extends Omit<Seccomp, 'syscalls' | 'pointer'> {
  /** Podman's: an errno name or digits. It wins over defaultErrnoRet there. */
  defaultErrno?: string;
  archMap: { architecture: string; subArchitectures: string[]; pointer: string }[];
  syscalls: DockerEntry[];
}

/** A place in the user's file; both 1-based, columns counted in UTF-16 units. */
export interface Position {
  line: number;
  column: number;
}

/** A file that has been read: what it is, its content, and where each part of it is. */
export type Profile = {
  /** As given by the caller, for messages; `-` for stdin. */
  file: string;
  /** Faults that did not make the file unusable. Positions are filled in. */
  diagnostics: Diagnostic[];
  /** Position of an RFC 6901 pointer, or of its nearest existing ancestor. */
  locate(pointer: string): Position | undefined;
  /** The runtime that reads it so; only if crun and runc read some keys differently. */
  reader?: 'crun' | 'runc';
} & (
  | { dialect: 'oci'; form: 'seccomp' | 'config'; seccomp: Seccomp }
  | { dialect: 'oci'; form: 'config'; seccomp: null } // a config.json without linux.seccomp: no filter
  | { dialect: 'docker'; form: 'docker'; docker: DockerProfile }
);
