/** The profile's side as a BDD: comparisons of arguments, then numbers, then architectures. */
import { comparisonOverBits, highWord, lowWord } from './comparison.ts';
import type { Bdd, Node } from '../bdd/bdd.ts';
import { FALSE, TRUE } from '../bdd/bdd.ts';
import { argWord, variableOf, WORD_ARCH, WORD_BITS, WORD_NR } from '../bdd/input-words.ts';
import type { ReferenceArch, Rule, Span } from './reference.ts';
import { BAD_ARCH_ACTION } from './reference.ts';
import type { Space, TestGroup } from '../bdd/space.ts';

const LARGEST_WORD = 0xffffffff;

/** @throws Undecided when it does not fit the budget. */
export function referenceBdd(space: Space, arches: readonly ReferenceArch[]): Node {
  const { bdd } = space;
  const known = new Map<readonly Rule[], Node>();
  let result = bdd.terminal(BAD_ARCH_ACTION);
  for (const { auditArch, spans } of arches.toReversed()) {
    const answers = spans.map((span) => spanBdd(space, span, known));
    const starts = spans.map(({ from }) => from);
    const byNumber = bdd.steps(variableOf(WORD_NR, WORD_BITS - 1), { starts, nodes: answers });
    result = chooseAt(bdd, WORD_ARCH, auditArch, byNumber, result);
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
export function spanBdd(space: Space, span: Span, known = new Map<readonly Rule[], Node>()): Node {
  const { bdd } = space;
  if (span.rules.length === 0) return bdd.terminal(span.otherwise);
  let result = known.get(span.rules);
  if (result !== undefined) return result;
  result = valuesDiagram(space, span) ?? ruleByRule(space, span);
  known.set(span.rules, result);
  return result;
}

/** Each rule above the ones after it. */
function ruleByRule(space: Space, span: Span): Node {
  const { bdd } = space;
  let result = bdd.terminal(span.otherwise);
  for (const { comparisons, action } of span.rules.toReversed()) {
    let holds: Node = TRUE;
    for (const comparison of comparisons) holds = bdd.and(holds, comparisonOverBits(bdd, comparison));
    result = bdd.ite(holds, bdd.terminal(action), result);
  }
  return result;
}

/**
 * The same where each rule asks for one value of one and the same argument, as long lists of rules
 * do: steps over the argument, without a test for each rule. Undefined for other rules.
 */
function valuesDiagram({ bdd, wordwise }: Space, { rules, otherwise }: Span): Node | undefined {
  if (!wordwise) return undefined;
  const [first] = rules[0]!.comparisons;
  const actions = new Map<number, Map<number, number>>();
  for (const { comparisons, action } of rules) {
    const [only, another] = comparisons;
    if (only === undefined || another !== undefined) return undefined;
    if (only.op !== 'SCMP_CMP_EQ' || only.arg !== first!.arg || only.bits !== first!.bits) return undefined;
    const high = highWord(only.value);
    let byLow = actions.get(high);
    if (byLow === undefined) actions.set(high, (byLow = new Map()));
    // The first rule that holds decides.
    if (!byLow.has(lowWord(only.value))) byLow.set(lowWord(only.value), action);
  }
  const stepsOver = (half: 'high' | 'low', points: ReadonlyMap<number, Node>): Node => {
    const other = bdd.terminal(otherwise);
    const starts = [0];
    const nodes = [other];
    for (const [value, node] of [...points].toSorted(([a], [b]) => a - b)) {
      if (starts.at(-1) === value) nodes[nodes.length - 1] = node;
      else {
        starts.push(value);
        nodes.push(node);
      }
      if (value === LARGEST_WORD) continue;
      starts.push(value + 1);
      nodes.push(other);
    }
    return bdd.steps(variableOf(argWord(first!.arg, half), WORD_BITS - 1), { starts, nodes });
  };
  const onLow = new Map<number, Node>();
  for (const [high, byLow] of actions) {
    const points = [...byLow].map(([low, action]) => [low, bdd.terminal(action)] as const);
    onLow.set(high, stepsOver('low', new Map(points)));
  }
  return first!.bits === 64 ? stepsOver('high', onLow) : onLow.get(0)!;
}

function chooseAt(bdd: Bdd, word: number, value: number, then: Node, otherwise: Node): Node {
  let matches: Node = TRUE;
  for (let bit = 0; bit < 32; bit++) {
    const [set, clear] = (value >>> bit) & 1 ? [matches, FALSE] : [FALSE, matches];
    matches = bdd.branch(variableOf(word, bit), set, clear);
  }
  return bdd.ite(matches, then, otherwise);
}
