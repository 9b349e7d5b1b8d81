import { constantSize } from './interval.ts';
import type { Link, Member, UnitPrices } from './interval.ts';

/**
 * A growing window that a chain of JEQ might decide: all leaves but one are on single values, or
 * pairs of neighbours. Once it fails it fails for every larger window.
 */
export class ChainWindow {
  readonly #prices: UnitPrices;
  /** An interval too long for a link; only its leaf may have others. */
  #long: Member | undefined;
  /** Heaviest first; of the same weight the last is one that a test can fall into. */
  readonly #links: Link[] = [];
  /** By leaf: how many links it has, and the first interval that has it. */
  readonly #tallies: { count: number; readonly first: Member }[] = [];
  /** The first interval of the leaf that has most links, of several such leaves the first. */
  #leader: Member | undefined;

  constructor(prices: UnitPrices) {
    this.#prices = prices;
  }

  /** Takes the next interval in; false where no chain can decide the window, nor any larger one. */
  extend(next: Member): boolean {
    const { links } = next;
    if (links.length > 0) for (let at = 0; at < links.length; at++) this.#add(links[at]!);
    else if (this.#long === undefined) this.#long = next;
    else if (this.#long.leaf !== next.leaf) return false;
    return this.#links.length - (this.#tallies[this.main.leaf]?.count ?? 0) <= this.#prices.longestChain;
  }

  /**
   * An interval with the leaf that the chain ends in: that of the long ones, or else the most
   * frequent one.
   */
  get main(): Member {
    return this.#long ?? this.#leader!;
  }

  /** The tests in their order. */
  get links(): Link[] {
    const { leaf } = this.main;
    return this.#links.filter(({ member }) => member.leaf !== leaf);
  }

  /** What the chain costs in a window of this weight. */
  cost(weight: number): number {
    const { main } = this;
    const { test, more } = this.#prices;
    const links = this.#links;
    let cost = 0;
    let left = weight;
    let last = main;
    for (let at = 0; at < links.length; at++) {
      const { value, member, weight: taken } = links[at]!;
      if (member.leaf === main.leaf) continue;
      cost += left + test + more * constantSize(value);
      left -= taken;
      last = member;
    }
    return main.isJumpTarget && last.isJumpTarget ? cost + more : cost;
  }

  #add(link: Link): void {
    const { member } = link;
    const links = this.#links;
    let at = links.length;
    for (; at > 0 && goesBefore(link, links[at - 1]!); at--) links[at] = links[at - 1]!;
    links[at] = link;

    const tally = (this.#tallies[member.leaf] ??= { count: 0, first: member });
    tally.count++;
    const most = this.#leader === undefined ? 0 : this.#tallies[this.#leader.leaf]!.count;
    if (tally.count > most || (tally.count === most && tally.first.index < this.#leader!.index))
      this.#leader = tally.first;
  }
}

function goesBefore(a: Link, b: Link): boolean {
  return a.weight > b.weight || (a.weight === b.weight && a.member.isJumpTarget && !b.member.isJumpTarget);
}
