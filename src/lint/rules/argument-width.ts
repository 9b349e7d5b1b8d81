import { compareSeverity, compareStrictness, SECCOMP_RET_LOG } from '../../action.ts';
import type { Arch } from '../../arch.ts';
import { diagnostic } from '../../errors.ts';
import { ArgumentSpace } from '../../explain/argument-space.ts';
import { answersOf, answerTo, samples } from '../../explain/effects.ts';
import type { Place } from '../../explain/effects.ts';
import { fullMask, holds } from '../../policy/condition.ts';
import type { Rule as PolicyRule } from '../../policy/rules.ts';
import type { Condition, Decision } from '../../policy/types.ts';
import type { SyscallEntry } from '../../profile/types.ts';
import { Effort, FALSE, TRUE, Undecided } from '../../prove/bdd/bdd.ts';
import { describeAnswer } from '../../prove/describe.ts';
import type { Argument } from '../../syscalls/signatures.ts';
import { signatureOf } from '../../syscalls/signatures.ts';
import type { Finding, Fix, Rule, Subject } from '../rule.ts';

const MOST_STEPS = 1 << 22;
const FULL = 0xffff_ffff_ffff_ffffn;

export const argumentWidth: Rule = {
  code: 'ARGUMENT_WIDTH',
  reason:
    'A filter sees 64 bits of each argument, the kernel keeps 32 or fewer of many: what is refused by a comparison of all 64 gets through with other high bits.',
  evidence: 'CVE-2019-7303, CVE-2019-10063: refusals of ioctl(_, TIOCSTI) that 0x100005412 slipped past.',
  *find(subject) {
    const effort = new Effort(MOST_STEPS);
    const reported = new Set<string>();
    for (const place of subject.survey.places)
      try {
        for (const finding of judge(place, subject, effort)) {
          const key = `${finding.diagnostic.pointer} ${finding.diagnostic.severity}`;
          if (!reported.has(key)) yield finding;
          reported.add(key);
        }
      } catch (error) {
        if (!(error instanceof Undecided)) throw error;
        return;
      }
  },
};

/** An argument of which the kernel looks at the low bits only. */
interface Narrow {
  index: number;
  argument: Argument;
  /** Those bits. */
  kept: bigint;
  /** The bits that a filter compares and the kernel does not look at. */
  ignored: bigint;
  sign: bigint;
}

function* judge(place: Place, subject: Subject, effort: Effort): Generator<Finding> {
  const { abi, nr, rules, stubbed } = place;
  if (stubbed || rules.length === 0) return;
  if (rules.some(({ conditions }) => conditions.length === 0)) return;
  const name = subject.lowered.reference.tables.of(abi.name).nameOf(nr)!;
  const decision = answersOf(rules, subject.survey.usual);
  for (const [index, argument] of (signatureOf(abi, name)?.args ?? []).entries()) {
    if (argument.pointer || argument.bits === 0 || argument.bits >= abi.wordBits) continue;
    const kept = (1n << BigInt(argument.bits)) - 1n;
    const ignored = fullMask(abi.wordBits) ^ kept;
    const narrow = { index, argument, kept, ignored, sign: (kept + 1n) / 2n };
    const looksHigh = rules.some(({ conditions }) =>
      conditions.some(({ arg, mask }) => arg === index && (mask & ignored) !== 0n),
    );
    if (!looksHigh) continue;
    for (const { entry, refuses, loose, plain } of waysPast(decision, rules, narrow, effort)) {
      const at = entry.args.findIndex((arg) => arg.index === index);
      const call = (args: readonly bigint[]) => ({ arch: abi.auditArch, nr, ip: 0n, args });
      const answer = answerTo(decision, loose);
      const [shown, same] = [call(loose), call(plain)].map(subject.describe);
      const values = {
        bits: argument.bits,
        arg: index,
        name,
        effect:
          `${shown} gets ${describeAnswer(answer, abi.name)}, and to the kernel it is ${same}, ` +
          `which gets ${describeAnswer(answerTo(decision, plain), abi.name)}`,
      };
      const fix = refuses ? maskedFix(entry, at, subject) : undefined;
      const hint = hintFor(entry, at, narrow, refuses);
      yield {
        diagnostic: diagnostic('ARGUMENT_WIDTH', values, { pointer: `${entry.pointer}/args/${at}`, hint }),
        call: { data: call(loose), answer },
        ...(fix && { fix }),
      };
    }
    yield* aboutNegatives(decision, rules, narrow, { abi, nr, name, subject });
  }
}

