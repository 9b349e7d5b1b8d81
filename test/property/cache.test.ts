import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, keyMaker } from '../../src/cache/key.ts';
import type { KeyFields } from '../../src/cache/key.ts';
import type { Target } from '../../src/target.ts';
import { runs } from '../runs.ts';

const arch = fc.constantFrom('X86_64' as const, 'AARCH64' as const, 'S390X' as const, 'X86' as const);
const version = fc.record({ major: fc.nat(9), minor: fc.nat(30) });
// No optional member here: adding one is a change of its own below.
const target: fc.Arbitrary<Target> = fc.record({
  arch,
  architectures: fc.array(arch, { maxLength: 3 }),
  capabilities: fc.uniqueArray(fc.constantFrom('CAP_CHOWN', 'CAP_KILL', 'CAP_SYS_ADMIN'), { maxLength: 3 }),
  kernel: version,
  engine: fc.constantFrom('moby' as const, 'podman' as const),
  engineRelease: fc.constantFrom('20.10', '24.0'),
  semantics: fc.constantFrom('crun' as const, 'runc' as const),
  runcRelease: fc.constantFrom('1.1', '1.3'),
  enosysStub: fc.boolean(),
  enosysAfter: version,
  overlap: fc.constantFrom('warn' as const, 'error' as const),
  failUnknown: fc.boolean(),
  force: fc.boolean(),
});
type Keyed = KeyFields & { input: Uint8Array };
const fields: fc.Arbitrary<Keyed> = fc.record({
  input: fc.uint8Array({ maxLength: 40 }),
  options: fc.record({
    target,
    optimize: fc.constantFrom('attach' as const, 'frequency' as const),
    prove: fc.constantFrom('auto' as const, 'never' as const, 'require' as const),
  }),
  tables: fc.string(),
  version: fc.string(),
  revision: fc.nat(9),
  format: fc.nat(9),
});

/** Every place in a value where something stands that is not a container. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [path];
  return Object.entries(value).flatMap(([name, member]) => leaves(member, [...path, name]));
}

function membersOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** The key of fields that a test has put together by name. */
function keyOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || !isKeyFields(value))
    throw new TypeError('no key fields');
  return cacheKey(value);
}

function cacheKey({ input, ...rest }: Keyed): string {
  return keyMaker(rest)(input);
}

function isKeyFields(value: object): value is Keyed {
  return ['input', 'options', 'tables', 'version', 'revision', 'format'].every((name) => name in value);
}

function at(value: unknown, path: string[]): unknown {
  return path.reduce<unknown>((inner, name) => membersOf(inner).find(([key]) => key === name)?.[1], value);
}

/** The value with one leaf replaced. */
function withLeaf(value: unknown, [name, ...rest]: string[], leaf: unknown): unknown {
  if (name === undefined) return leaf;
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === name ? withLeaf(item, rest, leaf) : item));
  return Object.fromEntries(
    membersOf(value).map(([key, member]) => [key, key === name ? withLeaf(member, rest, leaf) : member]),
  );
}

function flipped(leaf: unknown): unknown {
  if (typeof leaf === 'boolean') return !leaf;
  if (typeof leaf === 'number') return leaf + 1;
  if (leaf instanceof Uint8Array) return leaf.length === 0 ? new Uint8Array(1) : leaf.map((byte) => byte ^ 1);
  return `${String(leaf)}x`;
}

describe('the key of a compile', () => {
  it('changes with every single field', () => {
    fc.assert(
      fc.property(fields, (one) => {
        const paths = leaves(one);
        expect(paths.length).toBeGreaterThan(14);
        const unnoticed = paths.filter(
          (path) => keyOf(withLeaf(one, path, flipped(at(one, path)))) === cacheKey(one),
        );
        expect(unnoticed).toEqual([]);
      }),
    );
  });

  it('changes when an optional member or one more list item appears', () => {
    fc.assert(
      fc.property(fields, (one) => {
        const key = cacheKey(one);
        const variant = (changes: object) =>
          cacheKey({ ...one, options: { ...one.options, target: { ...one.options.target, ...changes } } });
        const { architectures, capabilities } = one.options.target;
        expect(variant({ enosysAfter: undefined })).not.toBe(key);
        expect(variant({ architectures: undefined })).not.toBe(key);
        expect(variant({ architectures: [...architectures!, 'ARM'] })).not.toBe(key);
        expect(variant({ capabilities: [...capabilities, 'CAP_BPF'] })).not.toBe(key);
        const { prove: _, ...unproved } = one.options;
        expect(cacheKey({ ...one, options: unproved })).not.toBe(key);
      }),
    );
  });

  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fields, (one) => {
        const backwards = (value: unknown): unknown => {
          if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
          if (Array.isArray(value)) return value.map(backwards);
          return Object.fromEntries(
            Object.entries(value)
              .toReversed()
              .map(([name, member]) => [name, backwards(member)]),
          );
        };
        expect(keyOf(backwards(one))).toBe(cacheKey(one));
      }),
    );
  });
});

/**
 * Values with every kind of part, from an alphabet that invites confusion with the framing itself.
 */
const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, false),
    fc.nat(12),
    fc.stringMatching(/^[a-u:0-3]{0,4}$/),
    fc.constantFrom('', 'ab', 'mk', 'dir', 'mkdir', '\ud800', '\udc00', '\ufffd', '\u00e9', 'e\u0301'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.stringMatching(/^[a-c]{0,2}$/), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

describe('the canonical form', () => {
  it('is the same for two values only if the values are the same', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (one, other) => {
        expect(canonicalJson(one) === canonicalJson(other)).toBe(sameValue(one, other));
      }),
      { numRuns: runs(1000, 5000) },
    );
  });

  it('keeps apart what joining would run together', () => {
    const texts = [
      ['mk', 'dir'],
      ['mkdir'],
      ['mkdir', ''],
      [['mk'], 'dir'],
      [['mk', 'dir']],
      'mkdir',
      { mk: 'dir' },
      { mk: 'dir', x: null },
    ].map(canonicalJson);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('has one line, so that what follows the line is told from it', () => {
    fc.assert(fc.property(anyValue, (one) => !canonicalJson(one).includes('\n')));
  });

  it('refuses what it would have to leave out', () => {
    for (const value of [() => 1, Symbol('x'), new Map([[1, 2]]), new Uint8Array(1), NaN, Infinity])
      expect(() => canonicalJson({ value })).toThrow(TypeError);
  });

  it('takes an undefined member for an absent one', () => {
    expect(canonicalJson({ a: 1, b: undefined })).toEqual(canonicalJson({ a: 1 }));
  });
});

/** Structural equality, by type and content, that knows nothing of the encoding. */
function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  return (
    left.size === right.size &&
    [...left].every(([name, member]) => right.has(name) && sameValue(member, right.get(name)))
  );
}
