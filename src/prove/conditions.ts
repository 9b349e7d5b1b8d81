/** The profile's side as a diagram: comparisons of arguments, then numbers, then architectures. */
import type { Atoms } from './atoms.ts';
import type { Diagram, Node } from './diagram.ts';
import { FALSE, TRUE, Undecided } from './diagram.ts';
import { argWord, variableOf, WORD_ARCH, WORD_BITS, WORD_NR } from './input.ts';
import type { Comparison, ReferenceArch, Rule, Span } from './reference.ts';
import { BAD_ARCH_ACTION } from './reference.ts';
import type { Space, TestGroup } from './space.ts';

/** @throws Undecided when it does not fit the budget. */
export function referenceDiagram(space: Space, arches: readonly ReferenceArch[]): Node {
  const { diagram } = space;
  const known = new Map<readonly Rule[], Node>();
  let result = diagram.terminal(BAD_ARCH_ACTION);
  for (const { auditArch, spans } of arches.toReversed()) {
    const answers = spans.map((span) => spanDiagram(space, span, known));
    const byNumber = chooseByNumber(diagram, spans, answers);
    result = chooseAt(diagram, WORD_ARCH, auditArch, byNumber, result);
  }
  return result;
}

/** Which bits each rule tests, in the order of the profile: a hint for the order of variables. */
export function* referenceGroups(arches: readonly ReferenceArch[]): Generator<TestGroup> {
  for (const { spans } of arches)
    for (const { rules } of spans)
      for (const { comparisons } of rules) {
        const group = new Map<number, number>();
        for (const { arg, op, value, bits } of comparisons) {
          const mask = op === 'SCMP_CMP_MASKED_EQ' ? value : 0xffffffffffffffffn;
          if (bits === 64) group.set(argWord(arg, 'high'), highWord(mask));
          group.set(argWord(arg, 'low'), lowWord(mask));
        }
        yield group;
      }
}

/** The answer of one span as a function of the arguments; `known` keeps those of earlier spans. */
export function spanDiagram(space: Space, span: Span, known = new Map<readonly Rule[], Node>()): Node {
  const { diagram } = space;
  if (span.rules.length === 0) return diagram.terminal(span.otherwise);
  let result = known.get(span.rules);
  if (result !== undefined) return result;
  result = diagram.terminal(span.otherwise);
  for (const { comparisons, action } of span.rules.toReversed()) {
    let holds: Node = TRUE;
    for (const comparison of comparisons) {
      const test = space.atoms
        ? comparisonOverAtoms(diagram, space.atoms, comparison)
        : comparisonOverBits(diagram, comparison);
      holds = diagram.and(holds, test);
    }
    result = diagram.ite(holds, diagram.terminal(action), result);
  }
  known.set(span.rules, result);
  return result;
}

/** Section 8 of the semantics, bit by bit from the least significant: each step puts a test above the last. */
export function comparisonOverBits(diagram: Diagram, { arg, op, value, valueTwo, bits }: Comparison): Node {
  const words: Words = [lowWord(value), highWord(value), argWord(arg, 'low'), bits === 64];
  switch (op) {
    case 'SCMP_CMP_EQ':
      return matchesOverBits(diagram, words, ALL_BITS, TRUE, FALSE);
    case 'SCMP_CMP_NE':
      return matchesOverBits(diagram, words, ALL_BITS, FALSE, TRUE);
    case 'SCMP_CMP_LT':
      return orderedOverBits(diagram, words, 'less', FALSE);
    case 'SCMP_CMP_LE':
      return orderedOverBits(diagram, words, 'less', TRUE);
    case 'SCMP_CMP_GT':
      return orderedOverBits(diagram, words, 'greater', FALSE);
    case 'SCMP_CMP_GE':
      return orderedOverBits(diagram, words, 'greater', TRUE);
    case 'SCMP_CMP_MASKED_EQ': {
      const wanted: Words = [lowWord(valueTwo), highWord(valueTwo), argWord(arg, 'low'), bits === 64];
      return matchesOverBits(diagram, wanted, value, TRUE, FALSE);
    }
    default:
      throw new Undecided(`unknown operator ${String(op)}`);
  }
}

/** A constant as its low and high word, the low word of the argument, and whether the high one is compared too. */
type Words = readonly [low: number, high: number, word: number, wide: boolean];

const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** The bits of the mask are those of the constant: `then`, else `otherwise`. */
function matchesOverBits(
  diagram: Diagram,
  [low, high, word, wide]: Words,
  mask: bigint,
  then: Node,
  otherwise: Node,
): Node {
  const onLow = matchWord(diagram, word, low, lowWord(mask), then, otherwise);
  return wide ? matchWord(diagram, word - 1, high, highWord(mask), onLow, otherwise) : onLow;
}

