/** Decides assertions about a filter for every architecture, argument and way to make a call. */
import { compareStrictness, SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF } from '../action.ts'; // prettier-ignore
import { archOf, X32_SYSCALL_BIT } from '../arch.ts';
import type { Arch, ArchName } from '../arch.ts';
import { errnoNumber } from '../errno.ts';
import type { NamedCalls, Side } from '../prove/compare.ts';
import { PropertyProver } from '../prove/property.ts';
import type { CallSet, PropertyResult } from '../prove/property.ts';
import { loadCallFacts } from '../syscalls/constants.ts';
import { loadTables } from '../syscalls/load.ts';
import { ArgumentFacts } from './facts.ts';
import { refuseAssertion } from './parse.ts';
import type { Assertion, Claim, RelationName, Verb } from './parse.ts';
import { waysTo } from './ways.ts';
import type { Facts } from './ways.ts';

export type Judgement = (PropertyResult | { verdict: 'holds'; vacuous: true }) & { others?: number };

/** A filter, the calls of its architectures, and how a file that an assertion names is read. */
export interface Judged {
  prover: PropertyProver;
  calls: readonly NamedCalls[];
  facts: Facts;
  /** The filter of a file. @throws SeccompcError */
  other: (file: string) => Promise<PropertyProver>;
}

/** A profile or a filter, and the calls of its architectures. */
interface Subject {
  side: Side;
  calls: readonly NamedCalls[];
}

export interface JudgeOptions {
  /** Nodes that a decision diagram may have. */
  nodeBudget?: number | undefined;
  /** The filter of a file that an assertion names. @throws SeccompcError */
  other: (file: string, assertion: Assertion) => Promise<PropertyProver>;
}

/** Judges each assertion. @throws SeccompcError if one has no meaning */
export async function* judgeAll(
  subject: Subject,
  assertions: readonly Assertion[],
  { nodeBudget, other }: JudgeOptions,
): AsyncGenerator<{ assertion: Assertion; judgement: Judgement }> {
  await loadCallFacts();
  const prover = new PropertyProver(subject.side, subject.calls, nodeBudget);
  const calls = coveredCalls(prover, subject);
  const tables = await loadTables(calls.map(({ abi }) => abi.table));
  for (const assertion of assertions) {
    const facts = new ArgumentFacts(tables, (reason) => refuseAssertion(assertion, reason));
    const judged = { prover, calls, facts, other: (file: string) => other(file, assertion) };
    yield { assertion, judgement: await judge(assertion, judged) };
  }
}

/**
 * The calls that assertions are about. A filter that tests x86_64 sees those of x32 too; if it
 * kills all of them, it is no filter for x32.
 */
function coveredCalls(prover: PropertyProver, { side, calls }: Subject): readonly NamedCalls[] {
  if (!('endian' in side) || !calls.some(({ abi }) => abi.name === 'X86_64')) return calls;
  const killed = prover.decide([allCalls(archOf('X32'))], acceptsAny('kill'), SECCOMP_RET_KILL_THREAD);
  return killed.verdict === 'holds' ? calls.filter(({ abi }) => abi.name !== 'X32') : calls;
}

/**
 * Actions by verb; the first is an example. Data in the low half does not count, except of `errno`.
 */
const ACTIONS: Record<Exclude<Verb, 'errno'>, readonly number[]> = {
  allow: [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG],
  deny: [SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO],
  kill: [SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD],
  trap: [SECCOMP_RET_TRAP],
  notify: [SECCOMP_RET_USER_NOTIF],
  trace: [SECCOMP_RET_TRACE],
  log: [SECCOMP_RET_LOG],
};

const BREAKS: Record<RelationName, (answer: number, others: number) => boolean> = {
  'at-most': (answer, others) => compareStrictness(answer, others) > 0,
  'at-least': (answer, others) => compareStrictness(answer, others) < 0,
  'same-as': (answer, others) => answer !== others,
};

/**
 * @throws SeccompcError if the assertion names what does not exist, or a file that cannot be read
 */
export async function judge({ claim }: Assertion, judged: Judged): Promise<Judgement> {
  switch (claim.kind) {
    case 'relation':
      return judgeRelation(claim, judged);
    case 'no-effect-on':
      return judgeArches(claim.arches, judged);
    case 'answer':
      return judgeAnswers(claim, judged);
  }
}

async function judgeRelation(
  { relation, file, except }: Claim & { kind: 'relation' },
  { prover, calls, facts, other }: Judged,
): Promise<Judgement> {
  const others = await other(file);
  const sets = calls.flatMap(({ abi, table }) =>
    except.flatMap((call) => waysTo(call, { abi, table, facts, asPassed: false })),
  );
  const result = prover.relate(others, BREAKS[relation], sets);
  return result.verdict === 'fails' ? { ...result, others: others.answer(result.call.data) } : result;
}

/** No call under an architecture may be executed, whether the filter lists it or not. */
function judgeArches(arches: readonly ArchName[], { prover }: Judged): Judgement {
  return firstFailure(
    arches.map(
      (name) => () => prover.decide([allCalls(archOf(name))], acceptsAny('deny'), SECCOMP_RET_KILL_PROCESS),
    ),
  );
}

function allCalls({ name, auditArch }: Arch): CallSet {
  const [from, to] =
    name === 'X32'
      ? [X32_SYSCALL_BIT, 2 * X32_SYSCALL_BIT - 1]
      : [0, name === 'X86_64' ? X32_SYSCALL_BIT - 1 : 0xffffffff];
  return { auditArch, from, to, tests: [] };
}

function judgeAnswers(
  { verb, errno, calls: patterns, on }: Claim & { kind: 'answer' },
  { prover, calls, facts }: Judged,
): Judgement {
  // Whether a name or a constant exists is checked on all architectures, before anything is
  // decided.
  const questions = calls.flatMap(({ abi, table }) => {
    const sets = patterns.flatMap((call) => waysTo(call, { abi, table, facts, asPassed: verb === 'allow' }));
    if (sets.length === 0 || (on !== undefined && !on.includes(abi.name))) return [];
    if (verb !== 'errno') return [() => prover.decide(sets, acceptsAny(verb), ACTIONS[verb][0]!)];
    const wanted = errnoAnswer(errno!, abi, facts);
    return [() => prover.decide(sets, (answer) => answer === wanted, wanted)];
  });
  return questions.length === 0 ? { verdict: 'holds', vacuous: true } : firstFailure(questions);
}

function acceptsAny(verb: Exclude<Verb, 'errno'>): (answer: number) => boolean {
  const actions = ACTIONS[verb];
  return (answer) => actions.includes((answer & SECCOMP_RET_ACTION_FULL) >>> 0);
}

function errnoAnswer(text: string, { errnos }: Arch, facts: Facts): number {
  const number = /^\d+$/.test(text) ? Number(text) : errnoNumber(text, errnos);
  if (number === undefined || number > 0xffff) return facts.refuse(`there is no errno "${text}"`);
  return (SECCOMP_RET_ERRNO | number) >>> 0;
}

/** A failure counts more than what is undecided. */
function firstFailure(questions: readonly (() => PropertyResult)[]): PropertyResult {
  let undecided: PropertyResult | undefined;
  for (const question of questions) {
    const result = question();
    if (result.verdict === 'fails') return result;
    if (result.verdict === 'undecided') undecided ??= result;
  }
  return undecided ?? { verdict: 'holds' };
}
