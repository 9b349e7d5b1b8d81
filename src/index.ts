/**
 * seccompc: OCI seccomp profiles to classic BPF. The same pipeline as the command's, as pure functions; nothing in
 * here reads the host or needs Node. The cache, which does, is `seccompc/cache`.
 */
export { compile } from './compile.ts';
export type { CompileOptions, Filter } from './compile.ts';
export { parseProfile, readProfile } from './profile/read.ts';
export { formatOci, resolveProfile } from './profile/docker.ts';
export type {
  DockerProfile,
  FlagName,
  OperatorName,
  Position,
  Profile,
  Seccomp,
  SyscallArg,
  SyscallEntry,
} from './profile/types.ts';
export { capabilitySet, makeTarget, parseKernelVersion } from './target.ts';
export type { KernelVersion, Target } from './target.ts';

export { lookup, nearestNames } from './syscalls/lookup.ts';
export type { ArchCall, LookupResult } from './syscalls/lookup.ts';
export { loadTables } from './syscalls/load.ts';
export type { SyscallTable, SyscallTables } from './syscalls/tables.ts';
export { errnoName, errnoNumber } from './errno.ts';
export { allArches, archOf, ociArchName, parseArch } from './arch.ts';
export type { Arch, ArchName } from './arch.ts';
export { actionLabel, actionValue } from './action.ts';
export type { ActionName } from './action.ts';

export { decode, encode } from './bpf/instruction.ts';
export type { SeccompData, SockFilter } from './bpf/instruction.ts';
export { checkProgram, convertedLength } from './bpf/check.ts';
export { run } from './bpf/interpreter.ts';
export type { Run } from './bpf/interpreter.ts';
export { disassemble } from './bpf/disassemble.ts';
export { FORMAT_NAMES, formatProgram } from './format/index.ts';
export type { FormatName } from './format/index.ts';

export { prove } from './prove/prove.ts';
export type { ProofOptions, ProofResult, Witness } from './prove/prove.ts';
export { compare, fingerprint } from './prove/compare.ts';
export type { ComparisonResult, Difference } from './prove/compare.ts';
export type { Reference } from './prove/reference.ts';

export { SeccompcError } from './errors.ts';
export type { Code, Diagnostic, Severity } from './errors.ts';
