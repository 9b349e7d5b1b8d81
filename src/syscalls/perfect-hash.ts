/**
 * A minimal perfect hash over a fixed list of names: n names, n slots, one probe.
 *
 * Hash and displace: the hash of a name chooses a bucket, the bucket's displacement mixed into the
 * hash chooses the slot, and the slot holds the position of the one name that can be meant.
 * Building and look-up share the two functions at the end of this file, so that they cannot drift
 * apart. Names are hashed and compared by UTF-16 code units: no folding, no normalisation.
 */

/** Depends on the names alone; the same list always gives the same three values. */
export interface PerfectHash {
  /**
   * Chosen so that no two names have the same 32-bit hash and every bucket finds a displacement.
   */
  readonly seed: number;
  /** One per bucket, u32. */
  readonly displacements: readonly number[];
  /** For each slot the position of its name in the list: a permutation of 0..n-1. */
  readonly slots: readonly number[];
}

/** A hash with the names it was built for. */
export interface NameIndex extends PerfectHash {
  readonly names: readonly string[];
  /** Code units of the longest name: anything longer is refused unread. */
  readonly longest: number;
}

/**
 * The position of a name, 0..n-1, or -1. Never reads more than `longest` code units; any value is
 * safe.
 */
export function positionOf(index: NameIndex, name: unknown): number {
  if (typeof name !== 'string' || name.length > index.longest) return -1;
  const hash = hashOf(name, index.seed);
  const displacement = index.displacements[hash % index.displacements.length];
  if (displacement === undefined) return -1; // a list without names
  const position = index.slots[slotOf(hash, displacement, index.slots.length)]!;
  return index.names[position] === name ? position : -1;
}

/** Names per bucket, on average: fewer buckets make a smaller table and a longer search. */
const BUCKET_SIZE = 4;
const MAX_DISPLACEMENT = 1 << 20;
const MAX_SEED = 1000;

/** @throws Error for a repeated name. */
export function buildPerfectHash(names: readonly string[]): PerfectHash {
  if (new Set(names).size !== names.length) throw new Error('a perfect hash wants distinct names');
  for (let seed = 0; seed < MAX_SEED; seed++) {
    const hash = tryToBuild(names, seed);
    if (hash) return hash;
  }
  throw new Error(`no perfect hash for ${names.length} names within ${MAX_SEED} seeds`);
}

function tryToBuild(names: readonly string[], seed: number): PerfectHash | undefined {
  const hashes = names.map((name) => hashOf(name, seed));
  if (new Set(hashes).size !== names.length) return undefined;
  const buckets: number[][] = Array.from({ length: Math.ceil(names.length / BUCKET_SIZE) }, () => []);
  for (const [position, hash] of hashes.entries()) buckets[hash % buckets.length]!.push(position);

  const slots = Array.from({ length: names.length }, () => -1);
  const displacements = buckets.map(() => 0);
  // The fullest buckets first, while most slots are free; equal ones by their number.
  const order = [...buckets.keys()].toSorted((a, b) => buckets[b]!.length - buckets[a]!.length || a - b);
  for (const number of order) {
    const bucket = buckets[number]!;
    const displacement = findDisplacement(bucket, hashes, slots);
    if (displacement === undefined) return undefined;
    displacements[number] = displacement;
    for (const position of bucket) slots[slotOf(hashes[position]!, displacement, slots.length)] = position;
  }
  return { seed, displacements, slots };
}

/** The smallest displacement that sends a bucket's names to free slots, each to its own. */
function findDisplacement(
  bucket: readonly number[],
  hashes: readonly number[],
  slots: readonly number[],
): number | undefined {
  for (let displacement = 0; displacement < MAX_DISPLACEMENT; displacement++) {
    const wanted = new Set(bucket.map((position) => slotOf(hashes[position]!, displacement, slots.length)));
    if (wanted.size === bucket.length && [...wanted].every((slot) => slots[slot] === -1)) return displacement;
  }
  return undefined;
}

/** FNV-1a over UTF-16 code units, u32. */
function hashOf(name: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * Mixes a displacement into a hash (the finaliser of MurmurHash3) and takes it to a slot,
 * 0..count-1.
 */
function slotOf(hash: number, displacement: number, count: number): number {
  let mixed = hash ^ Math.imul(displacement, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) % count;
}
