import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { parseJson } from '../../src/profile/json.ts';
import type { JsonNode } from '../../src/profile/json.ts';
import { offsetOf } from '../../src/profile/place.ts';
import { plainProfile } from '../../src/profile/plain.ts';
import { escapeToken, find } from '../../src/profile/pointer.ts';
import { parseProfile } from '../../src/profile/read.ts';

/** The reader without its quick way. */
let parseExactly: typeof parseProfile;
const givesUp = vi.fn<() => undefined>();

beforeAll(async () => {
  vi.resetModules();
  vi.doMock('../../src/profile/plain.ts', () => ({ plainProfile: givesUp }));
  parseExactly = (await import('../../src/profile/read.ts')).parseProfile;
  vi.doUnmock('../../src/profile/plain.ts');
});

const FILE = { file: 'p.json' };

/** Every pointer of a document, some that point beside it, and some in another case. */
function pointersOf(node: JsonNode, pointer = ''): string[] {
  const inner =
    node.kind === 'object'
      ? node.members.flatMap(({ key, value }) => pointersOf(value, `${pointer}/${escapeToken(key)}`))
      : node.kind === 'array'
        ? node.items.flatMap((value, index) => pointersOf(value, `${pointer}/${index}`))
        : [];
  return [pointer, `${pointer}/names`, `${pointer}/07`, `${pointer}/9`, pointer.toUpperCase(), ...inner];
}

/** Holds both ways against each other; true when the quick one was taken. */
function readsAlike(text: string): boolean {
  const quick = parseProfile(text, FILE);
  const exact = parseExactly(text, FILE);
  expect({ ...quick, profile: { ...quick.profile, locate: undefined } }).toEqual({
    ...exact,
    profile: { ...exact.profile, locate: undefined },
  });
  const plain = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (plainProfile(plain) === undefined) return false;
  const { root, positionAt, diagnostics } = parseJson(plain);
  expect(diagnostics).toEqual([]);
  for (const pointer of pointersOf(root!)) {
    const { offset } = find(root!, pointer).node;
    expect(offsetOf(plain, pointer)).toBe(offset);
    expect(quick.profile!.locate(pointer)).toEqual(positionAt(offset));
  }
  return true;
}

const ACTIONS = ['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_NOTIFY'];
const word = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.constantFrom('read', 'write', 'clone3', 'amd64', 'CAP_SYS_ADMIN', '4.8', 'EPERM'),
  },
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const words = fc.oneof({ weight: 9, arbitrary: fc.array(word, { maxLength: 4 }) }, fc.constant(null));
const number = fc.oneof(
  { weight: 9, arbitrary: fc.nat(5) },
  fc.integer({ min: -1, max: 2 ** 32 }),
  fc.constantFrom(2 ** 53, 2 ** 53 + 2, 2 ** 64, 1e21, 0.5, -0, 999_999_999_999_999, 1e15),
);
const condition = fc.option(fc.record({ caps: words, arches: words, minKernel: word }, { requiredKeys: [] }));
const arg = fc.record(
  {
    index: number,
    value: number,
    valueTwo: fc.option(number),
    op: fc.constantFrom('SCMP_CMP_EQ', 'SCMP_CMP_MASKED_EQ', 'SCMP_CMP_LT'),
  },
  { requiredKeys: ['index', 'value', 'op'] },
);
const oci = {
  names: words,
  action: fc.constantFrom(...ACTIONS),
  errnoRet: number,
  args: fc.array(arg, { maxLength: 2 }),
};
const dialect = { ...oci, name: word, comment: word, errno: word, includes: condition, excludes: condition };
const head = {
  defaultAction: fc.constantFrom(...ACTIONS),
  defaultErrnoRet: number,
  architectures: words,
  flags: fc.oneof(fc.constant([]), fc.constant(['SECCOMP_FILTER_FLAG_LOG']), words),
  listenerPath: word,
};
const archMap = fc.array(fc.record({ architecture: word, subArchitectures: words }), { maxLength: 2 });
const profile = fc.oneof(
  fc.record(
    { ...head, syscalls: fc.array(fc.record(oci, { requiredKeys: ['names', 'action'] }), { maxLength: 3 }) },
    { requiredKeys: ['defaultAction'] },
  ),
  fc.record(
    {
      ...head,
      archMap,
      syscalls: fc.array(fc.record(dialect, { requiredKeys: ['action'] }), { maxLength: 3 }),
    },
    { requiredKeys: ['defaultAction'] },
  ),
);

/** Any JSON; seldom with fractions, whose many digits the quick reader leaves to the exact one. */
const anything = (maxDepth: number) =>
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.object({
        maxDepth,
        values: [word, number.filter(Number.isSafeInteger), fc.constant(null)],
      }),
    },
    fc.jsonValue({ maxDepth }),
  );

/** A config.json, with things in it that another reader might take for a profile. */
const config = fc
  .tuple(
    fc.record(
      {
        ociVersion: fc.constantFrom<unknown>('1.2.0', 1),
        process: fc.oneof(anything(3), fc.constant({ filter: [], default_action: 'allow' })),
        mounts: fc.array(anything(2), { maxLength: 2 }),
        annotations: fc.dictionary(fc.constantFrom('filter', 'seccomp', 'default_action', 'Linux'), word),
        hostname: word,
      },
      { requiredKeys: [] },
    ),
    fc.oneof(fc.constant({ defaultAction: 'SCMP_ACT_KILL', syscalls: [] }), fc.option(profile, { freq: 9 })),
    fc.dictionary(
      fc.constantFrom('Seccomp', 'namespaces', 'resources', 'sysctl', 'devices', 'maskedPaths'),
      anything(1),
      { maxKeys: 2 },
    ),
    fc.oneof(
      { weight: 6, arbitrary: fc.constant({}) },
      fc.dictionary(
        fc.constantFrom(
          'Linux',
          'seccomp',
          'Seccomp',
          'syscalls',
          'DefaultAction',
          'bundle',
          'status',
          'vm',
          'flags',
        ),
        anything(1),
        { maxKeys: 1 },
      ),
    ),
  )
  .map(([members, seccomp, linux, others]) => ({ ...members, linux: { ...linux, seccomp }, ...others }));

