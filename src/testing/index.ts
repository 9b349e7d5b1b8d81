/**
 * Matchers for vitest and jest. Each proves a statement about a profile or a filter for every call
 * that it covers.
 */
import type { ProfileInput } from '../compile/findings.ts';
import type { TargetChoice } from '../compile/settings.ts';
import { compare } from '../equivalence.ts';
import type { FilterSide, ProfileSide } from '../equivalence.ts';
import type { ComparisonResult, Relation } from '../prove/compare.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import { checkAssertions } from '../questions.ts';

/**
 * A profile as text, bytes or parsed JSON; or a side as `compare` takes it, with a target of its
 * own.
 */
export type Subject = ProfileInput | ProfileSide | FilterSide | object;

/**
 * An argument of a call; `_`, or one that is missing, is any value. Texts can name constants:
 * `AF_VSOCK`.
 */
export type CallArgument = string | number | bigint;

/** What `expect.extend` takes. */
export interface MatcherResult {
  pass: boolean;
  message: () => string;
}

/** The matchers as a test calls them, for the declarations of vitest and jest. */
export interface SeccompMatchers<R = Promise<void>> {
  /** Every such call is executed. */
  toAllow(call: string, args?: readonly CallArgument[]): R;
  /** No such call is executed. */
  toDeny(call: string, args?: readonly CallArgument[]): R;
  /** Every line of the text holds: docs/assertions.md. */
  toHold(assertions: string): R;
  /** No call gets a less strict answer than from the other. */
  toTighten(other: Subject): R;
  /** Every call gets the same answer as from the other. */
  toMeanTheSameAs(other: Subject): R;
}

/** The matchers as `expect.extend` takes them. */
export type MatcherFunctions = {
  [Name in keyof SeccompMatchers]: (
    received: Subject,
    ...given: Parameters<SeccompMatchers[Name]>
  ) => Promise<MatcherResult>;
};

/**
 * @param target What profiles are compiled for, as `compile` takes it
 *
 * A matcher rejects with SeccompcError for what is no profile, and with Error where a statement
 * cannot be decided, also after `.not`.
 */
export function seccompMatchers(target: TargetChoice): MatcherFunctions {
  const hold = async (received: Subject, text: string): Promise<MatcherResult> => {
    const failures: string[] = [];
    for (const result of await checkAssertions(sideOf(received, target), text)) {
      if (result.verdict === 'undecided') throw new Error(`cannot decide "${result.text}": ${result.reason}`);
      if (result.verdict === 'holds') continue;
      const { data, abi, answer } = result.call;
      failures.push(`"${result.text}": ${await describeCall(data, abi)} gets ${describeAnswer(answer, abi)}`);
    }
    return verdictOf(failures, `"${text.trim()}" holds for every call`);
  };
  const relate = async (
    received: Subject,
    other: Subject,
    relation: Relation,
    holding: string,
  ): Promise<MatcherResult> => {
    const result = await compare(sideOf(other, target), sideOf(received, target), { relation });
    if (result.verdict === 'holds') return verdictOf([], holding);
    if (result.verdict !== 'broken') throw new Error(`cannot decide this: ${result.reason}`);
    return verdictOf(await differencesOf(result), holding);
  };
  return {
    toAllow: (received, call, args) => hold(received, `allow ${callText(call, args)}`),
    toDeny: (received, call, args) => hold(received, `deny ${callText(call, args)}`),
    toHold: hold,
    toTighten: (received, other) => relate(received, other, 'tightens', 'no call gets a less strict answer'),
    toMeanTheSameAs: (received, other) => relate(received, other, 'equal', 'every call gets the same answer'),
  };
}

function sideOf(subject: Subject, target: TargetChoice): ProfileSide | FilterSide {
  if (typeof subject === 'string' || subject instanceof Uint8Array) return { ...target, profile: subject };
  if ('filter' in subject) return subject;
  if ('profile' in subject) return subject;
  // What parseProfile returns knows its places, parsed JSON does not.
  const profile = 'locate' in subject ? (subject as ProfileInput) : JSON.stringify(subject);
  return { ...target, profile };
}

function callText(call: string, args: readonly CallArgument[] | undefined): string {
  return args === undefined ? call : `${call}(${args.map(String).join(', ')})`;
}

async function differencesOf({ differences }: ComparisonResult & { verdict: 'broken' }): Promise<string[]> {
  return Promise.all(
    differences.map(async ({ data, abi, first, second }) => {
      const call = await describeCall(data, abi);
      return `${call} gets ${describeAnswer(second, abi)}, from the other ${describeAnswer(first, abi)}`;
    }),
  );
}

function verdictOf(failures: readonly string[], holding: string): MatcherResult {
  const pass = failures.length === 0;
  return { pass, message: () => (pass ? holding : failures.join('\n')) };
}
