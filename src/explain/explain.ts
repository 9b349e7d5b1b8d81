/**
 * Which entry of a profile decides a call, and why each other entry that names the call does not.
 */
import type { Arch } from '../arch.ts';
import { abiOfCall } from '../arch.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import type { LoweredProfile } from '../compile/lowered.ts';
import { holds } from '../policy/condition.ts';
import { behindSelector, conditionsOn } from '../policy/decide.ts';
import { multiplexed } from '../policy/multiplex.ts';
import { effectiveEntries, returnValue } from '../policy/rules.ts';
import type { Condition, Decision, Policy } from '../policy/types.ts';
import { whyDropped } from '../profile/docker.ts';
import type { Profile } from '../profile/types.ts';

/** What an entry that names the call has to do with the answer. */
export type Part =
  | 'decides'
  /** It gives the same answer, but an earlier entry does already. */
  | 'repeats'
  /** It equals the default action, so it makes no rule. */
  | 'default'
  /** The engine leaves it out: a capability, an architecture or a kernel release. */
  | 'left-out'
  /** Another entry decides the call whatever its arguments. */
  | 'shadowed'
  /** One of its conditions does not hold. */
  | 'condition'
  /** It would apply, but a stricter or narrower rule answers. */
  | 'yields'
  /** What stands above all rules answers: ENOSYS for calls that the profile does not know. */
  | 'overruled';

export interface Considered {
  /** RFC 6901 pointer of the entry in the user's file. */
  pointer: string;
  part: Part;
  /** The entry that decides instead. */
  other?: string;
  /** Of `left-out`, the reason; of `default`, the action. */
  reason?: string;
  /** Of `condition`, the first that does not hold in each rule that the entry makes. */
  failing?: Condition[];
  /** The multiplexed call by which the entry is about this one. */
  by?: 'socketcall' | 'ipc';
}

/** Where an answer comes from. */
export type Source =
  | 'entry'
  /** No rule applies. */
  | 'default-action'
  /** An audit arch, or an ABI, that the filter does not have. */
  | 'architecture'
  /** `--enosys-stub` or `--enosys-after`. */
  | 'enosys';

export interface Explanation {
  /** u32 return value. */
  answer: number;
  source: Source;
  /** The entry that decides; undefined unless `source` is `entry`. */
  entry: string | undefined;
  /** Every entry of the file that names the call, in its order. */
  considered: Considered[];
}

type Lowered = LoweredProfile & { confined: true };

/**
 * What one entry means for the number of a call: rules, of which one list is empty if it always
 * applies.
 */
interface Rules {
  pointer: string;
  action: number;
  alternatives: Condition[][];
  by?: 'socketcall' | 'ipc';
}

/**
 * Explains the answer to one call.
 *
 * @param profile what `lowered` was made from
 * @throws Error if the rules do not give the policy's answer, which would be a bug
 */
export function explainCall(profile: Profile, lowered: Lowered, data: SeccompData): Explanation {
  const { policy, arches } = lowered;
  const decision = decisionOn(policy, data);
  const name = abiOfCall(data.arch, data.nr);
  const abi = arches.find((arch) => arch.name === name);
  if (abi === undefined || decision === undefined)
    return {
      answer: answerOf(policy, decision, data),
      source: 'architecture',
      entry: undefined,
      considered: [],
    };
  const answer = answerOf(policy, decision, data);
  const rules = rulesOn(lowered, abi, data.nr);
  const always = rules.find(({ alternatives }) => alternatives.some((conditions) => conditions.length === 0));
  const applying =
    always === undefined
      ? rules.filter(({ alternatives }) => failing(alternatives, data) === undefined)
      : [always];
  const decider = applying.find(({ action }) => action === answer);
  const source = sourceOf(answer, decider !== undefined, applying.length === 0, lowered);

  const partOf = (rule: Rules): Omit<Considered, 'pointer' | 'by'> => {
    if (rule === decider) return { part: 'decides' };
    if (source === 'enosys') return { part: 'overruled' };
    if (always !== undefined) return { part: 'shadowed', other: always.pointer };
    const broken = failing(rule.alternatives, data);
    if (broken !== undefined) return { part: 'condition', failing: broken };
    return {
      part: rule.action === answer ? 'repeats' : 'yields',
      ...(decider && { other: decider.pointer }),
    };
  };
  const considered = namingEntries(profile, lowered, abi, data.nr).flatMap(
    ({ pointer, without }): Considered[] => {
      if (without !== undefined) return [{ pointer, ...without }];
      return rules
        .filter((rule) => rule.pointer === pointer)
        .map((rule) => ({ pointer, ...partOf(rule), ...(rule.by && { by: rule.by }) }));
    },
  );
  return { answer, source, entry: decider?.pointer, considered };
}

