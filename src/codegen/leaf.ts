import type { Endian } from '../bpf/instruction.ts';
import type { Decision } from '../policy/types.ts';
import { assemble } from './assembler.ts';
import { Diagram } from './diagram.ts';
import type { KnownNodes } from './diagram.ts';
import type { Effort } from './effort.ts';
import type { Graph, Node } from './graph.ts';
import type { Prices } from './members.ts';
import { ruleChain } from './rule-chain.ts';
import { clausesOf } from './words.ts';
import type { Clause, WordIndex } from './words.ts';

/** Beyond this many clauses a decision becomes a plain chain of its rules. */
const MAX_CLAUSES = 4096;
/** All orders of the arguments are tried up to this many; beyond, ascending only. */
const MAX_PERMUTED_ARGS = 4;

/**
 * The tests that find a call's answer from its arguments, smallest form found: a diagram that tests one word
 * after the other and reads each at most once on a path, or a chain of the rules one after the other.
 *
 * @param effort what may be spent on the search; without any left, the chain
 * @param known what was found for other decisions of the same graph, endian and prices: much of a condition on 64 bits is
 *   the same on 32
 */
export function leafOf(
  decision: Decision,
  graph: Graph,
  endian: Endian,
  prices: Prices,
  effort: Effort,
  known: KnownNodes = new Map(),
): Node {
  if (decision.rules.length === 0) return graph.ret(decision.otherwise);
  const clauses = clausesOf(decision);
  if (clauses.length > MAX_CLAUSES) return ruleChain(decision, graph, endian);
  let best: Node | undefined;
  let shortest = Infinity;
  for (const [index, order] of wordOrders(clauses).entries()) {
    // Orders other than the ascending one, which is the first, lead to other nodes.
    const nodes = index === 0 ? known : new Map<string, Node>();
    const node = new Diagram(graph, endian, prices, order, decision.otherwise, nodes, effort).build(clauses);
    const length = node === undefined ? Infinity : assemble(node).length;
    if (node !== undefined) effort.charge(10 * length);
    if (length < shortest) {
      best = node;
      shortest = length;
    }
  }
  // A load, a test for each rule, two answers: no chain is shorter.
  if (best !== undefined && shortest <= decision.rules.length + 3) return best;
  const chain = ruleChain(decision, graph, endian);
  // Of two that are as long the diagram is the faster one: it reads no word twice.
  return best === undefined || assemble(chain).length < shortest ? chain : best;
}

/** Orders of the words to try: arguments permuted, the high half of each before its low one. */
function wordOrders(clauses: readonly Clause[]): WordIndex[][] {
  const used = new Set(clauses.flatMap(({ words }) => words.map(([word]) => word)));
  const args = [...new Set([...used].map((word) => word >> 1))].toSorted((a, b) => a - b);
  const orders = args.length <= MAX_PERMUTED_ARGS ? permutations(args) : [args];
  return orders.map((order) =>
    order.flatMap((arg) => [2 * arg, 2 * arg + 1]).filter((word) => used.has(word)),
  );
}

function permutations(items: readonly number[]): number[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
