/**
 * Hashes against chance only: they name the place of an entry. What keeps others from making an entry is who may write
 * the file, and what decides on a hit is equality; a hash to be trusted would cost more than all the rest.
 */

/** 64 bits over all of a text, as 16 hex digits. */
export function quickHash(text: string, seed = 0): string {
  return hashUnits(text, Infinity, seed ^ text.length);
}

/** The same over letters that stand evenly in the text: enough to find a place, in bounded time. */
export function sampleHash(text: string, seed: number): string {
  return hashUnits(text, SAMPLES, seed ^ text.length);
}

const SAMPLES = 101;

function hashUnits(text: string, most: number, seed: number): string {
  const step = Math.max(text.length / most, 1);
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  // By index: an iterator takes several times as long before it is compiled.
  for (let at = 0; at < text.length; at += step) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 0x9e3779b1);
    b = Math.imul(b ^ unit, 0x5f356495);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  const mixed = Math.imul(a ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (a >>> 13), 0xc2b2ae35);
  return hex(mixed) + hex(Math.imul(b ^ (mixed >>> 16), 0x27d4eb2f) ^ a);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
