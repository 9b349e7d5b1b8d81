/**
 * Answers about profiles and filters for callers of the library: which entry decides, and whether
 * statements hold.
 */
import { archOf, parseArch } from './arch.ts';
import type { Arch } from './arch.ts';
import { judgeAll } from './assert/judge.ts';
import { parseAssertions, refuseAssertion } from './assert/parse.ts';
import type { Assertion } from './assert/parse.ts';
import { lowerProfile } from './compile.ts';
import { readInput } from './compile/findings.ts';
import type { ProfileInput } from './compile/findings.ts';
import { targetOf } from './compile/settings.ts';
import type { TargetChoice } from './compile/settings.ts';
import { readSide } from './equivalence.ts';
import type { FilterSide, ProfileSide } from './equivalence.ts';
import { fail } from './errors.ts';
import { explainCall } from './explain/explain.ts';
import type { Explanation } from './explain/explain.ts';
import { describePart } from './explain/text.ts';
import { ArgumentError, parseArgument } from './format/call.ts';
import type { Position } from './profile/types.ts';
import { PropertyProver } from './prove/property.ts';
import type { PropertyResult } from './prove/property.ts';
import { loadCallFacts } from './syscalls/constants.ts';
import { loadTables } from './syscalls/load.ts';

/** A call as it is asked about. */
export interface AskedCall {
  /** Name or number. */
  call: string | number;
  /** At most six; texts can name constants, `AF_VSOCK`. Those that are missing are 0. */
  args?: readonly (bigint | number | string)[] | undefined;
  /** The call's architecture, if it is not that of the target. */
  arch?: string | undefined;
}

/** An entry that names a call, its place, and what it has to do with the answer, as a sentence. */
export type ExplainedEntry = Explanation['considered'][number] & {
  why: string;
  position: Position | undefined;
};

export type ExplainedCall = Omit<Explanation, 'considered'> & { considered: ExplainedEntry[] };

/**
 * Says which entry of a profile gives the answer to a call, and why each other entry that names it
 * does not.
 *
 * @throws SeccompcError if the profile, the options or the call are not acceptable, or the profile
 *   asks for no filter
 */
export async function explain(
  input: ProfileInput,
  { call, args = [], arch }: AskedCall,
  { file = '-', ...choice }: TargetChoice & { file?: string | undefined },
): Promise<ExplainedCall> {
  const target = targetOf(choice);
  const { profile } = readInput(input, { file, semantics: target.semantics });
  const lowered = await lowerProfile(profile, { target, file });
  if (!lowered.confined) return fail('NOT_CONFINED', {}, { file });
  const name = arch === undefined ? target.arch : parseArch(arch);
  if (name === undefined) return fail('TARGET_INVALID', { reason: `there is no architecture "${arch}"` });
  const abi = archOf(name);
  const table = (await loadTables([abi.table])).of(name);
  const nr = typeof call === 'number' ? call : table.numberOf(call);
  if (nr === undefined) return fail('CALL_UNKNOWN', { call, arch: name });
  await loadCallFacts();
  const named = table.nameOf(nr);
  const values = Array.from({ length: 6 }, (_, index) => {
    const arg = args[index] ?? 0n;
    return typeof arg === 'string'
      ? argumentOf(abi, named ?? '', index, arg)
      : BigInt.asUintN(64, BigInt(arg));
  });
  const data = { arch: abi.auditArch, nr, args: values, ip: 0n };
  const { considered, ...rest } = explainCall(profile, lowered, data);
  const placeOf = (pointer: string) => {
    const { line, column } = profile.locate(pointer) ?? {};
    return [file, line, column].filter((part) => part !== undefined).join(':');
  };
  return {
    ...rest,
    considered: considered.map((entry) => ({
      ...entry,
      why: describePart(entry, { data, name: named, arch: name }, placeOf),
      position: profile.locate(entry.pointer),
    })),
  };
}

/** @throws SeccompcError USAGE */
function argumentOf(abi: Arch, call: string, index: number, text: string): bigint {
  try {
    return parseArgument(abi, call, index, text);
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    return fail(
      'USAGE',
      { reason: cause.message },
      { cause, ...(cause.hint !== undefined && { hint: cause.hint }) },
    );
  }
}

export interface AssertionOptions {
  /** Name of the text in messages. */
  file?: string | undefined;
  /** Nodes that a decision diagram may have. */
  nodeBudget?: number | undefined;
  /**
   * The other profile or filter that an assertion such as `at-most base.json` names; none unless
   * given.
   */
  resolve?: ((name: string) => Promise<ProfileSide | FilterSide>) | undefined;
}

/**
 * One assertion and what was found: it holds for every call, fails for the call that is given, or
 * is undecided.
 */
export type AssertionResult = { text: string; line: number } & PropertyResult;

/**
 * Decides assertions about a profile or a filter, one on each line (docs/assertions.md).
 *
 * @throws SeccompcError if one cannot be judged (ASSERTION_INVALID), or as `compare` does
 */
export async function checkAssertions(
  subject: ProfileSide | FilterSide,
  text: string,
  { file, nodeBudget, resolve }: AssertionOptions = {},
): Promise<AssertionResult[]> {
  const assertions = parseAssertions(text, file);
  const sideOf = async (given: ProfileSide | FilterSide) => {
    const read = await readSide(given);
    return read.fault === undefined ? read : fail('NOT_A_FILTER', { reason: read.fault });
  };
  const other = async (name: string, assertion: Assertion) => {
    if (resolve === undefined) return refuseAssertion(assertion, 'no other file can be read here');
    const { side, calls } = await sideOf(await resolve(name));
    return new PropertyProver(side, calls, nodeBudget);
  };
  const results: AssertionResult[] = [];
  for await (const { assertion, judgement } of judgeAll(await sideOf(subject), assertions, {
    nodeBudget,
    other,
  }))
    results.push({ text: assertion.text, line: assertion.line, ...judgement });
  return results;
}
