import type { Effort } from '../effort.ts';
import type { Node } from '../graph.ts';
import { argOf, implies } from './word-condition.ts';
import type { Condition, Conditions, Fact, Outcome } from './word-condition.ts';

/**
 * What is left of a decision at one point of a program, in a form in which decisions that mean the
 * same are the same as often as is easily seen.
 */

/** Conditions on different arguments that must all hold. Equal boxes are one object. */
export interface Box {
  readonly id: number;
  /** By argument, ascending; none at all holds always. */
  readonly conditions: readonly Condition[];
  /** Instructions to test it alone, about. */
  readonly cost: number;
}

/** Boxes with one answer; their order does not matter. */
export interface Block {
  readonly answer: Node;
  /** By id, ascending; at least one, none that always holds. */
  readonly boxes: readonly Box[];
}

/** The first block of which a box holds gives the answer, else `otherwise`. */
export interface Problem {
  readonly blocks: readonly Block[];
  readonly otherwise: Node;
  /** Text that two problems share only if they are the same. */
  readonly key: string;
}

/** A block before its boxes are put in order; false for a box that never holds. */
export interface LooseBlock {
  readonly answer: Node;
  readonly boxes: readonly (Box | false)[];
}

/**
 * The most boxes of a block of which each is compared with each, and the most that are joined, but
 * for a whole decision.
 */
const MAX_COMPARED = 24;
const MAX_JOINED = 64;
const ARGUMENTS = 6;

/** A box with those that have one condition more, or less. */
class MadeBox implements Box {
  readonly id: number;
  readonly conditions: readonly Condition[];
  readonly cost: number;
  /** By id of the next condition. */
  readonly longer = new Map<number, MadeBox>();
  /** By place of a condition: the box without it. */
  readonly without: (Box | undefined)[] = [];

  constructor(id: number, conditions: readonly Condition[]) {
    this.id = id;
    this.conditions = conditions;
    this.cost = conditions.reduce((sum, condition) => sum + condition.cost, 0);
  }
}

/** Makes boxes and problems. */
export class Problems {
  readonly conditions: Conditions;
  readonly #effort: Effort;
  readonly #always = new MadeBox(0, []);
  #count = 1;

  constructor(conditions: Conditions, effort: Effort) {
    this.conditions = conditions;
    this.#effort = effort;
  }

  /** @param conditions by argument, ascending */
  box(conditions: readonly Condition[]): Box {
    let box = this.#always;
    for (let at = 0; at < conditions.length; at++) {
      const condition = conditions[at]!;
      let next = box.longer.get(condition.id);
      if (next === undefined) {
        next = new MadeBox(this.#count++, conditions.slice(0, at + 1));
        box.longer.set(condition.id, next);
      }
      box = next;
    }
    return box;
  }

  /** A box with another outcome in the place of one of its conditions. */
  replace(box: Box, at: number, outcome: Outcome): Box | false {
    if (outcome === false) return false;
    if (outcome === true) return this.without(box, at);
    if (outcome === box.conditions[at]) return box;
    return this.box(box.conditions.with(at, outcome));
  }

  without(box: Box, at: number): Box {
    const { without } = box as MadeBox;
    return (without[at] ??= this.box(box.conditions.toSpliced(at, 1)));
  }

  given(box: Box, fact: Fact): Box | false {
    const at = placeOf(box, argOf(fact.word));
    return at < 0 ? box : this.replace(box, at, this.conditions.given(box.conditions[at]!, fact));
  }

  /** What is left of a problem once a fact is known. */
  narrow({ blocks, otherwise }: Problem, fact: Fact): Problem {
    const left = blocks.map(({ answer, boxes }) => {
      this.#effort.spend(boxes.length);
      return { answer, boxes: boxes.map((box) => this.given(box, fact)) };
    });
    return this.make(left, otherwise);
  }

  /** The problem of some blocks; with `whole` all boxes are joined and compared, however many. */
  make(blocks: readonly LooseBlock[], otherwise: Node, whole = false): Problem {
    let last = otherwise;
    const kept: Block[] = [];
    for (const { answer, boxes } of blocks) {
      const merged = this.#merge(boxes, whole);
      if (isAlways(merged)) {
        last = answer;
        break;
      }
      if (merged.length > 0) kept.push({ answer, boxes: merged });
    }
    while (kept.at(-1)?.answer === last) kept.pop();
    const key = kept.map(({ answer, boxes }) => `${answer.id}:${boxes.map(({ id }) => id).join()}`).join(';');
    return { blocks: kept, otherwise: last, key: `${key}/${last.id}` };
  }

  /**
   * Boxes of one block without those that others cover, and with those joined that differ in one
   * argument only.
   */
  #merge(boxes: readonly (Box | false)[], whole: boolean): readonly Box[] {
    const distinct = new Set<Box>();
    for (const box of boxes) {
      if (box === this.#always) return [box];
      if (box !== false) distinct.add(box);
    }
    let merged: readonly Box[] = [...distinct];
    if (whole || merged.length <= MAX_JOINED) merged = this.#joined(merged);
    if (merged.length < 2) return merged;
    if (whole || merged.length <= MAX_COMPARED) merged = this.#maximal(merged);
    return merged.toSorted((a, b) => a.id - b.id);
  }

  /** Joins boxes by one argument after the other until that makes no fewer of them. */
  #joined(boxes: readonly Box[]): readonly Box[] {
    let joined = boxes;
    for (let length = Infinity; joined.length < length;) {
      ({ length } = joined);
      for (let arg = 0; arg < ARGUMENTS && joined.length > 1; arg++) joined = this.#join(joined, arg);
    }
    return joined;
  }

