/** A map of bounded size that forgets the least recently used values. */
export class Lru<V> {
  // A Map is in the order of insertion, so the first key is the one to forget.
  readonly #map = new Map<string, { value: V; bytes: number }>();
  readonly #limit: number;
  #bytes = 0;
  #evicted = 0;

  /** @param limit bytes, 0 for a map that holds nothing */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    const kept = this.#map.get(key);
    if (kept === undefined) return undefined;
    this.#map.delete(key);
    this.#map.set(key, kept);
    return kept.value;
  }

  /** `bytes` is the size of the value; a value above the limit by itself is not kept. */
  set(key: string, value: V, bytes: number): void {
    this.remove(key);
    if (bytes > this.#limit) return;
    this.#map.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#map.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.remove(oldest);
      this.#evicted += 1;
    }
  }

  remove(key: string): void {
    this.#bytes -= this.#map.get(key)?.bytes ?? 0;
    this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
    this.#bytes = 0;
  }

  /** Everything in it, the least recently used first. This does not count as use. */
  all(): [string, V][] {
    return Array.from(this.#map, ([key, { value }]) => [key, value]);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#map.size;
  }

  /** How many values were forgotten. */
  get evicted(): number {
    return this.#evicted;
  }
}