/** What is put into a text somewhere, or in the place of some of it. */
const DAMAGE = [
  '', ' ', '\n', ',', '{', '}', '[', ']', '"', ':', '\\', '\\u0041', '\\ud800', '\ud800', '\u2028', '\u00a0', '\u0001',
  '0', '-', '.5', 'e3', '-0', '1e3', '1.0', '18446744073709551615', '18446744073709551616', '9007199254740993',
  '"defaultAction":"SCMP_ACT_KILL",', '"names":["x"],', '"Names":["x"],', '"__proto__":{},', '"constructor":1,',
  '"toJSON":1,', '"2":1,"1":2,', '"linux":{},', '"comment":null,', 'null', '// c\n', '/* c */', '# c\n', '\uFEFF',
]; // prettier-ignore

describe('the quick reader', () => {
  test('reads the profiles of this repository as the exact one does', () => {
    const folder = join(import.meta.dirname, '../../profiles');
    const taken = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .filter((name) => readsAlike(readFileSync(join(folder, name), 'utf8')));
    expect(taken).toContain('container-default.json');
    expect(taken.length).toBeGreaterThan(15);
    expect(givesUp).toHaveBeenCalled();
  });

  test('reads every profile as the exact one does', () => {
    let taken = 0;
    fc.assert(
      fc.property(profile, fc.nat(2), (value, indent) => {
        if (readsAlike(JSON.stringify(value, null, indent))) taken += 1;
      }),
      { numRuns: 1500 },
    );
    expect(taken).toBeGreaterThan(150);
  });

  test('reads every config.json as the exact one does', () => {
    let taken = 0;
    fc.assert(
      fc.property(config, fc.nat(2), (value, indent) => {
        if (readsAlike(JSON.stringify(value, null, indent))) taken += 1;
      }),
      { numRuns: 1500 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  test('reads every damaged profile as the exact one does', () => {
    let taken = 0;
    const damage = fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...DAMAGE));
    fc.assert(
      fc.property(profile, fc.array(damage, { minLength: 1, maxLength: 2 }), (value, edits) => {
        let text = JSON.stringify(value, null, edits[0]![0] % 3);
        for (const [at, length, insert] of edits) {
          // Where a member, an element or a value begins, more often than not.
          const starts = [...text.matchAll(/[{,[:]/g)].map(({ index }) => index + 1);
          const start = at % 3 === 0 ? at % (text.length + 1) : starts[at % starts.length]!;
          text = text.slice(0, start) + insert + text.slice(start + (at % 2 ? length : 0));
        }
        if (readsAlike(text)) taken += 1;
      }),
      { numRuns: 8000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  test.each([
    ['a key that stands twice', '{"defaultAction":"SCMP_ACT_KILL","defaultAction":"SCMP_ACT_ALLOW"}'],
    ['a key that stands twice, once escaped', '{"defaultAction":"SCMP_ACT_KILL","default\\u0041ction":"SCMP_ACT_ALLOW"}'],
    ['__proto__', '{"defaultAction":"SCMP_ACT_KILL","__proto__":{"syscalls":[]}}'],
    ['a number above 2^53', '{"defaultAction":"SCMP_ACT_KILL","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":9007199254740993,"op":"SCMP_CMP_EQ"}]}]}'],
    ['1e3', '{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1e3}'],
    ['-0', '{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":-0}'],
    ['1.0', '{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1.0}'],
    ['a trailing comma', '{"defaultAction":"SCMP_ACT_ERRNO",}'],
    ['a comment', '{"defaultAction":"SCMP_ACT_ERRNO"} // allow nothing'],
    ['deep nesting', `{"defaultAction":"SCMP_ACT_ERRNO","comment":${'['.repeat(5000)}${']'.repeat(5000)}}`],
    ['no names', '{"defaultAction":"SCMP_ACT_KILL","syscalls":[{"action":"SCMP_ACT_ALLOW"}]}'],
    ['a config.json without a profile', '{"ociVersion":"1.2.0","linux":{}}'],
    ['a deep config.json', `{"process":${'['.repeat(100)}${']'.repeat(100)},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_KILL"}}}`],
    ['a large text', `{"defaultAction":"SCMP_ACT_KILL"}${' '.repeat(2 ** 20)}`],
  ])('leaves %s to the exact reader', (_, text) => {
    expect(readsAlike(text)).toBe(false);
  }); // prettier-ignore

  test('reads a config.json as deep as it may be', () => {
    const nested = `${'['.repeat(99)}${']'.repeat(99)}`;
    const text = `{"process":${nested},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_KILL"}}}`;
    expect(readsAlike(text)).toBe(true);
  });

  test('reads behind a byte order mark', () => {
    expect(readsAlike('\uFEFF{"defaultAction":"SCMP_ACT_KILL","archMap":null}')).toBe(true);
  });
});