/**
 * Calls that get a laxer answer than one that is the same to the kernel, only by bits that it
 * ignores; one for each entry that is to blame. Values that programs pass for a number, zero- or
 * sign-extended, do not count as such a way.
 */
function* waysPast(
  decision: Decision,
  rules: readonly PolicyRule[],
  { index, argument, ignored, sign }: Narrow,
  effort: Effort,
): Generator<{ entry: SyscallEntry; refuses: boolean; loose: readonly bigint[]; plain: bigint[] }> {
  const space = new ArgumentSpace(effort);
  const { bdd } = space;
  const are = (mask: bigint, value: bigint) =>
    space.all([{ arg: index, comparator: 'masked_eq', mask, value, bits: 64 }]);
  const asPositive = (node: number) => space.restrict(node, index, ignored, 0n);
  // Never for an unsigned argument.
  const negative = argument.signed ? are(sign, sign) : FALSE;
  const asNegative = (node: number) => bdd.and(negative, space.restrict(node, index, ignored, FULL));
  const odd = bdd.and(bdd.not(are(ignored, 0n)), argument.signed ? bdd.not(are(ignored, ignored)) : TRUE);

  const answers = [...new Set([...decision.rules.map(({ action }) => action), decision.otherwise])];
  const done = new Set<SyscallEntry>();
  for (const limit of answers.toSorted(compareStrictness).slice(1)) {
    const isLax = (answer: number) => compareStrictness(answer, limit) >= 0;
    const lax = space.where(decision, isLax);
    const stricter = bdd.or(bdd.not(asPositive(lax)), bdd.and(negative, bdd.not(asNegative(lax))));
    const bad = bdd.and(bdd.and(lax, odd), stricter);
    if (bad === FALSE) continue;
    for (const { entry, action } of rules) {
      if (done.has(entry) || !entry.args.some((arg) => arg.index === index)) continue;
      const own = rules.filter((rule) => rule.entry === entry);
      const meant = own.reduce((node, { conditions }) => bdd.or(node, space.all(conditions)), FALSE);
      const [positive, ofNegative] = [asPositive(meant), asNegative(meant)];
      // Rules that allow more of the odd values, or refuse fewer of them, than of those that
      // programs pass.
      const blamed = isLax(action)
        ? bdd.and(meant, bdd.or(bdd.not(positive), bdd.and(negative, bdd.not(ofNegative))))
        : bdd.and(bdd.or(positive, ofNegative), bdd.not(meant));
      const loose = space.example(bdd.and(bad, blamed));
      if (loose === undefined) continue;
      done.add(entry);
      const answer = answerTo(decision, loose);
      const as = (high: bigint) => loose.with(index, (loose[index]! & ~ignored & FULL) | high);
      const plain = [as(0n), as(ignored)].find(
        (args) => compareStrictness(answerTo(decision, args), answer) < 0,
      );
      if (plain !== undefined) yield { entry, refuses: !isLax(action), loose, plain };
    }
  }
}

