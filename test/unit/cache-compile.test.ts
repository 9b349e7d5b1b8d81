import { describe, expect, it } from 'vitest';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeLoweredAlias } from '../../src/cache/records/alias.ts';
import { compileCached } from '../../src/cache/compile-cached.ts';
import { recentFilters } from '../../src/cache/recent.ts';
import { readKeys } from '../../src/signature.ts';
import type { Cache } from '../../src/cache/compile-cached.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { writeObject } from '../../src/cache/records/object.ts';
import { compile } from '../../src/compile.ts';
import type { CompileSettings } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';
import { TestStore } from './test-store.ts';
import { runs } from '../runs.ts';

/** With a warning (an unknown name), so that diagnostics have to come back from the cache too. */
const PROFILE = `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
  "syscalls": [
    {"names": ["read", "write", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]}
  ]
}`;
const FAULTY = PROFILE.replace('SCMP_ACT_ERRNO', 'SCMP_ACT_DENY');

function options(changes: Partial<CompileSettings> = {}): CompileSettings {
  return { target: makeTarget({ arch: 'X86_64' }), file: 'p.json', ...changes };
}

const only = (store: CacheStore): Cache => ({ stores: [store] });

describe('compiling with a cache', () => {
  it('gives on a hit what it gave on the miss', async () => {
    const store = new TestStore();
    const fresh = await compile(PROFILE, options());
    expect(fresh.diagnostics.length).toBeGreaterThan(0);
    const miss = await compileCached(PROFILE, options(), only(store));
    expect(miss).toEqual({
      filter: fresh,
      tier: 'none',
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      warnings: [],
    });
    const hit = await compileCached(PROFILE, options(), only(store));
    expect(hit).toEqual({ ...miss, tier: 'test' });
    // A member that the entry forgot would be missing here.
    expect(Object.keys(hit.filter).toSorted()).toEqual(Object.keys(fresh).toSorted());
    // The alias of the input and of the meaning, and what is written on a miss; the alias and the
    // program on a hit.
    expect(store).toMatchObject({ gets: 4, sets: 3 });
  });

  it('calls onMiss before it compiles, and not on a hit', async () => {
    const store = new TestStore();
    let misses = 0;
    const onMiss = () => void (misses += 1);
    expect(await compileCached(PROFILE, options(), only(store), onMiss)).toMatchObject({ tier: 'none' });
    expect(misses).toBe(1);
    expect(await compileCached(PROFILE, options(), only(store), onMiss)).toMatchObject({ tier: 'test' });
    expect(misses).toBe(1);
  });

  it('shares an entry between files of other names, each with its own name in the diagnostics', async () => {
    const store = new TestStore();
    await compileCached(PROFILE, options({ file: 'one.json' }), only(store));
    const hit = await compileCached(PROFILE, options({ file: 'two.json' }), only(store));
    expect(hit.tier).toBe('test');
    expect(hit.filter).toEqual(await compile(PROFILE, options({ file: 'two.json' })));
    const { file: _, ...nameless } = options();
    const unnamed = await compileCached(PROFILE, nameless, only(store));
    expect(unnamed.tier).toBe('test');
    expect(unnamed.filter).toEqual(await compile(PROFILE, nameless));
  });

  it('finds nothing under the key of another target or option, and gives each its own', async () => {
    const store = new TestStore();
    const variants: [string | Uint8Array, CompileSettings][] = [
      [PROFILE, options()],
      [PROFILE, options({ target: makeTarget({ arch: 'AARCH64' }) })],
      [PROFILE, options({ target: makeTarget({ arch: 'X86_64', enosysStub: true }) })],
      [PROFILE, options({ optimize: 'size' })],
      [PROFILE, options({ prove: 'never' })],
    ];
    for (const round of ['none', 'test'])
      for (const [input, setting] of variants) {
        const { filter, tier } = await compileCached(input, setting, only(store));
        expect(tier).toBe(round);
        expect(filter).toEqual(await compile(input, setting));
      }
    const answers = await Promise.all(
      variants.map(async ([input, setting]) => (await compileCached(input, setting, only(store))).key),
    );
    expect(new Set(answers).size).toBe(variants.length);
  });

  it('has one program for all inputs whose rules come to the same', async () => {
    const store = new TestStore();
    const first = await compileCached(PROFILE, options(), only(store));
    const reordered = JSON.stringify({
      syscalls: [
        { names: ['socket'], args: [{ op: 'SCMP_CMP_NE', index: 0, value: 40 }], action: 'SCMP_ACT_ALLOW' },
        { action: 'SCMP_ACT_ALLOW', names: ['write'] },
        { names: ['read', 'read'], action: 'SCMP_ACT_ALLOW' },
      ],
      architectures: ['SCMP_ARCH_X32', 'SCMP_ARCH_X86_64'],
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
    });
    const others = [`${PROFILE}\n`, new TextEncoder().encode(PROFILE), reordered];
    for (const input of others) {
      const { filter, tier, key } = await compileCached(input, options(), only(store));
      expect(tier).toBe('test');
      expect(filter).toEqual(await compile(input, options()));
      expect(filter.bytes).toEqual(first.filter.bytes);
      expect(key).not.toBe(first.key);
    }
    // One program, the way to it from what the rules come to, and one from each input.
    expect(store.keysOf('object')).toHaveLength(1);
    expect(store.keysOf('alias')).toHaveLength(1 + 1 + others.length);
  });

  it('finds the same program as compiling gives, for every profile in this repository', async () => {
    const folder = join(import.meta.dirname, '../../profiles');
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
    expect(files.length).toBeGreaterThan(10);
    const store = new TestStore();
    for (const file of files) {
      const text = readFileSync(join(folder, file), 'utf8');
      await compileCached(text, options(), only(store)).catch(() => {});
    }
    for (const file of files) {
      const text = `${readFileSync(join(folder, file), 'utf8')} `;
      const fresh = await compile(text, options()).catch(() => undefined);
      if (fresh === undefined) continue;
      const found = await compileCached(text, options(), only(store));
      expect([file, found.tier]).toEqual([file, 'test']);
      expect(found.filter).toEqual(fresh);
    }
  });

  it('takes nothing unproved for one that was tried to be proved, and the other way round', async () => {
    const store = new TestStore();
    await compileCached(PROFILE, options({ prove: 'never' }), only(store));
    const proved = await compileCached(PROFILE, options(), only(store));
    expect([proved.tier, proved.filter.proved]).toEqual(['none', true]);
    const required = await compileCached(PROFILE, options({ prove: 'require' }), only(store));
    expect([required.tier, required.filter.proved]).toEqual(['test', true]);
    const unproved = await compileCached(`${PROFILE} `, options({ prove: 'never' }), only(store));
    expect([unproved.tier, unproved.filter.proved]).toEqual(['test', false]);
  });

  it('keeps nothing of a compile that fails, and fails every time alike', async () => {
    const store = new TestStore();
    const faults = () =>
      compileCached(FAULTY, options(), only(store)).then(
        () => [],
        (error: unknown) => (error instanceof SeccompcError ? error.diagnostics : [error]),
      );
    const first = await faults();
    expect(first).not.toEqual([]);
    expect(await faults()).toEqual(first);
    expect(store.texts.size).toBe(0);
  });
});

