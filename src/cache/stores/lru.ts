/** A map that forgets what was not used for longest once its values have more bytes than it may hold. */
export interface Lru<V> {
  get(key: string): V | undefined;
  /** `bytes` is what the value counts for; a value above the limit by itself is not kept. */
  set(key: string, value: V, bytes: number): void;
  remove(key: string): void;
  clear(): void;
  /** Everything it holds, that not used for longest first; looking at it so is no use. */
  all(): [string, V][];
  readonly bytes: number;
  readonly entries: number;
  /** How many values were forgotten. */
  readonly evicted: number;
}

interface Kept<V> {
  value: V;
  bytes: number;
}

/** @param limit bytes, 0 for a map that holds nothing */
export function lruByBytes<V>(limit: number): Lru<V> {
  // A Map is in the order of insertion, so the first key is the one to forget.
  const map = new Map<string, Kept<V>>();
  let total = 0;
  let evicted = 0;

  function remove(key: string): void {
    total -= map.get(key)?.bytes ?? 0;
    map.delete(key);
  }
  return {
    get(key) {
      const kept = map.get(key);
      if (kept === undefined) return undefined;
      map.delete(key);
      map.set(key, kept);
      return kept.value;
    },
    set(key, value, bytes) {
      remove(key);
      if (bytes > limit) return;
      map.set(key, { value, bytes });
      total += bytes;
      for (const oldest of map.keys()) {
        if (total <= limit) break;
        remove(oldest);
        evicted += 1;
      }
    },
    remove,
    clear() {
      map.clear();
      total = 0;
    },
    all: () => Array.from(map, ([key, { value }]) => [key, value]),
    get bytes() {
      return total;
    },
    get entries() {
      return map.size;
    },
    get evicted() {
      return evicted;
    },
  };
}
