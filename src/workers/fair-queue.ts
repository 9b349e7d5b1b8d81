/**
 * Waiting items, each with the owners that wait for it. Owners of a lower level come first; on one
 * level they take turns, so an owner with many items does not delay another owner's first one.
 */
export class FairQueue<T> {
  readonly #levelOf: (owner: object) => number;
  /** The items of each owner in order of arrival; the owner whose turn it is comes first. */
  readonly #turns = new Map<object, Set<T>>();
  readonly #owners = new Map<T, Set<object>>();

  /** @param levelOf 0 or more; it may change while an owner waits */
  constructor(levelOf: (owner: object) => number) {
    this.#levelOf = levelOf;
  }

  /** Adds an item, or another owner of one that is here already. */
  add(item: T, owner: object): void {
    this.#owners.set(item, (this.#owners.get(item) ?? new Set()).add(owner));
    this.#turns.set(owner, (this.#turns.get(owner) ?? new Set()).add(item));
  }

  /** Removes an owner of an item, and with its last owner the item. */
  leave(item: T, owner: object): void {
    const owners = this.#owners.get(item);
    if (owners?.delete(owner) !== true) return;
    if (owners.size === 0) this.#owners.delete(item);
    const items = this.#turns.get(owner)!;
    items.delete(item);
    if (items.size === 0) this.#turns.delete(owner);
  }

  /** The item that {@link take} gives next, and the level of the owner whose turn it is. */
  peek(): { item: T; owner: object; level: number } | undefined {
    let best: { owner: object; items: Set<T>; level: number } | undefined;
    for (const [owner, items] of this.#turns) {
      const level = this.#levelOf(owner);
      if (best === undefined || level < best.level) best = { owner, items, level };
      if (level === 0) break;
    }
    for (const item of best?.items ?? []) return { item, owner: best!.owner, level: best!.level };
    return undefined;
  }

  /** Removes the next item for all its owners; the owner whose turn it was is last now. */
  take(): T | undefined {
    const next = this.peek();
    if (next === undefined) return undefined;
    const { item, owner } = next;
    for (const other of this.#owners.get(item)!) this.leave(item, other);
    const rest = this.#turns.get(owner);
    if (rest !== undefined) {
      this.#turns.delete(owner);
      this.#turns.set(owner, rest);
    }
    return item;
  }

  has(item: T): boolean {
    return this.#owners.has(item);
  }

  get size(): number {
    return this.#owners.size;
  }
}