/** Compiles with a cache that is at fault: what its user is told. */
async function compiled(store: CacheStore, deadline?: number) {
  const found = await compileCached(
    PROFILE,
    options(),
    deadline === undefined ? only(store) : { ...only(store), deadline },
  );
  expect(found.tier).toBe('none');
  expect(found.filter).toEqual(await compile(PROFILE, options()));
  return found.warnings.map(({ code, severity, message }) => ({ code, severity, message }));
}

describe('a fault of the cache is a warning and a fresh compile', () => {
  it('when it rejects, and it is not asked again', async () => {
    const store = new TestStore();
    store.get = () => Promise.reject(new Error('disk on fire'));
    expect(await compiled(store)).toEqual([
      { code: 'CACHE_UNAVAILABLE', severity: 'warning', message: expect.stringContaining('disk on fire') },
    ]);
    expect(store.sets).toBe(0);
  });

  it('when it throws, or cannot be written to', async () => {
    const throwing = new TestStore();
    throwing.get = () => {
      throw new TypeError('not even a promise');
    };
    expect(await compiled(throwing)).toMatchObject([{ code: 'CACHE_UNAVAILABLE' }]);
    const readOnly = new TestStore();
    readOnly.set = () => Promise.reject(new Error('read-only'));
    expect(await compiled(readOnly)).toMatchObject([{ code: 'CACHE_UNAVAILABLE' }]);
  });

  it('when it does not answer', async () => {
    const hanging = new TestStore();
    hanging.get = () => new Promise(() => {});
    expect(await compiled(hanging, 20)).toMatchObject([
      { code: 'CACHE_UNAVAILABLE', message: expect.stringContaining('no answer within 20 ms') },
    ]);
  });

  it('when its program is damaged, and the next one is good again', async () => {
    const store = new TestStore();
    await compileCached(PROFILE, options(), only(store));
    const [digest] = store.keysOf('object');
    const text = store.texts.get(digest!)!;
    for (const bad of ['', 'null', text.slice(0, -20), text.replace('AAA', 'AAB'), text.toUpperCase()]) {
      store.texts.set(digest!, bad);
      // By way of the input, then by way of the meaning.
      expect(await compiled(store)).toMatchObject([
        { code: 'CACHE_ENTRY_REFUSED' },
        { code: 'CACHE_ENTRY_REFUSED' },
      ]);
      expect((await compileCached(PROFILE, options(), only(store))).tier).toBe('test');
    }
  });

  it('when its program is gone', async () => {
    const store = new TestStore();
    await compileCached(PROFILE, options(), only(store));
    store.texts.delete(store.keysOf('object')[0]!);
    expect(await compiled(store)).toEqual([]);
    expect((await compileCached(PROFILE, options(), only(store))).tier).toBe('test');
  });

  it('when an alias is damaged: the other way still leads to the program', async () => {
    const store = new TestStore();
    const { key, filter } = await compileCached(PROFILE, options(), only(store));
    const text = store.texts.get(key)!;
    for (const bad of ['', 'null', text.slice(0, -20), text.replace(/[0-9]/, '#'), text.toUpperCase()]) {
      store.texts.set(key, bad);
      const found = await compileCached(PROFILE, options(), only(store));
      expect(found.warnings.map(({ code }) => code)).toEqual(['CACHE_ENTRY_REFUSED']);
      // The store has answered by the meaning of the profile, so nothing was compiled.
      expect(found.tier).toBe('test');
      expect(found.warnings[0]!.message).not.toMatch(/compile/);
      expect(found.filter).toEqual(filter);
      expect((await compileCached(PROFILE, options(), only(store))).warnings).toEqual([]);
    }
  });

  it('when any two records are swapped', async () => {
    const other = PROFILE.replace('"read", ', '');
    const store = new TestStore();
    await compileCached(PROFILE, options(), only(store));
    const { filter } = await compileCached(other, options(), only(store));
    const fresh = await compile(PROFILE, options());
    expect(fresh.bytes).not.toEqual(filter.bytes);
    const kept = [...store.texts];
    for (const [a, textOfA] of kept)
      for (const [b, textOfB] of kept) {
        store.texts.clear();
        for (const [key, text] of kept) store.texts.set(key, text);
        store.texts.set(a, textOfB);
        store.texts.set(b, textOfA);
        for (const [input, bytes] of [
          [PROFILE, fresh.bytes],
          [other, filter.bytes],
        ] as const)
          expect((await compileCached(input, options(), only(store))).filter.bytes).toEqual(bytes);
      }
  });
});

