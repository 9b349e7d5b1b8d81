interface Entry {
  level: number;
  owners: Set<object>;
}

/**
 * Waiting items, each with the owners that wait for it. Items of a lower level come first; on one level the owners take
 * turns, so an owner with many items does not delay another owner's first one.
 */
export class FairQueue<T> {
  readonly #entries = new Map<T, Entry>();
  /** For each level the owners, the one whose turn it is first, each with its items in order of arrival. */
  readonly #turns: Map<object, Set<T>>[] = [];

  /** Adds an item, or another owner of one that is here already, whose level then stays. */
  add(item: T, owner: object, level: number): void {
    const entry = this.#entries.get(item) ?? { level, owners: new Set() };
    this.#entries.set(item, entry);
    entry.owners.add(owner);
    const turns = (this.#turns[entry.level] ??= new Map<object, Set<T>>());
    turns.set(owner, (turns.get(owner) ?? new Set()).add(item));
  }

  /** Removes an owner of an item, and with its last owner the item. */
  leave(item: T, owner: object): void {
    const entry = this.#entries.get(item);
    if (entry?.owners.delete(owner) !== true) return;
    this.#removeTurn(item, owner, entry.level);
    if (entry.owners.size === 0) this.#entries.delete(item);
  }

  /** The item that {@link take} gives next, and its level. */
  peek(): { item: T; level: number } | undefined {
    const next = this.#next();
    return next && { item: next.item, level: next.level };
  }

  /** Removes the next item for all its owners; the owner whose turn it was is last now. */
  take(): T | undefined {
    const next = this.#next();
    if (next === undefined) return undefined;
    const { item, level, owner } = next;
    for (const other of this.#entries.get(item)!.owners) this.#removeTurn(item, other, level);
    this.#entries.delete(item);
    const turns = this.#turns[level]!;
    const rest = turns.get(owner);
    if (rest !== undefined) {
      turns.delete(owner);
      turns.set(owner, rest);
    }
    return item;
  }

  has(item: T): boolean {
    return this.#entries.has(item);
  }

  get size(): number {
    return this.#entries.size;
  }

  #next(): { item: T; level: number; owner: object } | undefined {
    // Holes in the array are levels that were never used.
    for (const [level, turns] of this.#turns.entries())
      for (const [owner, items] of turns ?? []) for (const item of items) return { item, level, owner };
    return undefined;
  }

  #removeTurn(item: T, owner: object, level: number): void {
    const turns = this.#turns[level]!;
    const items = turns.get(owner);
    items?.delete(item);
    if (items?.size === 0) turns.delete(owner);
  }
}
