/**
 * What a filter of any compiler answers to each number, as conditions: read from its decision
 * diagram.
 */
import type { Bdd, Node } from '../prove/bdd/bdd.ts';
import { argWord, WORD_ARCH, WORD_ARGS, WORD_BITS, WORD_IP } from '../prove/bdd/input-words.ts';
import { canonicalSpace } from '../prove/bdd/space.ts';
import { programsBdd } from '../prove/program/stack-bdd.ts';
import type { Programs } from '../bpf/stack.ts';
import type { Condition, Decision } from '../policy/types.ts';

/** The instruction pointer among the arguments of a condition. */
export const INSTRUCTION_POINTER = 6;

/** Rules of one decision; a filter that needs more is not explained by them. */
const MOST_RULES = 64;
const FULL = 0xffffffffffffffffn;

/** Values of an argument (64 bits) for which the function goes on with `node`. */
interface Part {
  node: Node;
  ranges: { from: bigint; to: bigint }[];
  cubes: { mask: bigint; value: bigint }[];
}

/** The decisions of one filter. */
export class FilterDecisions {
  readonly #bdd: Bdd;
  readonly #root: Node;
  readonly #known = new Map<Node, Decision | undefined>();

  /** @throws Undecided if the filter is too large, or computes what cannot be followed */
  constructor(programs: Programs) {
    const space = canonicalSpace(undefined);
    this.#bdd = space.bdd;
    this.#root = programsBdd(space, programs);
  }

  /**
   * Rules that exclude each other, in the order of arguments; undefined if there are more than a
   * reader can use.
   */
  on(auditArch: number, nr: number): Decision | undefined {
    const bdd = this.#bdd;
    let node = this.#root;
    while (!bdd.isTerminal(node)) {
      const variable = bdd.variableOf(node);
      const word = Math.floor(variable / WORD_BITS);
      if (word >= WORD_ARGS) break;
      const bit = WORD_BITS - 1 - (variable % WORD_BITS);
      node = ((word === WORD_ARCH ? auditArch : nr) >>> bit) & 1 ? bdd.high(node) : bdd.low(node);
    }
    if (!this.#known.has(node)) this.#known.set(node, this.#decisionOf(node));
    return this.#known.get(node);
  }

  #decisionOf(node: Node): Decision | undefined {
    const bdd = this.#bdd;
    if (bdd.isTerminal(node)) return { rules: [], otherwise: bdd.valueOf(node) };
    const arg = this.#argumentOf(node);
    const parts = this.#partsOf(node, arg);
    if (parts === undefined) return undefined;
    // What takes most words to say is left for the end, as "otherwise".
    const words = ({ ranges, cubes }: Part) => Math.min(ranges.length, cubes.length);
    const rest = parts.reduce((most, part) => (words(part) > words(most) ? part : most));
    const rules: Decision['rules'] = [];
    for (const part of [...parts.filter((each) => each !== rest), rest]) {
      const inner = this.#decisionOf(part.node);
      if (inner === undefined) return undefined;
      if (part === rest) return { rules: [...rules, ...inner.rules], otherwise: inner.otherwise };
      for (const conditions of conditionsOf(arg, part)) {
        for (const rule of inner.rules)
          rules.push({ ...rule, conditions: [...conditions, ...rule.conditions] });
        rules.push({ conditions, action: inner.otherwise });
      }
      if (rules.length > MOST_RULES) return undefined;
    }
    throw new Error('internal error: an argument without values');
  }

  #argumentOf(node: Node): number {
    const word = Math.floor(this.#bdd.variableOf(node) / WORD_BITS);
    return word >= WORD_IP ? INSTRUCTION_POINTER : (word - WORD_ARGS) >> 1;
  }

  /**
   * The functions behind one argument, each with its values; undefined if these are too many to
   * list.
   */
  #partsOf(node: Node, arg: number): Part[] | undefined {
    const bdd = this.#bdd;
    const first = argWord(arg, 'high') * WORD_BITS;
    const parts = new Map<Node, Part>();
    let cubes = 0;
    const visit = (at: Node, mask: bigint, value: bigint): void => {
      if (cubes > 64 * MOST_RULES) return;
      const depth = bdd.isTerminal(at) ? 64 : bdd.variableOf(at) - first;
      if (depth >= 64) {
        cubes += 1;
        const part = parts.get(at) ?? { node: at, ranges: [], cubes: [] };
        parts.set(at, part);
        part.cubes.push({ mask, value });
        return;
      }
      const bit = 1n << BigInt(63 - depth);
      visit(bdd.low(at), mask | bit, value);
      visit(bdd.high(at), mask | bit, value | bit);
    };
    visit(node, 0n, 0n);
    if (cubes > 64 * MOST_RULES) return undefined;
    for (const part of parts.values()) part.ranges = rangesOf(part.cubes);
    return [...parts.values()];
  }
}

/** The values of cubes as ranges, ascending; empty if a cube has free bits above tested ones. */
function rangesOf(cubes: Part['cubes']): Part['ranges'] {
  const ranges: Part['ranges'] = [];
  for (const { mask, value } of cubes) {
    const free = FULL ^ mask;
    // Only a cube whose free bits are the lowest is one range.
    if ((free & (free + 1n)) !== 0n)
      return Array.from({ length: cubes.length + 1 }, () => ({ from: 0n, to: 0n }));
    const last = ranges.at(-1);
    if (last?.to === value - 1n) last.to = value | free;
    else ranges.push({ from: value, to: value | free });
  }
  return ranges;
}

/** Lists of conditions, one of which must hold. */
function conditionsOf(arg: number, { ranges, cubes }: Part): Condition[][] {
  const whole = { arg, mask: FULL, bits: 64 } as const;
  if (ranges.length > cubes.length)
    return cubes.map(({ mask, value }) => [{ arg, comparator: 'masked_eq', mask, value, bits: 64 }]);
  return ranges.map(({ from, to }): Condition[] => {
    if (from === to) return [{ ...whole, comparator: 'eq', value: from }];
    const bounds: Condition[] = [];
    if (from > 0n) bounds.push({ ...whole, comparator: 'ge', value: from });
    if (to < FULL) bounds.push({ ...whole, comparator: 'le', value: to });
    return bounds;
  });
}
