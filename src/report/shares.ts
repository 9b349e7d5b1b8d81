/**
 * What the pictures of the page count: which part of the program, or of the calls, belongs to what.
 */
import type { Arch } from '../arch.ts';
import { stepBetween } from '../graph/reach.ts';
import type { DecisionTree, Node } from '../graph/tree.ts';
import type { Place, Row, Study } from './study.ts';

/** What an entry has of the program. */
export interface Share {
  /** Or one of the following. */
  pointer: string;
  rows: Row[];
  /** An instruction that the calls of several entries run is divided among them. */
  instructions: number;
  /** Those that only its calls run. */
  own: number;
}

/** Of the ENOSYS stub, which is no entry. */
export const STUB = 'ENOSYS stub';
/** Of the instructions that no call of the tables runs. */
export const NO_CALL = 'other numbers';

/** The shares add up to the length of the program. The largest comes first. */
export function sharesOf({ rows, filter }: Pick<Study, 'rows' | 'filter'>): Share[] {
  const shares = new Map<string, Share>();
  const users = filter.instructions.map(() => new Set<string>());
  const shareOf = (pointer: string) => {
    const share = shares.get(pointer) ?? { pointer, rows: [], instructions: 0, own: 0 };
    shares.set(pointer, share);
    return share;
  };
  for (const row of rows)
    for (const pointer of row.entries.length > 0 ? row.entries : [STUB]) {
      shareOf(pointer).rows.push(row);
      for (const at of row.reached) users[at]!.add(pointer);
    }
  for (const each of users)
    for (const pointer of each.size > 0 ? each : [NO_CALL]) {
      const share = shareOf(pointer);
      share.instructions += 1 / Math.max(1, each.size);
      if (each.size <= 1) share.own += 1;
    }
  return [...shares.values()].toSorted((a, b) => b.instructions - a.instructions);
}

/**
 * The part of the calls of one architecture that can take each step of the program, from 0 to 1.
 */
export function flowOf(
  rows: readonly Row[],
  abi: Arch,
  weightOf: (call: string) => number,
): Map<number, number> {
  const flow = new Map<number, number>();
  let total = 0;
  for (const { call, places } of rows)
    for (const { steps } of places.filter((each) => each.abi === abi)) {
      const weight = weightOf(call);
      total += weight;
      for (const step of steps) flow.set(step, (flow.get(step) ?? 0) + weight);
    }
  for (const [step, weight] of flow) flow.set(step, weight / (total || 1));
  return flow;
}

/** A node of the decision tree, with the calls that get there by one way. */
export interface Part {
  node: Node;
  /** How they get there, as stepBetween writes it; 0 at the top. */
  step: number;
  /** Of all calls, from 0 to 1. */
  share: number;
  /** If the test holds, and if not. */
  children: Part[];
}

/** Parts that are smaller are left out. */
const SMALLEST = 0.002;

/** A test of an argument sends half of a call each way. Undefined if the calls weigh nothing. */
export function partsOf(
  { rows, filter }: Pick<Study, 'rows' | 'filter'>,
  { root, nodes }: DecisionTree,
  abi: Arch,
  weightOf: (call: string) => number,
): Part | undefined {
  const all = rows.flatMap(({ call, places }) =>
    places.filter((each) => each.abi === abi).map((place) => ({ place, weight: weightOf(call) })),
  );
  const sum = (group: readonly { weight: number }[]) =>
    group.reduce((total, { weight }) => total + weight, 0);
  const total = sum(all);
  const part = (id: number, step: number, group: readonly { place: Place; weight: number }[]): Part[] => {
    const share = sum(group) / total;
    if (!(share >= SMALLEST)) return [];
    const node = nodes.get(id)!;
    if (node.kind !== 'test') return [{ node, step, share, children: [] }];
    const { jt, jf } = filter.instructions[id]!;
    const [yes, no] = [jt, jf].map((skip) => stepBetween(id, id + 1 + skip)) as [number, number];
    const going = (way: number, other: number) =>
      group
        .filter(({ place }) => place.steps.has(way))
        .map(({ place, weight }) => ({ place, weight: place.steps.has(other) ? weight / 2 : weight }));
    const children = [...part(node.yes!, yes, going(yes, no)), ...part(node.no!, no, going(no, yes))];
    return [{ node, step, share, children }];
  };
  return part(root, 0, all)[0];
}
