/** The search has used up its share of the work. */
class OutOfEffort extends Error {}

/**
 * Work of one compilation, counted rather than timed, so that the same profile becomes the same
 * program on every machine. Where it is used up, a search gives way to a form that needs none. A
 * unit is about one step of a loop over rules.
 */
export class Effort {
  #left: number;
  /** Below this a search within ends. */
  #floor = 0;

  constructor(units: number) {
    this.#left = units;
  }

  get left(): number {
    return this.#left;
  }

  /** Counts work; ends the search that does it when its share is used up. */
  spend(units: number): void {
    this.#left -= units;
    if (this.#left < this.#floor) throw new OutOfEffort();
  }

  /**
   * What a search finds with at most so many units of what is left; undefined when it takes more.
   */
  within<T>(units: number, search: () => T): T | undefined {
    const before = this.#floor;
    this.#floor = Math.max(before, this.#left - units);
    try {
      return search();
    } catch (error) {
      if (error instanceof OutOfEffort) return undefined;
      throw error;
    } finally {
      this.#floor = before;
    }
  }

  /** Does what needs no search, whatever is left. */
  unlimited<T>(work: () => T): T {
    const before = this.#floor;
    this.#floor = -Infinity;
    try {
      return work();
    } finally {
      this.#floor = before;
    }
  }
}