describe('several stores', () => {
  it('are asked from the nearest on, and the nearer ones get what a farther one has', async () => {
    const far = new TestStore({ tier: 'far' });
    await compileCached(PROFILE, options(), only(far));
    const [near, middle] = [new TestStore({ tier: 'near' }), new TestStore({ tier: 'middle' })];
    const cache: Cache = { stores: [near, middle, far] };
    const first = await compileCached(PROFILE, options(), cache);
    const second = await compileCached(PROFILE, options(), cache);
    expect([first.tier, second.tier]).toEqual(['far', 'near']);
    expect(second.filter).toEqual(first.filter);
    expect(middle.texts).toEqual(near.texts);
    expect(far.sets).toBe(3);
  });

  it('keep a new filter each, and go on when one of them fails', async () => {
    const failing = new TestStore();
    failing.get = () => Promise.reject(new Error('gone'));
    const good = new TestStore({ tier: 'good' });
    const first = await compileCached(PROFILE, options(), { stores: [failing, good] });
    expect(first.warnings.map(({ code }) => code)).toEqual(['CACHE_UNAVAILABLE']);
    expect(failing.sets).toBe(0);
    const second = await compileCached(PROFILE, options(), { stores: [failing, good] });
    expect(second.tier).toBe('good');
  });
});

