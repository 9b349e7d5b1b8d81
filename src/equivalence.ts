/** Whether profiles and filters answer every call alike: the prover for callers of the library. */
import { archOf, parseArch } from './arch.ts';
import type { Arch } from './arch.ts';
import { checkProgram } from './bpf/check.ts';
import { testedArches } from './bpf/tested-arches.ts';
import { decode, encode } from './bpf/instruction.ts';
import type { SockFilter } from './bpf/instruction.ts';
import { lowerProfile } from './compile.ts';
import type { LoweredProfile } from './compile/lowered.ts';
import type { ProfileInput } from './compile/findings.ts';
import { targetOf } from './compile/settings.ts';
import type { TargetChoice } from './compile/settings.ts';
import { diagnostic, fail, SeccompcError } from './errors.ts';
import type { Diagnostic } from './errors.ts';
import { compare as compareSides, fingerprint as fingerprintOf } from './prove/compare.ts';
import type { ComparisonResult, Failure, NamedCalls, Relation, Side } from './prove/compare.ts';
import { prove } from './prove/prove.ts';
import type { ProofResult } from './prove/prove.ts';
import { loadTables } from './syscalls/load.ts';

/**
 * A filter from any compiler: raw bytes, 8 for each instruction, in the byte order of its machine,
 * or instructions.
 */
export type ProgramInput = Uint8Array | readonly SockFilter[];

/** A profile with the target that it is compiled for. */
export type ProfileSide = TargetChoice & {
  profile: ProfileInput;
  /** Name of the profile in diagnostics; `-` unless given. */
  file?: string | undefined;
};

/** A filter with the architecture of its machine, which gives its byte order. */
export interface FilterSide {
  filter: ProgramInput;
  /** In any spelling: `x86_64`, `arm64`. Of its calls, each that differs is reported. */
  arch: string;
}

/** How far a proof goes. */
export interface ProofLimits {
  /**
   * Nodes that a decision diagram may have; 2^19 unless given. Above it, a question can be
   * undecided.
   */
  nodeBudget?: number | undefined;
  /** Calls to report that show a difference; 32 unless given. */
  limit?: number | undefined;
}

export type ProveOptions = TargetChoice & ProofLimits & { file?: string | undefined };

export interface CompareOptions extends ProofLimits {
  /**
   * What is asked of the second side: `equal` (default) to give the same answer to every call,
   * `tightens` never to be less strict, `loosens` never to be stricter.
   */
  relation?: Relation | undefined;
}

/**
 * `fingerprint`: bytes that are equal exactly if the answers to every call are; the command prints
 * their SHA-256.
 */
export type FingerprintResult = { verdict: 'made'; fingerprint: Uint8Array; nodes: number } | Failure;

/**
 * Proves a filter against a profile, for every architecture, number, argument and instruction
 * pointer. `equal` is proved, never assumed; `different` comes with calls that show it.
 * `diagnostics` has the warnings about the profile.
 *
 * @throws SeccompcError if the profile or the options are not acceptable, the profile asks for no
 *   filter, or the input is no filter (NOT_A_FILTER)
 */
export async function proveProfile(
  filter: ProgramInput,
  profile: ProfileInput,
  options: ProveOptions,
): Promise<ProofResult & { diagnostics: Diagnostic[] }> {
  const { nodeBudget, limit, ...choice } = options;
  const { reference, diagnostics } = await lowered({ profile, ...choice });
  const program = readProgram(filter, archOf(reference.target.arch));
  const [fault] = checkProgram(program);
  if (fault !== undefined) return { verdict: 'malformed', reason: fault.message, diagnostics };
  // The fingerprint is a getter, which a copy would call.
  return Object.assign(prove(program, reference, limits({ nodeBudget, limit })), { diagnostics });
}

/**
 * Compares what two filters answer to every call. Each side is a profile with its target or a
 * filter with its architecture.
 *
 * @throws SeccompcError as {@link proveProfile}
 */
export async function compare(
  first: ProfileSide | FilterSide,
  second: ProfileSide | FilterSide,
  { relation = 'equal', ...given }: CompareOptions = {},
): Promise<ComparisonResult> {
  const [one, other] = [await readSide(first), await readSide(second)];
  for (const [side, { fault: reason }] of [
    ['first', one],
    ['second', other],
  ] as const)
    if (reason !== undefined) return { verdict: 'malformed', side, reason };
  return compareSides(one.side, other.side, {
    ...limits(given),
    relation,
    calls: [...one.calls, ...other.calls],
  });
}

/** A canonical form of the answers to every call. @throws SeccompcError as {@link proveProfile} */
export async function fingerprint(
  input: ProfileSide | FilterSide,
  { nodeBudget }: Pick<ProofLimits, 'nodeBudget'> = {},
): Promise<FingerprintResult> {
  const { side, fault } = await readSide(input);
  if (fault !== undefined) return { verdict: 'malformed', side: 'first', reason: fault };
  return fingerprintOf(side, limits({ nodeBudget }));
}

export interface ReadSide {
  side: Side;
  /** Of a filter, the architecture that was named, and those that it tests. */
  calls: NamedCalls[];
  /** Why the kernel would refuse the program. */
  fault?: string | undefined;
}

/** @throws SeccompcError as {@link proveProfile} */
export async function readSide(input: ProfileSide | FilterSide): Promise<ReadSide> {
  if ('profile' in input) {
    const { arches, reference } = await lowered(input);
    return { side: reference, calls: arches.map((abi) => ({ abi, table: reference.tables.of(abi.name) })) };
  }
  const name = parseArch(input.arch);
  if (name === undefined)
    return fail('TARGET_INVALID', { reason: `there is no architecture "${input.arch}"` });
  const abi = archOf(name);
  const program = readProgram(input.filter, abi);
  const abis = [...new Set([name, ...testedArches(program)])].map(archOf);
  const tables = await loadTables(abis.map(({ table }) => table));
  return {
    side: { program, endian: abi.endian },
    calls: abis.map((each) => ({ abi: each, table: tables.of(each.name) })),
    fault: checkProgram(program)[0]?.message,
  };
}

async function lowered({
  profile,
  file = '-',
  ...choice
}: ProfileSide): Promise<LoweredProfile & { confined: true }> {
  const found = await lowerProfile(profile, { target: targetOf(choice), file });
  if (found.confined) return found;
  const unconfined = {
    ...diagnostic(
      'NOT_CONFINED',
      {},
      { hint: 'a filter needs a defaultAction, in a container configuration below linux.seccomp' },
    ),
    file,
  };
  throw new SeccompcError([...found.diagnostics, unconfined]);
}

/** Encodes instructions too: the judgement is about the bytes that the kernel gets. */
function readProgram(input: ProgramInput, { endian }: Arch): SockFilter[] {
  try {
    return decode(input instanceof Uint8Array ? input : encode(input, endian), endian);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return fail('NOT_A_FILTER', { reason: cause.message }, { cause });
  }
}

function limits({ nodeBudget, limit }: ProofLimits): { nodeBudget?: number; limit?: number } {
  return { ...(nodeBudget === undefined ? {} : { nodeBudget }), ...(limit === undefined ? {} : { limit }) };
}
