/** Where the nodes of a decision tree are drawn: left to right, yes above no. */
import { hierarchy, tree as tidyTree } from 'd3-hierarchy';
import type { DecisionTree, Node } from './tree.ts';

/** A node, or a mention of one that is drawn elsewhere: what several paths share is drawn once. */
export interface Placed {
  node: Node;
  isMention: boolean;
  /** Of the left edge and the middle, in pixels. */
  x: number;
  y: number;
  width: number;
  /** Whose child it is, and by which answer. */
  from?: { parent: Placed; answer: 'yes' | 'no' };
}

export interface Layout {
  placed: Placed[];
  width: number;
  height: number;
}

export const ROW = 24;
/** Of a character in a monospaced font of 12 pixels. */
const CHARACTER = 7.25;
const PADDING = 8;
const GAP = 36;

interface Branch {
  node: Node;
  isMention: boolean;
  answer?: 'yes' | 'no';
  children: Branch[];
}

export function layOut({ root, nodes }: DecisionTree): Layout {
  const laid = tidyTree<Branch>()
    .nodeSize([ROW, 1])
    .separation(() => 1)(hierarchy(spanning(root, nodes)));
  const widths: number[] = [];
  laid.each(({ depth, data }) => (widths[depth] = Math.max(widths[depth] ?? 0, widthOf(data))));
  const lefts = widths.map((_, depth) =>
    widths.slice(0, depth).reduce((sum, each) => sum + each + GAP, GAP / 2),
  );
  let [top, bottom] = [Infinity, -Infinity];
  laid.each(({ x }) => ([top, bottom] = [Math.min(top, x), Math.max(bottom, x)]));
  const known = new Map<object, Placed>();
  laid.each((each) => {
    const { data, depth, parent } = each;
    const y = Math.round(each.x - top + ROW);
    const placed = { node: data.node, isMention: data.isMention, x: lefts[depth]!, y, width: widthOf(data) };
    const from = parent && { parent: known.get(parent)!, answer: data.answer! };
    known.set(each, from ? { ...placed, from } : placed);
  });
  const width = Math.ceil(lefts.at(-1)! + widths.at(-1)! + GAP / 2);
  return { placed: [...known.values()], width, height: Math.ceil(bottom - top + 2 * ROW) };
}

function widthOf({ node, isMention }: Branch): number {
  return Math.ceil((node.label.length + (isMention ? 2 : 0)) * CHARACTER + 2 * PADDING);
}

/**
 * Breadth first, so that a shared node is drawn where the path to it is shortest. Actions are drawn
 * at each place.
 */
function spanning(root: number, nodes: DecisionTree['nodes']): Branch {
  const drawn = new Set<number>([root]);
  const top: Branch = { node: nodes.get(root)!, isMention: false, children: [] };
  let level = [top];
  while (level.length > 0) {
    const deeper: Branch[] = [];
    for (const { node, isMention, children } of level) {
      if (node.kind !== 'test' || isMention) continue;
      for (const answer of ['yes', 'no'] as const) {
        const to = node[answer];
        if (to === undefined) continue;
        const target = nodes.get(to)!;
        const branch = {
          node: target,
          isMention: target.kind !== 'action' && drawn.has(to),
          answer,
          children: [],
        };
        drawn.add(to);
        children.push(branch);
        deeper.push(branch);
      }
    }
    level = deeper;
  }
  return top;
}
