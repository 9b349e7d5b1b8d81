/** A canonical form of a function, from which a hash can be taken. */
import type { Bdd, Node } from './bdd.ts';

/** Raised when the form changes, so that an old hash is never taken for a new one. */
const FORMAT = 1;
const TERMINAL = 0xffffffff;

/**
 * The BDD as bytes that depend on the function only: not on how it was built or on the numbers of
 * its nodes. Two filters have the same bytes exactly if they answer every input alike.
 *
 * Little-endian u32: the format, then three for each node, children before parents and the low
 * child's side first: (variable, low, high) with children as positions in this list, or
 * (0xffffffff, value, 0). The variable is 32 * word + (31 - bit). The BDD must have the default
 * order of variables.
 */
export function fingerprintBytes(bdd: Bdd, root: Node): Uint8Array {
  const positions = new Map<Node, number>();
  const list: number[] = [FORMAT];
  const visit = (node: Node): number => {
    const known = positions.get(node);
    if (known !== undefined) return known;
    if (bdd.isTerminal(node)) {
      list.push(TERMINAL, bdd.valueOf(node), 0);
    } else {
      const low = visit(bdd.low(node));
      const high = visit(bdd.high(node));
      list.push(bdd.variableOf(node), low, high);
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
