/** A function of the arguments as rules: read from its decision diagram, so from what it means. */
import { compareSeverity } from '../action.ts';
import { fullMask } from '../policy/condition.ts';
import type { Condition, Decision, DecisionRule } from '../policy/types.ts';
import type { Bdd, Node } from '../prove/bdd/bdd.ts';
import { FALSE, LARGEST_NODE_BUDGET, TRUE, Undecided } from '../prove/bdd/bdd.ts';
import { argWord, WORD_ARGS, WORD_BITS, WORD_IP } from '../prove/bdd/input-words.ts';

/** Rules of one decision, and values that are tried to find them. */
const MOST_RULES = 4096;
/** Ranges of one argument with one answer; a list of single values can be long. */
const MOST_RANGES = 1024;
/** Steps of the search for masks. */
const MOST_STEPS = 10_000;

/** More rules are worth another search. */
const FEW_RULES = 16;
const ARGUMENTS = 6;
const TESTS_IP = 'a filter tests the address that a call comes from';

/**
 * The bits with one value, of one argument or of all with the first one in the highest bits; the
 * others are free.
 */
interface Cube {
  mask: bigint;
  value: bigint;
}

/** Values of an argument for which the function goes on with `node`. */
interface Part {
  node: Node;
  /** How these can be said, each by one condition. */
  conditions: Condition[];
}

/**
 * The rules of functions of the arguments. Each has at most one condition on an argument, and rules
 * with different actions exclude each other, so their order means nothing.
 */
export class ArgumentRules {
  readonly #bdd: Bdd;
  readonly #wide: boolean;
  readonly #parts = new Map<Node, Part[]>();
  readonly #decisions = new Map<Node, Decision>();

  /** @param wide conditions on 64 bits only */
  constructor(bdd: Bdd, wide = false) {
    this.#bdd = bdd;
    this.#wide = wide;
  }

  /**
   * The same function is one object.
   * @throws Undecided if there are too many rules, or the caller's address is tested
   */
  decision(node: Node): Decision {
    let decision = this.#decisions.get(node);
    if (decision === undefined) this.#decisions.set(node, (decision = this.#decisionOf(node)));
    return decision;
  }

  /** The rules for all answers but `otherwise` (u32). @throws Undecided as {@link decision} */
  rules(node: Node, otherwise: number): DecisionRule[] {
    const bdd = this.#bdd;
    if (bdd.isTerminal(node))
      return bdd.valueOf(node) === otherwise ? [] : [{ conditions: [], action: bdd.valueOf(node) }];
    const rules: DecisionRule[] = [];
    for (const part of this.#partsOf(node)) {
      const inner = this.rules(part.node, otherwise);
      if (rules.length + inner.length * part.conditions.length > MOST_RULES)
        throw new Undecided(`a call needs more than ${MOST_RULES} rules`);
      for (const condition of inner.length === 0 ? [] : part.conditions)
        for (const { conditions, action } of inner)
          rules.push({ conditions: [condition, ...conditions], action });
    }
    return rules;
  }

