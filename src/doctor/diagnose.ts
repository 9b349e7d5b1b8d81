/**
 * Whether a container starts: the decisions of its profile on the calls that were seen in real
 * starts.
 */
import {
  SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SECCOMP_RET_DATA, SECCOMP_RET_ERRNO, SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE, SECCOMP_RET_USER_NOTIF,
} from '../action.ts'; // prettier-ignore
import { archOf } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { LoweredProfile } from '../compile/lowered.ts';
import { errnoName } from '../errno.ts';
import { holds } from '../policy/condition.ts';
import type { Decision } from '../policy/types.ts';
import type { Target } from '../target.ts';
import { allFacts } from './facts.ts';
import type { Effect, Fact } from './facts.ts';

/** The architecture on which the starts were recorded. */
const RECORDED: ArchName = 'X86_64';

export interface Need {
  fact: Fact;
  /**
   * The answer of the filter, u32; undefined if it depends on arguments that are not the same in
   * every start, or a receiver.
   */
  answer: number | undefined;
  symptom: string;
}

export interface Diagnosis {
  verdict: 'starts' | 'fails' | 'unknown';
  /** Refused calls that end the start, in the order in which they are made. */
  missing: Need[];
  /** Calls of which it is not known. */
  unclear: Need[];
  /** What else the start depends on. */
  reasons: string[];
  /** The names that have to be allowed. */
  patch: string[];
}

/** @param wanted tells which facts are those of the container */
export function diagnose(
  lowered: LoweredProfile & { confined: true },
  { arch, semantics }: Target,
  wanted: (fact: Fact) => boolean,
): Diagnosis {
  const table = lowered.reference.tables.of(arch);
  const { ranges } = lowered.policy.arches.find(({ abis }) => abis.some(({ name }) => name === arch))!;
  const { seccomp } = lowered.reference;
  const answersTo = (nr: number, args: Fact['args']): number[] => {
    const answers = possibleAnswers(ranges.find(({ from, to }) => from <= nr && nr <= to)!.decision, args);
    // A receiver can let the call pass.
    const asked = answers.includes(SECCOMP_RET_USER_NOTIF) && seccomp.listenerPath !== undefined;
    return asked ? [...answers, SECCOMP_RET_ALLOW] : answers;
  };
  // Nothing stands in for a call that is allowed, or that ends the process.
  const isReplaced = (call: string): boolean => {
    const nr = table.numberOf(call);
    const ways = nr === undefined ? [] : answersTo(nr, NO_ARGS).map((answer) => wayOf(answer, arch));
    return nr === undefined || ways.some((way) => way !== 'allowed' && way !== 'KILL');
  };
  const missing: Need[] = [];
  const unclear: Need[] = [];
  for (const fact of inOrder(allFacts().filter(wanted))) {
    const nr = table.numberOf(fact.call);
    if (nr === undefined || !fact.insteadOf.every(isReplaced)) continue;
    const answers = answersTo(nr, fact.args);
    const effects = new Set(answers.map((each) => effectOf(fact, each, arch)));
    if (effects.size === 1 && effects.has('starts')) continue;
    const answer = answers.length === 1 ? answers[0] : undefined;
    const need = { fact, answer, symptom: symptomOf(fact, answer, arch) };
    (effects.size === 1 && effects.has('fails') ? missing : unclear).push(need);
  }
  const notifies = seccomp.syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY');
  const reasons = [
    // crun connects to a listener that is named, runc to one that is used.
    ...(seccomp.listenerPath !== undefined && (semantics === 'crun' || notifies)
      ? [`somebody has to listen at ${seccomp.listenerPath}`]
      : []),
    ...(arch === RECORDED ? [] : [`starts were recorded on ${RECORDED} only`]),
  ];
  const open = unclear.length + reasons.length > 0;
  const verdict = missing.length > 0 ? 'fails' : open ? 'unknown' : 'starts';
  const patch = new Set([...missing, ...unclear].map(({ fact }) => fact.insteadOf[0] ?? fact.call));
  return { verdict, missing, unclear, reasons, patch: [...patch] };
}

const STAGES = ['runtime', 'loader', 'libc', 'program'];

function inOrder(facts: readonly Fact[]): Fact[] {
  return facts.toSorted((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage));
}

/** More than one where it depends on arguments that are not known. */
function possibleAnswers({ rules, otherwise }: Decision, args: Fact['args']): number[] {
  const possible = new Set<number>();
  for (const { conditions, action } of rules) {
    const truths = conditions.map((condition) => {
      const value = args.get(condition.arg);
      return value === undefined ? undefined : holds(condition, value);
    });
    if (!truths.includes(false)) possible.add(action);
    if (truths.every((truth) => truth === true)) return [...possible];
  }
  return [...possible.add(otherwise)];
}

const NO_ARGS: Fact['args'] = new Map();

const isAllowed = (answer: number) => answer === SECCOMP_RET_ALLOW || answer === SECCOMP_RET_LOG;

function effectOf({ effects }: Fact, answer: number, arch: ArchName): Effect {
  const way = wayOf(answer, arch);
  if (way === 'allowed') return 'starts';
  if (way !== 'other') return effects[way];
  // An errno that was not tried: clear only where both others end the same way.
  return effects.EPERM === effects.ENOSYS ? effects.EPERM : 'sometimes';
}

function wayOf(answer: number, arch: ArchName): 'allowed' | 'other' | keyof Fact['effects'] {
  const action = (answer & SECCOMP_RET_ACTION_FULL) >>> 0;
  if (isAllowed(action)) return 'allowed';
  // Without a tracer or a receiver the call gets ENOSYS.
  if (action === SECCOMP_RET_TRACE || action === SECCOMP_RET_USER_NOTIF) return 'ENOSYS';
  if (action !== SECCOMP_RET_ERRNO) return 'KILL';
  const name = errnoName(answer & SECCOMP_RET_DATA, archOf(arch).errnos);
  return name === 'EPERM' || name === 'ENOSYS' ? name : 'other';
}

/** What was said after EPERM, in the words for this errno. */
function symptomOf({ symptom, killed }: Fact, answer: number | undefined, arch: ArchName): string {
  const way = answer === undefined ? 'other' : wayOf(answer, arch);
  if (way === 'KILL') return killed;
  if (way !== 'ENOSYS') return symptom;
  return symptom
    .replace('Operation not', 'Function not')
    .replace('operation not', 'function not')
    .replace('permitted', 'implemented');
}
