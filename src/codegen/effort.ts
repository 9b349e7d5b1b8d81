/** The search has used up its share of the work. */
export class OutOfEffort extends Error {}

/**
 * Work of one compilation, counted rather than timed, so that the same profile becomes the same program on every machine.
 * Where it is used up, a search gives way to a form that needs none. A unit is about one step of a loop over rules.
 */
export class Effort {
  #left: number;

  constructor(units: number) {
    this.#left = units;
  }

  get left(): number {
    return this.#left;
  }

  /** Counts work that is done already. */
  charge(units: number): void {
    this.#left -= units;
  }

  /** @throws OutOfEffort when less is left than that */
  spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw new OutOfEffort();
  }
}
