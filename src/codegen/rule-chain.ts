import type { Endian } from '../bpf/instruction.ts';
import type { Condition, Decision } from '../policy/types.ts';
import type { Graph, Node } from './graph.ts';
import { highWord, lowWord, wordOffset } from './words.ts';

/**
 * The rules of a decision one after the other: as long as the rules are, never longer. The way out for decisions
 * whose diagram grows, and the measure that a diagram has to beat.
 */
export function ruleChain(decision: Decision, graph: Graph, endian: Endian): Node {
  let next: Node = graph.ret(decision.otherwise);
  for (const { conditions, action } of decision.rules.toReversed()) {
    const failed: Node = next;
    next = conditions.reduceRight<Node>(
      (holds, condition) => testCondition(condition, holds, failed, graph, endian),
      graph.ret(action),
    );
  }
  return next;
}

/** One condition, from the load of its word to one of two places that load for themselves. */
function testCondition(condition: Condition, yes: Node, no: Node, graph: Graph, endian: Endian): Node {
  const { arg, comparator, value, mask, bits } = condition;
  const low = (next: Node) => graph.load(wordOffset(lowWord(arg), endian), next);
  const high = (next: Node) => graph.load(wordOffset(highWord(arg), endian), next);
  const valueLow = Number(value & 0xffff_ffffn);
  const valueHigh = Number(value >> 32n);

  switch (comparator) {
    case 'eq':
    case 'ne': {
      const [same, differs] = comparator === 'eq' ? [yes, no] : [no, yes];
      const tail = low(graph.jeq(valueLow, same, differs));
      return bits === 32 ? tail : high(graph.jeq(valueHigh, tail, differs));
    }
    case 'masked_eq': {
      const maskLow = Number(mask & 0xffff_ffffn);
      const maskHigh = Number(mask >> 32n);
      const tail = maskLow === 0 ? yes : low(maskedTest(maskLow, valueLow, yes, no, graph));
      return maskHigh === 0 ? tail : high(maskedTest(maskHigh, valueHigh, tail, no, graph));
    }
    default: {
      const [above, below] = comparator === 'gt' || comparator === 'ge' ? [yes, no] : [no, yes];
      const inclusive = comparator === 'ge' || comparator === 'lt';
      const tail = low(inclusive ? graph.jge(valueLow, above, below) : graph.jgt(valueLow, above, below));
      if (bits === 32) return tail;
      return high(graph.jgt(valueHigh, above, graph.jeq(valueHigh, tail, below)));
    }
  }
}

function maskedTest(mask: number, value: number, yes: Node, no: Node, graph: Graph): Node {
  if (mask === 0xffffffff) return graph.jeq(value, yes, no);
  if (value === 0) return graph.jset(mask, no, yes);
  if ((mask & (mask - 1)) === 0) return graph.jset(mask, yes, no);
  return graph.and(mask, graph.jeq(value, yes, no));
}
