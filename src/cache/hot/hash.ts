/**
 * Hashes against chance only: they find an entry and tell a damaged one. What keeps others from making an entry is who
 * may write the file, and what decides on a hit is byte equality; a hash to be trusted would cost more than all the
 * rest (node:crypto takes 3 ms to load).
 */

/** 64 bits over all of some bytes, as 16 hex digits. */
export function quickHash(bytes: Uint8Array, seed = 0): string {
  return hashWords(wordsOf(bytes), Infinity, seed ^ bytes.length);
}

/** The same over words that stand evenly in the bytes: enough to find a place, in bounded time. */
export function sampleHash(bytes: Uint8Array, seed: number): string {
  return hashWords(wordsOf(bytes), SAMPLES, seed ^ bytes.length);
}

const SAMPLES = 509;

function hashWords(words: Int32Array, most: number, seed: number): string {
  const step = Math.max(words.length / most, 1);
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  // By index: an iterator takes several times as long before it is compiled.
  for (let at = 0; at < words.length; at += step) {
    const word = words[at | 0]!;
    a = Math.imul(a ^ word, 0x9e3779b1);
    b = Math.imul(b ^ word, 0x5f356495);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  const mixed = Math.imul(a ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (a >>> 13), 0xc2b2ae35);
  return hex(mixed) + hex(Math.imul(b ^ (mixed >>> 16), 0x27d4eb2f) ^ a);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

/** The bytes as 32-bit words in the machine's order, zeros at the end. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const whole = new Uint8Array((bytes.length + 3) & ~3);
  whole.set(bytes);
  return new Int32Array(whole.buffer);
}