describe('filters of this process', () => {
  it('come before all stores, and only to the same input and options', async () => {
    const store = new TestStore();
    const cache: Cache = { stores: [store], recent: recentFilters() };
    const bytes = new TextEncoder().encode(PROFILE);
    const first = await compileCached(PROFILE, options(), cache);
    const { gets } = store;
    expect(await compileCached(PROFILE, options(), cache)).toEqual({ ...first, tier: 'memory' });
    expect(store.gets).toBe(gets);
    for (const [input, setting] of [
      [`${PROFILE} `, options()],
      [bytes, options()],
      [PROFILE, options({ file: 'q.json' })],
      [PROFILE, options({ target: makeTarget({ arch: 'AARCH64' }) })],
    ] as const) {
      const other = await compileCached(input, setting, cache);
      expect(other.tier).not.toBe('memory');
      expect(other.filter).toEqual(await compile(input, setting));
      expect((await compileCached(input, setting, cache)).filter).toEqual(other.filter);
    }
  });

  it('are not spoilt by what a caller does to them, or to the input', async () => {
    const cache: Cache = { stores: [], recent: recentFilters() };
    const input = new TextEncoder().encode(PROFILE);
    const fresh = await compile(PROFILE, options());
    for (const _ of [1, 2, 3]) {
      const { filter } = await compileCached(input, options(), cache);
      expect(filter).toEqual(fresh);
      filter.bytes.fill(0);
      Object.assign(filter.instructions[0]!, { k: 7 });
      filter.instructions.length = 1;
      filter.diagnostics[0]!.message = 'x';
      filter.target.capabilities.length = 0;
      filter.arches.length = 0;
    }
    const lax = new TextEncoder().encode(PROFILE.replace('SCMP_ACT_ERRNO', 'SCMP_ACT_ALLOW'));
    input.set(lax.subarray(0, input.length));
    expect((await compileCached(input, options(), cache).catch(() => undefined))?.tier).not.toBe('memory');
  });

  it('are never those of another input, however alike the two are', async () => {
    const cache: Cache = { stores: [], recent: recentFilters() };
    // Longer than what tells a slot, and different in one place.
    const padded = (at: number) => PROFILE.replace('{', `{${' '.repeat(at)}\n${' '.repeat(3000 - at)}`);
    const places = runs(60, 400);
    for (let place = 0; place < places; place += 1) {
      const at = Math.floor((3000 * place) / places);
      const { tier } = await compileCached(padded(at), options({ prove: 'never' }), cache);
      expect(tier).toBe('none');
    }
  });

  it('are forgotten when there are too many, those first that were not asked for longest', async () => {
    const recent = recentFilters(40_000);
    const cache: Cache = { stores: [], recent };
    for (let number = 0; number < 50; number += 1) {
      await compileCached(`${PROFILE}${' '.repeat(number)}`, options({ prove: 'never' }), cache);
      expect((await compileCached(PROFILE, options({ prove: 'never' }), cache)).tier).toBe('memory');
      expect(recent.bytes).toBeLessThanOrEqual(40_000);
    }
    expect(recent.evicted).toBeGreaterThan(10);
    recent.clear();
    expect((await compileCached(PROFILE, options({ prove: 'never' }), cache)).tier).toBe('none');
  });
});

