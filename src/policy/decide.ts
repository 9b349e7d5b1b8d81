import type { Arch } from '../arch.ts';
import type { SyscallTable } from '../syscalls/tables.ts';
import type { Combiner } from './combine.ts';
import { fullMask, normalise } from './condition.ts';
import { multiplexed } from './multiplex.ts';
import type { EffectiveEntry, Rule } from './rules.ts';
import type { Condition, Decision } from './types.ts';

/**
 * What the entries decide about the calls of one architecture: a decision for each number of its table, in their
 * order; undefined where no entry names the call.
 *
 * Nearly every entry has no conditions, and then its action is all there is to say: no rule is made for it.
 */
export function decideCalls(
  entries: readonly EffectiveEntry[],
  abi: Arch,
  { positions, numbers, count }: SyscallTable,
  combiner: Combiner,
): (Decision | undefined)[] {
  const decisions = Array.from<Decision | undefined>({ length: count });
  const conditional = new ConditionalRules(count);
  const multiplexes = abi.socketcall !== undefined || abi.ipc !== undefined;
  for (const effective of entries) {
    const { names, ids } = effective;
    const rules = conditionsOn(effective, abi);
    const decision = rules.every((conditions) => conditions.length > 0)
      ? undefined
      : combiner.constant(effective.action);
    for (let index = 0; index < ids.length; index++) {
      const position = positions[ids[index]!]!;
      if (position >= 0) {
        conditional.see(position);
        if (decision === undefined) conditional.add(position, rules, effective, names[index]!);
        // The first rule without conditions decides alone. docs/semantics.md section 7.1.
        else decisions[position] ??= decision;
      }
      if (!multiplexes) continue;
      const name = names[index]!;
      const mux = multiplexed(name, abi);
      if (mux === undefined) continue;
      const selected = rules.map((conditions) => behindSelector(conditions, mux.call, abi));
      conditional.add(numbers.indexOf(mux.nr), selected, effective, name, mux.by);
    }
  }
  for (const [position, rules] of conditional.inOrder())
    decisions[position] = combiner.combine(rules, abi, decisions[position]);
  return decisions;
}

/** The rules with conditions, by position of the number in its table. */
class ConditionalRules {
  readonly #rules = new Map<number, Rule[]>();
  /** When the profile first names each number, counted from 1; 0: never. */
  readonly #seen: Uint32Array;
  #last = 0;

  constructor(count: number) {
    this.#seen = new Uint32Array(count);
  }

  see(position: number): void {
    if (this.#seen[position] === 0) this.#seen[position] = ++this.#last;
  }

  add(
    position: number,
    rules: readonly Condition[][],
    { action, entry }: EffectiveEntry,
    name: string,
    by?: Rule['by'],
  ): void {
    this.see(position);
    let list = this.#rules.get(position);
    if (list === undefined) this.#rules.set(position, (list = []));
    for (const conditions of rules)
      list.push({ conditions, action, entry, name, ...(by === undefined ? {} : { by }) });
  }

  /** As the profile first names the numbers: of several faults of a kind the first one is reported. */
  inOrder(): [position: number, rules: Rule[]][] {
    return [...this.#rules].toSorted(([a], [b]) => this.#seen[a]! - this.#seen[b]!);
  }
}

/** The conditions of each rule that an entry makes on a call, as the architecture compares them. */
function conditionsOn({ alternatives }: EffectiveEntry, { wordBits }: Arch): Condition[][] {
  return alternatives.map((args) =>
    args.map((arg) => normalise(arg, wordBits)).filter((condition) => !alwaysTrue(condition)),
  );
}

/**
 * The same on socketcall or ipc: the selector of the call takes the place of any condition on argument 0.
 * docs/semantics.md section 6.3.
 */
function behindSelector(
  conditions: readonly Condition[],
  call: bigint,
  { wordBits: bits }: Arch,
): Condition[] {
  const selector: Condition = { arg: 0, comparator: 'eq', value: call, mask: fullMask(bits), bits };
  return [selector, ...conditions.filter((condition) => condition.arg !== 0)];
}

/**
 * Only an empty mask makes a condition not count; `>= 0` is always true too, but a rule with it stays a conditional
 * one, as it does in libseccomp.
 */
function alwaysTrue(condition: Condition): boolean {
  return condition.comparator === 'masked_eq' && condition.mask === 0n;
}
