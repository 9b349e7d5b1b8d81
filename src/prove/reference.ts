/**
 * The profile's side of the proof: what a filter must answer, straight from the resolved profile.
 *
 * Written from docs/semantics.md sections 2 to 9 on its own: it shares the parsed profile, the syscall
 * tables and the facts about architectures with the compiler, and no code that decides anything. A profile
 * with faults is refused before it comes here; what is left of them makes the answer "undecided".
 */
import type { ActionName } from '../action.ts';
import { actionValue, carriesErrno, compareSeverity, SECCOMP_RET_ALLOW, SECCOMP_RET_LOG } from '../action.ts';
import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRACE } from '../action.ts';
import type { Arch } from '../arch.ts';
import { archOf, parseArch, X32_SYSCALL_BIT } from '../arch.ts';
import type { OperatorName, Seccomp, SyscallArg } from '../profile/types.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Target } from '../target.ts';
import { Undecided } from './diagram.ts';
import { newerOf, stubOf } from './reference-enosys.ts';
import { multiplexedCalls } from './reference-multiplex.ts';

/** What a program is proved against. */
export interface Reference {
  seccomp: Seccomp;
  target: Target;
  tables: SyscallTables;
}

/** One comparison of an argument (0..5); constants are cut to the width that is compared. */
export interface Comparison {
  readonly arg: number;
  readonly op: OperatorName;
  readonly value: bigint;
  readonly valueTwo: bigint;
  readonly bits: 32 | 64;
}

export interface Rule {
  /** All must hold; empty for a rule that always applies. */
  readonly comparisons: readonly Comparison[];
  /** u32 return value. */
  readonly action: number;
}

/** Numbers `from`..`to` (u32, both included) that get the same answer: the first rule that holds, else `otherwise`. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly rules: readonly Rule[];
  readonly otherwise: number;
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
const LAST_NUMBER = 0xffffffff;
const CRUN_MOST_ARGS = 6;
const ARGUMENTS = 6;

/** A rule of the profile before it is put under numbers: names, and one list of comparisons. */
interface ProfileRule {
  readonly names: readonly string[];
  readonly args: readonly SyscallArg[];
  readonly action: number;
}

/**
 * The answers of a profile, native architecture first.
 * @throws Undecided for a profile that the policy stage refuses.
 */
