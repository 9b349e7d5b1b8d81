/**
 * The profile's side of the proof: what a filter must answer, straight from the resolved profile.
 *
 * Written from docs/semantics.md sections 2 to 9 on its own: it shares the parsed profile, the
 * syscall tables and the facts about architectures with the compiler, and no code that decides
 * anything. A profile with faults is refused before it comes here; what is left of them makes the
 * answer "undecided".
 */
import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_LOG, SECCOMP_RET_TRACE } from '../../action.ts'; // prettier-ignore
import type { Arch } from '../../arch.ts';
import { archOf, parseArch, X32_SYSCALL_BIT } from '../../arch.ts';
import type { Seccomp } from '../../profile/types.ts';
import type { SyscallTables } from '../../syscalls/tables.ts';
import type { Target } from '../../target.ts';
import { Undecided } from '../bdd/bdd.ts';
import { newerOf, stubOf } from './reference-enosys.ts';
import { profileRules, returnValue, ruledAnswers, ruledStretches } from './reference-rules.ts';
import type { Answer, ProfileRule, Span } from './reference-rules.ts';

export type { Comparison, Rule, Span } from './reference-rules.ts';

/** What a program is proved against. */
export interface Reference {
  seccomp: Seccomp;
  target: Target;
  tables: SyscallTables;
}

/** The answers under one value of `seccomp_data.arch`: spans without gaps, ascending. */
export interface ReferenceArch {
  readonly auditArch: number;
  /** One, or X86_64 and X32. */
  readonly abis: readonly Arch[];
  readonly spans: readonly Span[];
}

/** Section 3: an architecture outside the filter. */
export const BAD_ARCH_ACTION = SECCOMP_RET_KILL_THREAD;

/** A number that a tracer sets to skip the call (section 3). */
const TRACER_SKIP = 0xffffffff;

/**
 * The answers of a profile, native architecture first.
 * @throws Undecided for a profile that the policy stage refuses.
 */
export function resolveReference({ seccomp, target, tables }: Reference): ReferenceArch[] {
  if (seccomp.defaultAction === undefined) throw new Undecided('the profile has no default action');
  const defaultAction = returnValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const rules = profileRules(seccomp, target, tables, defaultAction);
  const abis = filterArches(seccomp, target);
  const tokens = [...new Set(abis.map((abi) => abi.auditArch))];
  return tokens.map((auditArch) => {
    const sharing = abis.filter((abi) => abi.auditArch === auditArch);
    const spans = answersOf(sharing, rules, defaultAction, { seccomp, target, tables });
    return { auditArch, abis: sharing, spans };
  });
}

/** Section 2: the native architecture, then those of the list, each once. */
function filterArches(seccomp: Seccomp, target: Target): Arch[] {
  const listed =
    target.architectures ??
    seccomp.architectures.map(({ name }) => {
      const known = parseArch(name);
      if (known === undefined) throw new Undecided(`unknown architecture ${name}`);
      return known;
    });
  return [...new Set([target.arch, ...listed])].map((name) => archOf(name));
}

/** Sections 3, 6, 7 and 9 for the ABIs that share an audit arch. */
function answersOf(
  abis: readonly Arch[],
  profile: readonly ProfileRule[],
  defaultAction: number,
  { seccomp, target, tables }: Reference,
): Span[] {
  const ruled = abis.map((abi) => ({
    numbers: tables.of(abi.name).numbers,
    answers: ruledAnswers(abi, profile, defaultAction, tables),
  }));
  // Tables that share an audit arch do not overlap: all of x32's numbers have bit 30.
  ruled.sort((a, b) => a.numbers[0]! - b.numbers[0]!);

  const replaces = ![SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE].includes(
    (defaultAction & SECCOMP_RET_ACTION_FULL) >>> 0,
  );
  const stub = replaces && target.enosysStub ? stubOf(abis, seccomp, tables, target) : undefined;
  const newer =
    replaces && target.enosysAfter ? newerOf(abis, seccomp, tables, target.enosysAfter) : undefined;
  const isForeign = foreignNumbers(abis);
  const byDefault = { rules: [], otherwise: defaultAction };

  const answer = (nr: number, byRules: Answer | undefined): Answer => {
    const stubbed = stub?.answer(nr);
    if (stubbed !== undefined) return { rules: [], otherwise: stubbed };
    if (isForeign(nr)) return { rules: [], otherwise: SECCOMP_RET_KILL_THREAD };
    if (byRules !== undefined) return byRules;
    const missing = newer?.answer(nr);
    return missing === undefined ? byDefault : { rules: [], otherwise: missing };
  };

  // Where the answer can change although the rules say the same.
  const cuts = [X32_SYSCALL_BIT, 2 * X32_SYSCALL_BIT, 3 * X32_SYSCALL_BIT, TRACER_SKIP];
  cuts.push(...(stub?.starts ?? []), ...(newer?.starts ?? []), Infinity);
  cuts.sort((a, b) => a - b);
  let cut = 0;
  const spans: Span[] = [];
  for (const { from, to, byRules } of ruledStretches(ruled))
    for (let start = from; start <= to; start = spans.at(-1)!.to + 1) {
      while (cuts[cut]! <= start) cut++;
      const { rules, otherwise } = answer(start, byRules);
      spans.push({ from: start, to: Math.min(to, cuts[cut]! - 1), rules, otherwise });
    }
  return spans;
}

/**
 * Section 3: x86_64 and x32 share an audit arch; without the other ABI its numbers are a bad
 * architecture.
 */
function foreignNumbers(abis: readonly Arch[]): (nr: number) => boolean {
  const names = new Set(abis.map((abi) => abi.name));
  if (names.has('X86_64') && !names.has('X32')) return (nr) => nr >= X32_SYSCALL_BIT && nr !== TRACER_SKIP;
  if (names.has('X32') && !names.has('X86_64')) return (nr) => nr < X32_SYSCALL_BIT;
  return () => false;
}
