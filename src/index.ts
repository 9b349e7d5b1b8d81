/**
 * seccompc: OCI seccomp profiles to classic BPF, with the pipeline of the command as functions.
 * Nothing here reads the host or needs Node. The cache (`seccompc/cache`) and the resident compiler
 * (`seccompc/serve`) do.
 */
export { compile } from './compile.ts';
export type { Filter } from './compile/filter.ts';
export type { ProfileInput } from './compile/findings.ts';
export type {
  CompileMode,
  CompileOptions,
  CompileSettings,
  ProofMode,
  TargetChoice,
} from './compile/settings.ts';
export { OPTIMIZE_GOALS } from './codegen/goal.ts';
export type { Optimize } from './codegen/goal.ts';
export { parseProfile, readProfile } from './profile/read.ts';
export type { ReadOptions } from './profile/read.ts';
export { resolveProfile } from './profile/docker.ts';
export { formatOci } from './profile/oci-text.ts';
export { FLAG_NAMES, OPERATOR_NAMES } from './profile/types.ts';
export type {
  DockerCondition,
  DockerEntry,
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
export type { KernelVersion, EngineName, RuntimeName, Target, TargetOptions } from './target.ts';

export { lookup, nearestNames } from './syscalls/lookup.ts';
export type { ArchCall, LookupQuery, LookupResult } from './syscalls/lookup.ts';
export { loadTables } from './syscalls/load.ts';
export type { SyscallTable, SyscallTables } from './syscalls/tables.ts';
export { errnoName, errnoNumber } from './errno.ts';
export { allArches, archOf, ociArchName, parseArch } from './arch.ts';
export type { Arch, ArchName, ErrnoSet, TableName } from './arch.ts';
export { actionLabel, actionValue } from './action.ts';
export type { ActionName } from './action.ts';

export { decode, encode } from './bpf/instruction.ts';
export type { Endian, SeccompData, SockFilter } from './bpf/instruction.ts';
export { checkProgram, convertedLength } from './bpf/check.ts';
export { run } from './bpf/interpreter.ts';
export type { Run } from './bpf/interpreter.ts';
export { disassemble } from './bpf/disassemble.ts';
export type { DisassembleOptions } from './bpf/disassemble.ts';
export { FORMAT_NAMES, formatProgram } from './format/index.ts';
export type { FormatName, ProgramImage } from './format/index.ts';

export { compare, fingerprint, proveProfile } from './equivalence.ts';
export type {
  CompareOptions,
  FilterSide,
  FingerprintResult,
  ProfileSide,
  ProgramInput,
  ProofLimits,
  ProveOptions,
} from './equivalence.ts';
export { checkAssertions, explain } from './questions.ts';
export type {
  AskedCall,
  AssertionOptions,
  AssertionResult,
  ExplainedCall,
  ExplainedEntry,
} from './questions.ts';
export type { Considered, Explanation, Part, Source } from './explain/explain.ts';
export type { Comparator, Condition } from './policy/types.ts';
export type { Counterexample, PropertyResult } from './prove/property.ts';
export type { ComparisonResult, Difference, Failure, Relation } from './prove/compare.ts';
export type { ProofResult, Witness } from './prove/prove.ts';
export { describeAnswer, describeCall } from './prove/describe.ts';

export { EXIT, SeccompcError } from './errors.ts';
export type { Code, Diagnostic, ExitCode, Severity } from './errors.ts';