/** Conditions that mean something else for negative numbers than for the others. */
function* aboutNegatives(
  decision: Decision,
  rules: readonly PolicyRule[],
  narrow: Narrow,
  { abi, nr, name, subject }: { abi: Arch; nr: number; name: string; subject: Subject },
): Generator<Finding> {
  const { index, argument } = narrow;
  if (!argument.signed) return;
  for (const { entry, conditions, action } of rules) {
    const own = conditions.find(({ arg }) => arg === index);
    const [args] = samples(conditions);
    if (own === undefined || args === undefined) continue;
    const found =
      missed(decision, own, args, action, narrow) ?? caught(decision, conditions, own, args, action);
    if (found === undefined) continue;
    const data = { arch: abi.auditArch, nr, ip: 0n, args: found.args };
    const answer = answerTo(decision, found.args);
    const effect = `${found.what}, ${subject.describe(data)}, gets ${describeAnswer(answer, abi.name)}`;
    const at = entry.args.findIndex((arg) => arg.index === index);
    yield {
      diagnostic: diagnostic(
        'ARGUMENT_WIDTH',
        { bits: argument.bits, arg: index, name, effect },
        {
          pointer: `${entry.pointer}/args/${at}`,
          severity: 'note',
          hint:
            own.comparator === 'eq'
              ? maskedHint(own.value & narrow.kept, narrow.kept)
              : 'comparisons are unsigned: test the sign with SCMP_CMP_MASKED_EQ and the mask 2147483648',
        },
      ),
      call: { data, answer },
    };
  }
}

/** A value that is allowed, and refused as the same negative number in its other form. */
function missed(
  decision: Decision,
  { comparator, value }: Condition,
  args: readonly bigint[],
  action: number,
  { index, ignored, sign }: Narrow,
): { what: string; args: bigint[] } | undefined {
  if (comparator !== 'eq' || compareSeverity(action, SECCOMP_RET_LOG) < 0 || (value & sign) === 0n)
    return undefined;
  const high = value & ignored;
  if (high !== 0n && high !== ignored) return undefined;
  const other = args.with(index, value ^ ignored);
  const isStricter = compareStrictness(answerTo(decision, other), answerTo(decision, args)) < 0;
  return isStricter ? { what: 'the same negative number in its other form', args: other } : undefined;
}

/** A negative number that is refused for being above a bound, because comparisons are unsigned. */
function caught(
  decision: Decision,
  conditions: readonly Condition[],
  { arg, comparator, value }: Condition,
  args: readonly bigint[],
  action: number,
): { what: string; args: bigint[] } | undefined {
  const isBound = comparator === 'gt' || comparator === 'ge';
  if (!isBound || value > 0x7fff_ffffn || compareSeverity(action, SECCOMP_RET_LOG) >= 0) return undefined;
  const other = args.with(arg, FULL);
  const applies = conditions.every((condition) => holds(condition, other[condition.arg]!));
  return applies && answerTo(decision, other) === action
    ? { what: 'a negative number is a large one, so -1', args: other }
    : undefined;
}

function hintFor({ args }: SyscallEntry, at: number, { kept }: Narrow, refuses: boolean): string {
  const { op, value } = args[at]!;
  if (op === 'SCMP_CMP_EQ' && refuses) return maskedHint(value & kept, kept);
  const which = refuses ? 'refused' : 'allowed';
  return `only SCMP_CMP_MASKED_EQ leaves bits out: name the ${which} values one by one under the mask ${kept}`;
}

function maskedHint(value: bigint, kept: bigint): string {
  return `compare under a mask: "op": "SCMP_CMP_MASKED_EQ", "value": ${kept}, "valueTwo": ${value}`;
}

/**
 * Only for an equality on an argument that is narrow in each of the entry's calls; others would be
 * refused too much.
 */
function maskedFix({ pointer, args, names }: SyscallEntry, at: number, subject: Subject): Fix | undefined {
  const { index, op, value } = args[at]!;
  if (op !== 'SCMP_CMP_EQ') return undefined;
  let widest = 0;
  for (const arch of subject.lowered.arches)
    for (const name of names!) {
      if (subject.lowered.reference.tables.of(arch.name).numberOf(name) === undefined) continue;
      const argument = signatureOf(arch, name)?.args[index];
      widest = Math.max(widest, argument === undefined || argument.pointer ? 64 : argument.bits);
    }
  if (widest === 0 || widest === 64) return undefined;
  const mask = (1n << BigInt(widest)) - 1n;
  const arg = `${pointer}/args/${at}`;
  return {
    changes: [
      { pointer: `${arg}/op`, value: 'SCMP_CMP_MASKED_EQ' },
      { pointer: `${arg}/value`, value: Number(mask) },
      { pointer: `${arg}/valueTwo`, value: Number(value & mask) },
    ],
    relation: 'tightens',
  };
}