function sourceOf(answer: number, isDecided: boolean, isFree: boolean, lowered: Lowered): Source {
  if (isDecided) return 'entry';
  if (isFree && answer === defaultAnswer(lowered)) return 'default-action';
  // Numbers of the other ABI of an audit arch, and those above both.
  if (isFree && answer === lowered.policy.badArchAction) return 'architecture';
  const { enosysStub, enosysAfter } = lowered.reference.target;
  if (enosysStub || enosysAfter !== undefined) return 'enosys';
  throw new Error(`no entry gives the answer 0x${answer.toString(16)}`);
}

/**
 * The decision for the number of a call; undefined for an audit arch that the filter does not have.
 */
export function decisionOn(
  policy: Policy,
  { arch, nr }: Pick<SeccompData, 'arch' | 'nr'>,
): Decision | undefined {
  const found = policy.arches.find(({ auditArch }) => auditArch === arch);
  return found?.ranges.find(({ to }) => nr <= to)?.decision;
}

function answerOf(policy: Policy, decision: Decision | undefined, { args }: SeccompData): number {
  if (decision === undefined) return policy.badArchAction;
  const rule = decision.rules.find(({ conditions }) => conditions.every((c) => holds(c, args[c.arg]!)));
  return rule?.action ?? decision.otherwise;
}

/** The default action as a return value, u32. */
export function defaultAnswer({ reference: { seccomp, target } }: Lowered): number {
  const where = { pointer: '', member: '' };
  return returnValue(seccomp.defaultAction!, seccomp.defaultErrnoRet, where, target, () => {});
}

/** The rules that entries make on a number, in profile order. */
function rulesOn(lowered: Lowered, abi: Arch, nr: number): Rules[] {
  const { seccomp, target, tables } = lowered.reference;
  const { positions, numbers } = tables.of(abi.name);
  const effective = effectiveEntries(seccomp, defaultAnswer(lowered), target, tables, () => {});
  return effective.flatMap((entry) => {
    const { pointer } = entry.entry;
    const alternatives = conditionsOn(entry, abi);
    const rules: Rules[] = [];
    for (const { name, id } of entry.calls) {
      const { action } = entry;
      if (numbers[positions[id]!] === nr) rules.push({ pointer, action, alternatives });
      const mux = multiplexed(name, abi);
      if (mux?.nr !== nr) continue;
      const selected = alternatives.map((conditions) => behindSelector(conditions, mux.call, abi));
      rules.push({ pointer, action, alternatives: selected, by: mux.by });
    }
    return rules;
  });
}

/**
 * The entries of the file that name the call of a number, with the reason where they make no rule
 * at all.
 */
function namingEntries(
  profile: Profile,
  lowered: Lowered,
  abi: Arch,
  nr: number,
): { pointer: string; without?: Pick<Considered, 'part' | 'reason'> }[] {
  const { target, tables, seccomp } = lowered.reference;
  const table = tables.of(abi.name);
  const isNamed = (name: string) => table.numberOf(name) === nr || multiplexed(name, abi)?.nr === nr;
  const kept = new Map(seccomp.syscalls.map((entry) => [entry.pointer, entry]));
  const usual = defaultAnswer(lowered);
  const all = profile.dialect === 'docker' ? profile.docker.syscalls : (profile.seccomp?.syscalls ?? []);
  return all.flatMap((entry) => {
    const { pointer } = entry;
    const single = 'name' in entry && entry.name !== undefined ? [entry.name] : [];
    if (![...single, ...(entry.names ?? [])].some(isNamed)) return [];
    const resolved = kept.get(pointer);
    if (resolved === undefined) {
      const reason = 'includes' in entry ? whyDropped(entry, target) : undefined;
      return [{ pointer, without: { part: 'left-out' as const, ...(reason && { reason }) } }];
    }
    const action = returnValue(resolved.action, resolved.errnoRet, { pointer, member: '' }, target, () => {});
    if (action === usual)
      return [{ pointer, without: { part: 'default' as const, reason: resolved.action } }];
    return [{ pointer }];
  });
}

/** The first condition of each rule that does not hold; undefined if one rule holds. */
function failing(alternatives: readonly Condition[][], { args }: SeccompData): Condition[] | undefined {
  const found = alternatives.map((conditions) => conditions.find((c) => !holds(c, args[c.arg]!)));
  return found.every((condition) => condition !== undefined) ? found : undefined;
}
