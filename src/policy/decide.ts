import type { Arch } from '../arch.ts';
import type { SyscallTable } from '../syscalls/tables.ts';
import type { Combiner } from './combine.ts';
import { fullMask, normalise } from './condition.ts';
import { multiplexed } from './multiplex.ts';
import type { EffectiveEntry, Rule } from './rules.ts';
import type { Condition, Decision } from './types.ts';

/**
 * The decisions of the entries on one architecture, for each number of its table in order;
 * undefined if no entry names the call. Most entries have no conditions, and need no rule.
 */
export function decideCalls(
  entries: readonly EffectiveEntry[],
  abi: Arch,
  { positions, numbers, count }: SyscallTable,
  combiner: Combiner,
): (Decision | undefined)[] {
  const decisions = Array.from<Decision | undefined>({ length: count });
  // In the order of the profile: of several faults of a kind the first one is reported.
  const conditional = new Map<number, Rule[]>();
  const add = (position: number, alternatives: Condition[][], rule: Omit<Rule, 'conditions'>) => {
    const rules = conditional.get(position) ?? [];
    conditional.set(position, rules);
    for (const conditions of alternatives) rules.push({ ...rule, conditions });
  };
  const multiplexes = abi.socketcall !== undefined || abi.ipc !== undefined;
  for (const effective of entries) {
    const { calls, action, entry } = effective;
    const alternatives = conditionsOn(effective, abi);
    const decision = alternatives.every((conditions) => conditions.length > 0)
      ? undefined
      : combiner.constant(action);
    for (const { name, id } of calls) {
      const position = positions[id]!;
      // The first rule without conditions decides alone. docs/semantics.md section 7.1.
      if (position >= 0 && decision !== undefined) decisions[position] ??= decision;
      else if (position >= 0) add(position, alternatives, { action, entry, name, by: undefined });
      const mux = multiplexes ? multiplexed(name, abi) : undefined;
      if (mux === undefined) continue;
      const selected = alternatives.map((conditions) => behindSelector(conditions, mux.call, abi));
      add(numbers.indexOf(mux.nr), selected, { action, entry, name, by: mux.by });
    }
  }
  for (const [position, rules] of conditional)
    decisions[position] = combiner.combine(rules, abi, decisions[position]);
  return decisions;
}

/** The conditions of each rule that an entry makes on a call, as the architecture compares them. */
export function conditionsOn({ alternatives }: EffectiveEntry, { wordBits }: Arch): Condition[][] {
  return alternatives.map((args) =>
    args.map((arg) => normalise(arg, wordBits)).filter((condition) => !alwaysTrue(condition)),
  );
}

/**
 * The same on socketcall or ipc, where the selector of the call replaces conditions on argument 0.
 * docs/semantics.md section 6.3.
 */
export function behindSelector(
  conditions: readonly Condition[],
  call: bigint,
  { wordBits: bits }: Arch,
): Condition[] {
  const selector: Condition = { arg: 0, comparator: 'eq', value: call, mask: fullMask(bits), bits };
  return [selector, ...conditions.filter((condition) => condition.arg !== 0)];
}

/**
 * Only for an empty mask. `>= 0` is always true too, but its rule stays conditional, as in
 * libseccomp.
 */
function alwaysTrue(condition: Condition): boolean {
  return condition.comparator === 'masked_eq' && condition.mask === 0n;
}
