/** Records and stores for the tests of what looks after a cache. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { encode } from '../../src/bpf/instruction.ts';
import type { Endian } from '../../src/bpf/instruction.ts';
import { writeLoweredAlias } from '../../src/cache/records/alias.ts';
import { writeObject } from '../../src/cache/records/object.ts';
import { readSigner } from '../../src/signature.ts';
import type { Signer } from '../../src/signature.ts';
import type { CacheStore, StoredRecord } from '../../src/cache/stores/store.ts';
import type { NewRecord } from '../../src/cache/stores/store.ts';

/** A program of three instructions that no other number gives. */
export function program(number: number, endian: Endian = 'little'): Uint8Array {
  const load = { code: 0x20, jt: 0, jf: 0, k: 0 };
  const mask = { code: 0x54, jt: 0, jf: 0, k: number };
  const allow = { code: 0x06, jt: 0, jf: 0, k: 0x7fff0000 };
  return encode([load, mask, allow], endian);
}

export function keyOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** An object and the alias that leads to it. */
export function makePair(number: number, signer?: Signer): [object: NewRecord, alias: NewRecord] {
  const { digest, text } = writeObject(program(number));
  const key = keyOf(`alias ${number}`);
  const alias = writeLoweredAlias(key, { object: digest, proved: true }, signer);
  return [
    { key: digest, text, kind: 'object', label: '3 instructions' },
    { key, text: alias, kind: 'alias', label: 'X86_64, proved' },
  ];
}

export function makeRecords(pairs: number, signer?: Signer): NewRecord[] {
  return Array.from({ length: pairs }, (_, number) => makePair(number, signer)).flat();
}

/** A new key: what signs, and both halves in PEM. */
export function makeKey(): { signer: Signer; publicPem: string; privatePem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    signer: readSigner(privatePem),
    privatePem,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

export interface MapStore extends CacheStore {
  readonly kept: Map<string, NewRecord & { made: number }>;
}

/** A store that is a map, with methods in place of its own. */
export function mapStore(records: readonly NewRecord[] = [], changes: Partial<CacheStore> = {}): MapStore {
  const kept = new Map(records.map((record) => [record.key, { ...record, made: 0 }]));
  const list = (): StoredRecord[] =>
    [...kept.values()]
      .map(({ text, ...rest }) => ({ ...rest, bytes: Buffer.byteLength(text), used: rest.made }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return {
    kept,
    tier: 'map',
    location: 'map:',
    shared: false,
    get: async (key) => kept.get(key)?.text,
    set: async (key, text, info) => void kept.set(key, { key, text, ...info, made: 0 }),
    remove: async (keys) => keys.forEach((key) => kept.delete(key)),
    list: async () => list(),
    clear: async () => kept.clear(),
    stats: () => Promise.reject(new Error('not asked for')),
    close: async () => {},
    ...changes,
  };
}

/** A text in which one character is another one. */
export function damaged(text: string): string {
  const middle = Math.floor(text.length / 2);
  return text.slice(0, middle) + (text[middle] === 'A' ? 'B' : 'A') + text.slice(middle + 1);
}
