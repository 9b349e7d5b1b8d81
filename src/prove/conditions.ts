/** The profile's side as a diagram: comparisons of arguments, then numbers, then architectures. */
import type { Atoms } from './atoms.ts';
import type { Diagram, Node } from './diagram.ts';
import { FALSE, TRUE, Undecided } from './diagram.ts';
import { argWord, variableOf, WORD_ARCH, WORD_NR } from './input.ts';
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
  const branch = (position: number, set: Node, clear: Node): Node =>
    diagram.branch(variableOf(argWord(arg, position < 32 ? 'low' : 'high'), position % 32), set, clear);
  const first = bitsOf(value);
  const second = bitsOf(valueTwo);

  /** x < value, or x > value, with `tie` for x == value. */
  const ordered = (less: boolean, tie: Node): Node => {
    let result = tie;
    for (let position = 0; position < bits; position++) {
      if (first(position)) result = branch(position, result, less ? TRUE : FALSE);
      else result = branch(position, less ? FALSE : TRUE, result);
    }
    return result;
  };
  /** The bits that `counts` names are those of the constant: `then`, else `otherwise`. */
  const matches = (
    counts: (p: number) => boolean,
    want: (p: number) => boolean,
    then: Node,
    otherwise: Node,
  ) => {
    let result = then;
    for (let position = 0; position < bits; position++) {
      if (!counts(position)) continue;
      if (want(position)) result = branch(position, result, otherwise);
      else result = branch(position, otherwise, result);
    }
    return result;
  };
  switch (op) {
    case 'SCMP_CMP_EQ':
      return matches(everyBit, first, TRUE, FALSE);
    case 'SCMP_CMP_NE':
      return matches(everyBit, first, FALSE, TRUE);
    case 'SCMP_CMP_LT':
      return ordered(true, FALSE);
    case 'SCMP_CMP_LE':
      return ordered(true, TRUE);
    case 'SCMP_CMP_GT':
      return ordered(false, FALSE);
    case 'SCMP_CMP_GE':
      return ordered(false, TRUE);
    case 'SCMP_CMP_MASKED_EQ':
      return matches(first, second, TRUE, FALSE);
    default:
      throw new Undecided(`unknown operator ${String(op)}`);
  }
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

function everyBit(): boolean {
  return true;
}

/** Whether a bit (0..63) of a constant is set. */
function bitsOf(constant: bigint): (position: number) => boolean {
  const [low, high] = [lowWord(constant), highWord(constant)];
  return (position) => (((position < 32 ? low : high) >>> (position % 32)) & 1) === 1;
}

/** A function of nr from its sorted spans: halving the domain until one span covers a half. */
function chooseByNumber(diagram: Diagram, spans: readonly Span[], answers: readonly Node[]): Node {
  const build = (bit: number, from: number, first: number, last: number): Node => {
    if (first === last) return answers[first]!;
    const half = from + 2 ** bit;
    let split = first;
    while (split < last && spans[split]!.to < half - 1) split++;
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