/** A store that others can write to holds what they want. */
describe('a shared store', () => {
  const own = pemsOf();
  const LAX = PROFILE.replace('"SCMP_ACT_ERRNO"', '"SCMP_ACT_LOG"');

  it('is believed, unsigned, only in a program that is proved to be that of the profile', async () => {
    const shared = new TestStore({ shared: true });
    await compileCached(PROFILE, options(), only(shared));
    const found = await compileCached(PROFILE, options(), only(shared));
    expect([found.tier, found.filter.proved]).toEqual(['test', true]);
    expect(found.filter).toEqual(await compile(PROFILE, options()));
    // Who wants no proof compiles.
    const hurried = options({ prove: 'never' });
    await compileCached(PROFILE, hurried, only(shared));
    expect((await compileCached(PROFILE, hurried, only(shared))).tier).toBe('none');
  });

  it('is not believed when the program that it names for a meaning is another', async () => {
    const strict = await compile(PROFILE, options());
    const lax = await compile(LAX, options());
    const shared = new TestStore({ shared: true });
    await compileCached(PROFILE, options(), only(shared));
    const { digest, text } = writeObject(lax.bytes);
    await shared.set(digest, text, { kind: 'object', label: '' });
    for (const key of shared.keysOf('alias'))
      await shared.set(key, writeLoweredAlias(key, { object: digest, proved: true }), shared.infos.get(key)!);
    const found = await compileCached(PROFILE, options(), only(shared));
    expect(found.tier).toBe('none');
    expect(found.filter.bytes).toEqual(strict.bytes);
    expect(found.warnings).toMatchObject([
      { code: 'CACHE_ENTRY_REFUSED', message: expect.stringContaining('another profile') },
    ]);
  });

  it('is believed in what a trusted key has signed, without a proof', async () => {
    const shared = new TestStore({ shared: true });
    const signing: Cache = { stores: [shared], keys: readKeys({ sign: own.sign }) };
    const fresh = await compileCached(PROFILE, options({ prove: 'never' }), signing);
    const trusting: Cache = { stores: [shared], keys: readKeys({ trust: [own.trust] }) };
    const found = await compileCached(PROFILE, options({ prove: 'never' }), trusting);
    expect([found.tier, found.filter]).toEqual(['test', fresh.filter]);
    const reformatted = await compileCached(`${PROFILE}\n`, options({ prove: 'never' }), trusting);
    expect(reformatted.tier).toBe('test');
    const stranger: Cache = { stores: [shared], keys: readKeys({ trust: [pemsOf().trust] }) };
    expect((await compileCached(PROFILE, options({ prove: 'never' }), stranger)).tier).toBe('none');
  });

  it('hands a signed text on as it is, to a store that needs no signature', async () => {
    const shared = new TestStore({ shared: true, tier: 'fleet' });
    await compileCached(PROFILE, options(), { stores: [shared], keys: readKeys({ sign: own.sign }) });
    const near = new TestStore({ tier: 'near' });
    const keys = readKeys({ trust: [own.trust] });
    expect((await compileCached(PROFILE, options(), { stores: [near, shared], keys })).tier).toBe('fleet');
    expect((await compileCached(PROFILE, options(), only(near))).tier).toBe('near');
  });

  it('alone gets signatures', async () => {
    const [near, shared] = [new TestStore(), new TestStore({ shared: true })];
    await compileCached(PROFILE, options(), {
      stores: [near, shared],
      keys: readKeys({ sign: own.sign }),
    });
    expect([...near.texts.values()].filter((text) => text.includes('signature'))).toEqual([]);
    expect([...shared.texts.values()].filter((text) => text.includes('signature'))).toHaveLength(2);
  });
});

function pemsOf(): { sign: string; trust: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    sign: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    trust: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}