  /** All answers, in the order in which they are found. */
  answers(node: Node, found = new Set<number>(), seen = new Set<Node>()): Set<number> {
    if (seen.has(node)) return found;
    seen.add(node);
    if (this.#bdd.isTerminal(node)) return found.add(this.#bdd.valueOf(node));
    this.answers(this.#bdd.low(node), found, seen);
    return this.answers(this.#bdd.high(node), found, seen);
  }

  /** What takes most rules to say is left for the end. */
  #decisionOf(node: Node): Decision {
    let best: Decision | undefined;
    let failure: Undecided | undefined;
    for (const otherwise of this.answers(node))
      try {
        const rules = this.rules(node, otherwise);
        if (best === undefined || rules.length < best.rules.length) best = { rules, otherwise };
      } catch (error) {
        if (!(error instanceof Undecided)) throw error;
        failure = error;
      }
    const ordered =
      best === undefined || best.rules.length > FEW_RULES ? this.#orderedDecision(node) : undefined;
    if (ordered && (best === undefined || ordered.rules.length < best.rules.length)) return ordered;
    if (best === undefined) throw failure!;
    return best;
  }

  /** By rules that may hold where an earlier one does, the strictest first; undefined if that takes long. */
  #orderedDecision(node: Node): Decision | undefined {
    const bdd = this.#bdd;
    const answers = [...this.answers(node)].toSorted((a, b) => compareSeverity(a, b) || a - b);
    let best: Decision | undefined;
    for (const otherwise of answers) {
      const rules: DecisionRule[] = [];
      let before: Node = FALSE;
      for (const action of answers) {
        if (action === otherwise) continue;
        const set = this.#setOf(node, (at) => (bdd.isTerminal(at) ? bdd.valueOf(at) === action : undefined));
        const cubes = this.#cover(set, bdd.or(set, before));
        if (cubes === undefined) return best;
        for (const cube of cubes) rules.push({ conditions: this.#conditionsOfCube(cube), action });
        before = bdd.or(before, set);
      }
      if (best === undefined || rules.length < best.rules.length) best = { rules, otherwise };
    }
    return best;
  }

  /** One condition for each argument of which bits are fixed. */
  #conditionsOfCube({ mask, value }: Cube, width?: 32 | 64): Condition[] {
    return Array.from({ length: ARGUMENTS }, (_, arg) => arg).flatMap((arg) => {
      const part = (bits: bigint) => BigInt.asUintN(64, bits >> BigInt(64 * (ARGUMENTS - 1 - arg)));
      if (part(mask) === 0n) return [];
      const bits = width ?? (this.#wide || part(mask) > fullMask(32) ? 64 : 32);
      return [masked({ mask: part(mask), value: part(value) }, arg, bits)];
    });
  }

  #partsOf(node: Node): Part[] {
    const known = this.#parts.get(node);
    if (known !== undefined) return known;
    const word = Math.floor(this.#bdd.variableOf(node) / WORD_BITS);
    if (word >= WORD_IP) throw new Undecided(TESTS_IP);
    const arg = (word - WORD_ARGS) >> 1;
    // The function of an argument that does not test its high word is one of 32 bits.
    const bits = this.#wide || word === argWord(arg, 'high') ? 64 : 32;
    const parts = [...this.#behind(node, arg)].map((next) => ({
      node: next,
      conditions: this.#conditionsOf(
        this.#setOf(node, (at) => (this.#isBehind(at, arg) ? at === next : undefined)),
        arg,
        bits,
      ),
    }));
    this.#parts.set(node, parts);
    return parts;
  }

  /** The functions behind one argument. */
  #behind(node: Node, arg: number, found = new Set<Node>(), seen = new Set<Node>()): Set<Node> {
    if (seen.has(node)) return found;
    seen.add(node);
    if (this.#isBehind(node, arg)) return found.add(node);
    this.#behind(this.#bdd.low(node), arg, found, seen);
    return this.#behind(this.#bdd.high(node), arg, found, seen);
  }

