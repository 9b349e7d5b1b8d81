import { describe, expect, it } from 'vitest';
import { compileCached } from '../../src/cache/index.ts';
import type { CacheStore } from '../../src/cache/index.ts';
import { compile } from '../../src/compile.ts';
import type { CompileOptions } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';

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

function options(changes: Partial<CompileOptions> = {}): CompileOptions {
  return { target: makeTarget({ arch: 'X86_64' }), file: 'p.json', ...changes };
}

/** A store in memory that counts, and that a test can make misbehave. */
class TestStore implements CacheStore {
  readonly tier = 'test';
  readonly location = 'memory';
  readonly texts = new Map<string, string>();
  gets = 0;
  sets = 0;
  async get(key: string) {
    this.gets += 1;
    return this.texts.get(key);
  }
  async set(key: string, text: string) {
    this.sets += 1;
    this.texts.set(key, text);
  }
  async clear() {
    this.texts.clear();
  }
  async stats() {
    return { entries: this.texts.size, bytes: 0 };
  }
  async close() {}
}

describe('compiling with a cache', () => {
  it('gives on a hit what it gave on the miss', async () => {
    const store = new TestStore();
    const fresh = await compile(PROFILE, options());
    expect(fresh.diagnostics.length).toBeGreaterThan(0);
    const miss = await compileCached(PROFILE, options(), store);
    expect(miss).toEqual({
      filter: fresh,
      tier: 'none',
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      warnings: [],
    });
    const hit = await compileCached(PROFILE, options(), store);
    expect(hit).toEqual({ ...miss, tier: 'test' });
    // A member that the entry forgot would be missing here.
    expect(Object.keys(hit.filter).toSorted()).toEqual(Object.keys(fresh).toSorted());
    expect(store).toMatchObject({ gets: 2, sets: 1 });
  });

  it('shares an entry between files of other names, each with its own name in the diagnostics', async () => {
    const store = new TestStore();
    await compileCached(PROFILE, options({ file: 'one.json' }), store);
    const hit = await compileCached(PROFILE, options({ file: 'two.json' }), store);
    expect(hit.tier).toBe('test');
    expect(hit.filter).toEqual(await compile(PROFILE, options({ file: 'two.json' })));
    const { file: _, ...nameless } = options();
    const unnamed = await compileCached(PROFILE, nameless, store);
    expect(unnamed.tier).toBe('test');
    expect(unnamed.filter).toEqual(await compile(PROFILE, nameless));
  });

  it('shares none between inputs, targets or options that differ', async () => {
    const store = new TestStore();
    const variants: [string | Uint8Array, CompileOptions][] = [
      [PROFILE, options()],
      [`${PROFILE}\n`, options()],
      [new TextEncoder().encode(PROFILE), options()],
      [PROFILE, options({ target: makeTarget({ arch: 'AARCH64' }) })],
      [PROFILE, options({ target: makeTarget({ arch: 'X86_64', semantics: 'runc' }) })],
      [PROFILE, options({ target: makeTarget({ arch: 'X86_64', kernel: { major: 4, minor: 19 } }) })],
      [PROFILE, options({ prove: 'never' })],
      [PROFILE, options({ prove: 'require' })],
    ];
    for (const [input, setting] of variants)
      expect((await compileCached(input, setting, store)).tier).toBe('none');
    expect(store.texts.size).toBe(variants.length);
  });

  it('keeps nothing of a compile that fails, and fails every time alike', async () => {
    const store = new TestStore();
    const faults = () =>
      compileCached(FAULTY, options(), store).then(
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
  const found = await compileCached(PROFILE, options(), store, deadline);
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

  it('when an entry is damaged, and the next one is good again', async () => {
    const store = new TestStore();
    await compileCached(PROFILE, options(), store);
    const { key } = await compileCached(PROFILE, options(), store);
    const text = store.texts.get(key)!;
    for (const bad of ['', 'null', text.slice(0, -20), text.replace('AAA', 'AAB'), text.toUpperCase()]) {
      store.texts.set(key, bad);
      expect(await compiled(store)).toMatchObject([{ code: 'CACHE_ENTRY_REFUSED' }]);
      expect((await compileCached(PROFILE, options(), store)).tier).toBe('test');
    }
  });

  it('when two entries are swapped', async () => {
    const store = new TestStore();
    const other = PROFILE.replace('"read", ', '');
    const a = await compileCached(PROFILE, options(), store);
    const b = await compileCached(other, options(), store);
    expect(a.filter.bytes).not.toEqual(b.filter.bytes);
    const kept = new Map(store.texts);
    store.texts.set(a.key, kept.get(b.key)!);
    store.texts.set(b.key, kept.get(a.key)!);
    expect(await compiled(store)).toMatchObject([
      { code: 'CACHE_ENTRY_REFUSED', message: expect.stringContaining('another key') },
    ]);
  });
});