function matchWord(
  diagram: Diagram,
  word: number,
  constant: number,
  mask: number,
  then: Node,
  otherwise: Node,
): Node {
  let result = then;
  let variable = variableOf(word, 0);
  for (let bit = 0; bit < WORD_BITS; bit++, variable--) {
    if (((mask >>> bit) & 1) === 0) continue;
    if (((constant >>> bit) & 1) === 1) result = diagram.branch(variable, result, otherwise);
    else result = diagram.branch(variable, otherwise, result);
  }
  return result;
}

/** The argument is less, or greater, than the constant; `tie` where it is equal. */
function orderedOverBits(
  diagram: Diagram,
  [low, high, word, wide]: Words,
  order: 'less' | 'greater',
  tie: Node,
): Node {
  const [above, below] = order === 'less' ? [FALSE, TRUE] : [TRUE, FALSE];
  const onLow = orderWord(diagram, word, low, above, below, tie);
  return wide ? orderWord(diagram, word - 1, high, above, below, onLow) : onLow;
}

function orderWord(
  diagram: Diagram,
  word: number,
  constant: number,
  above: Node,
  below: Node,
  tie: Node,
): Node {
  let result = tie;
  let variable = variableOf(word, 0);
  for (let bit = 0; bit < WORD_BITS; bit++, variable--)
    if (((constant >>> bit) & 1) === 1) result = diagram.branch(variable, result, below);
    else result = diagram.branch(variable, above, result);
  return result;
}

/** The same over tests of whole words, the two words of a wide argument joined as a program has to. */
export function comparisonOverAtoms(
  diagram: Diagram,
  atoms: Atoms,
  { arg, op, value, valueTwo, bits }: Comparison,
): Node {
  const low = argWord(arg, 'low');
  const high = argWord(arg, 'high');
  const wide = bits === 64;
  const equal = (mask: bigint, datum: bigint): Node => {
    const lower = atoms.equal(low, lowWord(mask), lowWord(datum & mask));
    return wide ? diagram.and(atoms.equal(high, highWord(mask), highWord(datum & mask)), lower) : lower;
  };
  const all = 0xffffffff;
  /** x > value, or x >= value. On a tie of the high words the low ones decide. */
  const above = (orEqual: boolean): Node => {
    const floor = lowWord(value);
    const lower = orEqual && floor === 0 ? TRUE : atoms.greater(low, all, orEqual ? floor - 1 : floor);
    if (!wide) return lower;
    const tie = atoms.equal(high, all, highWord(value));
    return diagram.or(atoms.greater(high, all, highWord(value)), diagram.and(tie, lower));
  };
  const full = 0xffffffffffffffffn;
  switch (op) {
    case 'SCMP_CMP_EQ':
      return equal(full, value);
    case 'SCMP_CMP_NE':
      return diagram.not(equal(full, value));
    case 'SCMP_CMP_GT':
      return above(false);
    case 'SCMP_CMP_LE':
      return diagram.not(above(false));
    case 'SCMP_CMP_GE':
      return above(true);
    case 'SCMP_CMP_LT':
      return diagram.not(above(true));
    case 'SCMP_CMP_MASKED_EQ':
      return equal(value, valueTwo);
    default:
      throw new Undecided(`unknown operator ${String(op)}`);
  }
}

/** A function of nr from its sorted spans: halving the domain until one span covers a half. */
function chooseByNumber(diagram: Diagram, spans: readonly Span[], answers: readonly Node[]): Node {
  const build = (bit: number, from: number, first: number, last: number): Node => {
    if (first === last) return answers[first]!;
    const half = from + 2 ** bit;
    // The last span that begins below the half.
    let split = first;
    for (let above = last; split < above;) {
      const middle = (split + above + 1) >> 1;
      if (spans[middle]!.from < half) split = middle;
      else above = middle - 1;
    }
    const low = build(bit - 1, from, first, split);
    const upper = spans[split]!.to >= half ? split : split + 1;
    const high = build(bit - 1, half, upper, last);
    return diagram.branch(variableOf(WORD_NR, bit), high, low);
  };
  return build(31, 0, 0, spans.length - 1);
}

function chooseAt(diagram: Diagram, word: number, value: number, then: Node, otherwise: Node): Node {
  let matches: Node = TRUE;
  for (let bit = 0; bit < 32; bit++) {
    const [set, clear] = (value >>> bit) & 1 ? [matches, FALSE] : [FALSE, matches];
    matches = diagram.branch(variableOf(word, bit), set, clear);
  }
  return diagram.ite(matches, then, otherwise);
}

function lowWord(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

function highWord(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}