export function resolveReference({ seccomp, target, tables }: Reference): ReferenceArch[] {
  if (seccomp.defaultAction === undefined) throw new Undecided('the profile has no default action');
  const defaultAction = returnValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const rules = profileRules(seccomp, target, defaultAction);
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

/** Section 4.2. */
function returnValue(action: ActionName, errno: number | undefined): number {
  return carriesErrno(action) ? actionValue(action, errno ?? 1) : actionValue(action);
}

/** Section 5: entries that differ from the default, each as one rule or, when an index repeats, as several. */
function profileRules(seccomp: Seccomp, target: Target, defaultAction: number): ProfileRule[] {
  const rules: ProfileRule[] = [];
  for (const entry of seccomp.syscalls) {
    const action = returnValue(entry.action, entry.errnoRet);
    if (action === defaultAction || entry.names === undefined) continue;
    const args = target.semantics === 'runc' ? entry.args : entry.args.slice(0, CRUN_MOST_ARGS);
    if (args.some(({ index }) => !(index >= 0 && index < ARGUMENTS)))
      throw new Undecided('a rule has an argument index above 5');
    const repeats = new Set(args.map(({ index }) => index)).size < args.length;
    for (const together of repeats ? args.map((arg) => [arg]) : [args])
      rules.push({ names: entry.names, args: together, action });
  }
  return rules;
}

/** Sections 3, 6, 7 and 9 for the ABIs that share an audit arch. */
function answersOf(
  abis: readonly Arch[],
  profile: readonly ProfileRule[],
  defaultAction: number,
  { seccomp, target, tables }: Reference,
): Span[] {
  const byNumber = new Map<number, Rule[]>();
  for (const abi of abis) addRules(byNumber, abi, profile, tables);
  const decided = new Map<number, Omit<Span, 'from' | 'to'>>();
  for (const [nr, rules] of byNumber) decided.set(nr, combine(rules, defaultAction));

  const replaces = ![SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE].includes(
    (defaultAction & SECCOMP_RET_ACTION_FULL) >>> 0,
  );
  const stub = replaces && target.enosysStub ? stubOf(abis, seccomp, tables) : undefined;
  const newer =
    replaces && target.enosysAfter ? newerOf(abis, seccomp, tables, target.enosysAfter) : undefined;
  const isForeign = foreignNumbers(abis);

  const answer = (nr: number): Omit<Span, 'from' | 'to'> => {
    const stubbed = stub?.answer(nr);
    if (stubbed !== undefined) return { rules: [], otherwise: stubbed };
    if (isForeign(nr)) return { rules: [], otherwise: SECCOMP_RET_KILL_THREAD };
    const ruled = decided.get(nr);
    if (ruled) return ruled;
    return { rules: [], otherwise: newer?.answer(nr) ?? defaultAction };
  };

  // The answer can change only where a number has rules or a range of the sections above begins.
  const starts = new Set([0, X32_SYSCALL_BIT, 2 * X32_SYSCALL_BIT, 3 * X32_SYSCALL_BIT, TRACER_SKIP]);
  for (const nr of byNumber.keys()) starts.add(nr).add(nr + 1);
  for (const nr of [...(stub?.starts ?? []), ...(newer?.starts ?? [])]) starts.add(nr);
  const sorted = [...starts].filter((nr) => nr <= LAST_NUMBER).toSorted((a, b) => a - b);
  const spans: Span[] = [];
  sorted.forEach((from, index) => {
    spans.push({ from, to: (sorted[index + 1] ?? LAST_NUMBER + 1) - 1, ...answer(from) });
  });
  return spans;
}

/** Section 3: x86_64 and x32 share an audit arch; without the other ABI its numbers are a bad architecture. */
function foreignNumbers(abis: readonly Arch[]): (nr: number) => boolean {
  const names = new Set(abis.map((abi) => abi.name));
  if (names.has('X86_64') && !names.has('X32')) return (nr) => nr >= X32_SYSCALL_BIT && nr !== TRACER_SKIP;
  if (names.has('X32') && !names.has('X86_64')) return (nr) => nr < X32_SYSCALL_BIT;
  return () => false;
}

/** Section 6: the rules of every name under its number, and under socketcall's and ipc's. */
function addRules(
  byNumber: Map<number, Rule[]>,
  abi: Arch,
  profile: readonly ProfileRule[],
  tables: SyscallTables,
): void {
  const table = tables.of(abi.name);
  const add = (nr: number, rule: Rule) => {
    const rules = byNumber.get(nr);
    if (rules) rules.push(rule);
    else byNumber.set(nr, [rule]);
  };
  for (const { names, args, action } of profile) {
    const rule: Rule = { comparisons: args.flatMap((arg) => comparisonOf(arg, abi)), action };
    for (const name of names) {
      const nr = table.numberOf(name);
      if (nr !== undefined) add(nr, rule);
      for (const { nr: multiplexer, call } of multiplexedCalls(abi, name)) {
        const selector = { index: 0, op: 'SCMP_CMP_EQ', value: BigInt(call), valueTwo: 0n } as const;
        const others = rule.comparisons.filter(({ arg }) => arg !== 0);
        add(multiplexer, { comparisons: [...comparisonOf(selector, abi), ...others], action });
      }
    }
  }
}

/** Section 8: constants are cut to the width of the ABI; a mask without bits is no comparison. */
function comparisonOf({ index, op, value, valueTwo }: SyscallArg, abi: Arch): Comparison[] {
  const bits = abi.wordBits;
  const cut = {
    arg: index,
    op,
    value: BigInt.asUintN(bits, value),
    valueTwo: BigInt.asUintN(bits, valueTwo),
    bits,
  };
  return op === 'SCMP_CMP_MASKED_EQ' && cut.value === 0n ? [] : [cut];
}

/** Section 7: the first rule without comparisons alone, else the strictest of those that hold. */
function combine(rules: readonly Rule[], defaultAction: number): Omit<Span, 'from' | 'to'> {
  const always = rules.find(({ comparisons }) => comparisons.length === 0);
  if (always) return { rules: [], otherwise: always.action };
  const strictestFirst = rules.toSorted((a, b) => compareSeverity(a.action, b.action));
  return { rules: strictestFirst, otherwise: defaultAction };
}
