/** A canonical form of a function, from which a hash can be taken. */
import type { Diagram, Node } from './diagram.ts';

/** Raised when the form changes, so that an old hash is never taken for a new one. */
const FORMAT = 1;
const TERMINAL = 0xffffffff;

/**
 * The diagram as bytes that depend on the function only: not on how it was built or on the numbers of its nodes.
 * Two filters have the same bytes exactly if they answer every input alike.
 *
 * Little-endian u32: the format, then three for each node, children before parents and the low child's side
 * first: (variable, low, high) with children as positions in this list, or (0xffffffff, value, 0). The variable
 * is 32 * word + (31 - bit). The diagram must have the default order of variables.
 */
export function fingerprintBytes(diagram: Diagram, root: Node): Uint8Array {
  const positions = new Map<Node, number>();
  const list: number[] = [FORMAT];
  const visit = (node: Node): number => {
    const known = positions.get(node);
    if (known !== undefined) return known;
    if (diagram.isTerminal(node)) {
      list.push(TERMINAL, diagram.valueOf(node), 0);
    } else {
      const low = visit(diagram.low(node));
      const high = visit(diagram.high(node));
      list.push(diagram.variableOf(node), low, high);
    }
    const position = positions.size;
    positions.set(node, position);
    return position;
  };
  visit(root);
  const bytes = new Uint8Array(4 * list.length);
  const view = new DataView(bytes.buffer);
  list.forEach((word, index) => view.setUint32(4 * index, word, true));
  return bytes;
}