  #isBehind(node: Node, arg: number): boolean {
    return this.#bdd.isTerminal(node) || this.#bdd.variableOf(node) >= endOf(arg);
  }

  /** Conditions of which one holds for each value of a set. */
  #conditionsOf(set: Node, arg: number, bits: 32 | 64): Condition[] {
    const ranges = this.#rangesOf(set, arg, bits);
    const byRange = ranges && conditionsOfRanges(ranges, arg, bits);
    if (byRange?.length === 1) return byRange;
    const common = this.#cover(set)?.flatMap((cube) => this.#conditionsOfCube(cube, bits));
    if (byRange === undefined && common === undefined)
      throw new Undecided('a call has too many values of one argument');
    return byRange === undefined || (common !== undefined && common.length < byRange.length)
      ? common!
      : byRange;
  }

  /** The values of a set as ranges, ascending; undefined if there are too many. */
  #rangesOf(set: Node, arg: number, bits: 32 | 64): Range[] | undefined {
    const bdd = this.#bdd;
    const ranges: Range[] = [];
    const visit = (node: Node, from: bigint, bit: number): boolean => {
      if (node === FALSE) return true;
      if (node === TRUE) {
        const last = ranges.at(-1);
        const to = from + (1n << BigInt(bit)) - 1n;
        if (last?.to === from - 1n) last.to = to;
        else ranges.push({ from, to });
        return ranges.length <= MOST_RANGES;
      }
      const isTested = bdd.variableOf(node) === endOf(arg) - bit;
      const [low, high] = isTested ? [bdd.low(node), bdd.high(node)] : [node, node];
      return visit(low, from, bit - 1) && visit(high, from + (1n << BigInt(bit - 1)), bit - 1);
    };
    return visit(set, 0n, bits) ? ranges : undefined;
  }

  /** The arguments for which a function gets to a node of which `decide` says true. */
  #setOf(node: Node, decide: (at: Node) => boolean | undefined): Node {
    const bdd = this.#bdd;
    const known = new Map<Node, Node>();
    const visit = (at: Node): Node => {
      const decided = decide(at);
      if (decided !== undefined) return decided ? TRUE : FALSE;
      let result = known.get(at);
      if (result === undefined) {
        result = bdd.branch(bdd.variableOf(at), visit(bdd.high(at)), visit(bdd.low(at)));
        known.set(at, result);
      }
      return result;
    };
    return visit(node);
  }

  /**
   * Cubes that together are a set, or one between it and a larger one, none of which can be left
   * out; undefined if that takes long.
   *
   * Source: S. Minato, "Fast generation of irredundant sum-of-products forms from binary decision
   * diagrams" (1992).
   */
  #cover(set: Node, largest = set): Cube[] | undefined {
    const bdd = this.#bdd;
    let steps = 0;
    const known = new Map<number, { cubes: Cube[]; set: Node }>();
    class TooLong extends Error {}
    /** Cubes that cover `least`, and nothing outside `most`; with the set that they make. */
    const cover = (least: Node, most: Node): { cubes: Cube[]; set: Node } => {
      if (least === FALSE) return { cubes: [], set: FALSE };
      if (most === TRUE) return { cubes: [{ mask: 0n, value: 0n }], set: TRUE };
      const key = least * LARGEST_NODE_BUDGET + most;
      const found = known.get(key);
      if (found !== undefined) return found;
      if (++steps > MOST_STEPS) throw new TooLong();
      const level = Math.min(bdd.levelOf(least), bdd.levelOf(most));
      const variable = bdd.levelOf(least) === level ? bdd.variableOf(least) : bdd.variableOf(most);
      const halves = (of: Node): [Node, Node] =>
        bdd.levelOf(of) === level ? [bdd.low(of), bdd.high(of)] : [of, of];
      const [least0, least1] = halves(least);
      const [most0, most1] = halves(most);
      const low = cover(bdd.and(least0, bdd.not(most1)), most0);
      const high = cover(bdd.and(least1, bdd.not(most0)), most1);
      const left = bdd.or(bdd.and(least0, bdd.not(low.set)), bdd.and(least1, bdd.not(high.set)));
      const both = cover(left, bdd.and(most0, most1));
      if (variable >= endOf(ARGUMENTS - 1)) throw new Undecided(TESTS_IP);
      const bit = 1n << BigInt(endOf(ARGUMENTS - 1) - 1 - variable);
      const made = {
        cubes: [
          ...low.cubes.map(({ mask, value }) => ({ mask: mask | bit, value })),
          ...high.cubes.map(({ mask, value }) => ({ mask: mask | bit, value: value | bit })),
          ...both.cubes,
        ],
        set: bdd.or(bdd.branch(variable, high.set, low.set), both.set),
      };
      if (made.cubes.length > MOST_RULES) throw new TooLong();
      known.set(key, made);
      return made;
    };
    try {
      return cover(set, largest).cubes;
    } catch (error) {
      if (error instanceof TooLong) return undefined;
      throw error;
    }
  }
}

interface Range {
  from: bigint;
  to: bigint;
}

/** The variable after the last one of an argument. */
function endOf(arg: number): number {
  return (argWord(arg, 'low') + 1) * WORD_BITS;
}

function conditionsOfRanges(ranges: readonly Range[], arg: number, bits: 32 | 64): Condition[] {
  const full = fullMask(bits);
  const condition = (comparator: Condition['comparator'], value: bigint): Condition[] => [
    { arg, comparator, value, mask: full, bits },
  ];
  const [first, second, more] = ranges;
  if (first?.from === 0n && second?.to === full && more === undefined && first.to + 2n === second.from)
    return condition('ne', first.to + 1n);
  return ranges.flatMap(({ from, to }) => {
    if (from === to) return condition('eq', from);
    if (from === 0n) return condition('le', to);
    if (to === full) return condition('ge', from);
    return blocksOf(from, to).map((cube) => masked({ ...cube, mask: cube.mask & full }, arg, bits));
  });
}

/** A range as blocks, each with as many values as its place allows. */
function blocksOf(from: bigint, to: bigint): Cube[] {
  const blocks: Cube[] = [];
  for (let at = from; at <= to;) {
    let size = 1n;
    while ((at & size) === 0n && at + 2n * size - 1n <= to) size *= 2n;
    blocks.push({ mask: fullMask(64) ^ (size - 1n), value: at });
    at += size;
  }
  return blocks;
}

function masked({ mask, value }: Cube, arg: number, bits: 32 | 64): Condition {
  if (mask === fullMask(bits)) return { arg, comparator: 'eq', value, mask, bits };
  return { arg, comparator: 'masked_eq', mask, value, bits };
}