  /**
   * The boxes with one condition joined, by argument; one box that always holds takes the place of
   * all.
   */
  joinSingle(boxes: readonly Box[]): readonly Box[] {
    const byArg = new Map<number, Condition[]>();
    const joined: Box[] = [];
    for (const box of boxes) {
      const [only, another] = box.conditions;
      if (only === undefined) return [box];
      if (another !== undefined) joined.push(box);
      else add(byArg, argOf(only.word), only);
    }
    for (const conditions of byArg.values()) {
      const unions = this.#union(conditions);
      if (unions === true) return [this.#always];
      for (const union of unions) joined.push(this.box([union]));
    }
    return joined;
  }

  /** Joins boxes whose conditions are the same but on one argument. */
  #join(boxes: readonly Box[], arg: number): readonly Box[] {
    this.#effort.spend(boxes.length);
    const joined: Box[] = [];
    const byRest = new Map<Box, Condition[]>();
    for (const box of boxes) {
      const at = placeOf(box, arg);
      if (at < 0) joined.push(box);
      else add(byRest, this.without(box, at), box.conditions[at]!);
    }
    if (joined.length + byRest.size === boxes.length) return boxes;
    for (const [rest, conditions] of byRest) {
      const unions = this.#union(conditions);
      if (unions === true) {
        if (rest === this.#always) return [rest];
        joined.push(rest);
      } else for (const union of unions) joined.push(this.#with(rest, union));
    }
    return joined;
  }

  /**
   * As few conditions as easily found that together hold where one of these on one argument does;
   * true for everywhere.
   */
  #union(conditions: readonly Condition[]): readonly Condition[] | true {
    if (conditions.length === 1) return conditions;
    const unions: Condition[] = [];
    const ranges = conditions.filter(({ kind }) => kind === 'ranges');
    const whole = this.#unionOf(ranges, 0, ranges.length);
    if (whole === true) return true;
    if (whole !== undefined && whole !== false) unions.push(whole);
    const rest = whole === undefined ? conditions : conditions.filter(({ kind }) => kind !== 'ranges');
    for (const condition of rest) {
      let union = condition;
      for (let at = unions.length - 1; at >= 0; at--) {
        this.#effort.spend(1);
        const wider = this.conditions.or(union, unions[at]!);
        if (wider === true) return true;
        if (wider === undefined || wider === false) continue;
        unions.splice(at, 1);
        union = wider;
      }
      unions.push(union);
    }
    return unions;
  }

  /** In halves, so that a long list is not copied for each of its values. */
  #unionOf(conditions: readonly Condition[], from: number, to: number): Outcome | undefined {
    if (to - from < 2) return from < to ? conditions[from]! : false;
    const middle = (from + to) >> 1;
    const low = this.#unionOf(conditions, from, middle);
    const high = this.#unionOf(conditions, middle, to);
    this.#effort.spend(to - from);
    return low === undefined || high === undefined ? undefined : this.conditions.or(low, high);
  }

  #with({ conditions }: Box, condition: Condition): Box {
    const at = conditions.findIndex(({ word }) => word > condition.word);
    return this.box(conditions.toSpliced(at < 0 ? conditions.length : at, 0, condition));
  }

  /** The boxes that lie in no other one. */
  #maximal(boxes: readonly Box[]): readonly Box[] {
    let maximal: Box[] = [];
    const widestFirst = boxes.toSorted((a, b) => a.conditions.length - b.conditions.length || a.id - b.id);
    for (const box of widestFirst) {
      this.#effort.spend(maximal.length);
      if (maximal.some((other) => liesIn(box, other))) continue;
      maximal = maximal.filter((other) => !liesIn(other, box));
      maximal.push(box);
    }
    return maximal;
  }
}

/** The place of a box's condition on an argument; -1 without one. */
export function placeOf({ conditions }: Box, arg: number): number {
  for (let at = 0; at < conditions.length; at++) if (argOf(conditions[at]!.word) === arg) return at;
  return -1;
}

/** Whether boxes are one that always holds. */
function isAlways(boxes: readonly Box[]): boolean {
  return boxes.length === 1 && boxes[0]!.conditions.length === 0;
}

/** Whether whatever is in the first box is easily seen to be in the second. */
function liesIn(box: Box, other: Box): boolean {
  if (other.conditions.length > box.conditions.length) return false;
  return other.conditions.every((wanted) => {
    const at = placeOf(box, argOf(wanted.word));
    return at >= 0 && implies(box.conditions[at]!, wanted);
  });
}

export function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
