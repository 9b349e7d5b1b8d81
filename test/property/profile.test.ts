import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resolveProfile } from '../../src/profile/docker.ts';
import { dockerProfileValidator, ociSeccompValidator } from '../../src/profile/generated/validators.ts';
import { formatOci } from '../../src/profile/oci-text.ts';
import { parseProfile, readProfile } from '../../src/profile/read.ts';
import dockerSchema from '../../src/profile/schema/docker-profile.schema.json' with { type: 'json' };
import ociSchema from '../../src/profile/schema/oci-seccomp.schema.json' with { type: 'json' };
import { CAPABILITY_NAMES, makeTarget } from '../../src/target.ts';
import type { Target } from '../../src/target.ts';
import { runs } from '../runs.ts';

const FILE = { file: 'p.json' };
const FIXTURES = join(import.meta.dirname, '../fixtures/profile');
const TEXTS = ['oci.json', 'config.json', 'config-pasted-dialect.json', 'docker.json'].map((name) =>
  readFileSync(join(FIXTURES, name), 'utf8'),
);

/** What holds of every outcome, whatever was read. */
function checkOutcome(input: string | Uint8Array): void {
  const { profile, diagnostics } = parseProfile(input, FILE);
  const lines = (typeof input === 'string' ? input : new TextDecoder('latin1').decode(input)).split(
    '\n',
  ).length;
  for (const { file, line, column, message, hint } of diagnostics) {
    expect(file).toBe('p.json');
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines);
    expect(column).toBeGreaterThanOrEqual(1);
    // What is quoted is the user's.
    const words = `${message} ${hint ?? ''}`.replaceAll(/"(?:\\.|[^"\\])*"/g, '');
    expect(words).not.toMatch(/\{\w+\}|\[object|NaN|undefined/);
  }
  if (profile === undefined) expect(diagnostics.some(({ severity }) => severity === 'error')).toBe(true);
  else
    for (const engine of ['moby', 'podman'] as const)
      resolveProfile(profile, makeTarget({ arch: 'X86_64', engine }));
}

describe('reading never throws and always says why', () => {
  test('on bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), checkOutcome), { numRuns: runs(500, 3000) });
  });

  test('on text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 64 }), checkOutcome), {
      numRuns: runs(500, 3000),
    });
  });

  test('on JSON that uses the names of profiles', () => {
    const key = fc.oneof(
      fc.constantFrom(
        'defaultAction', 'syscalls', 'names', 'name', 'action', 'args', 'index', 'value', 'valueTwo', 'op', 'errnoRet',
        'errno', 'archMap', 'architecture', 'subArchitectures', 'architectures', 'flags', 'includes', 'excludes', 'caps',
        'arches', 'minKernel', 'linux', 'seccomp', 'ociVersion', 'comment', 'defaultErrno', 'defaultErrnoRet', 'Names',
        'SYSCALLS', 'default_action', 'listenerPath', 'filter', '__proto__', 'constructor',
      ),
      fc.string(),
    ); // prettier-ignore
    const leaf = fc.oneof(
      fc.constantFrom(
        'SCMP_ACT_ERRNO',
        'SCMP_ACT_ALLOW',
        'SCMP_CMP_EQ',
        'SCMP_ARCH_X86_64',
        'EPERM',
        '4.8',
        '',
        null,
      ),
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.boolean(),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 6, depthSize: 'medium' },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
      ),
    }));
    const root = fc
      .array(fc.tuple(key, value), { maxLength: 6 })
      .map((entries) => ({ defaultAction: 'SCMP_ACT_ERRNO', ...Object.fromEntries(entries) }));
    fc.assert(
      fc.property(fc.oneof(root, value), (document) => checkOutcome(JSON.stringify(document) ?? '')),
      { numRuns: runs(500, 3000) },
    );
  });

  test('on damaged profiles', () => {
    const damage = fc.tuple(fc.constantFrom(...TEXTS), fc.nat(), fc.nat(20), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(damage, ([text, at, length, insert]) => {
        const start = at % text.length;
        checkOutcome(text.slice(0, start) + insert + text.slice(start + length));
      }),
      { numRuns: runs(400, 2000) },
    );
  });
});

describe('numbers', () => {
  const withValue = (value: string) =>
    `{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":${value},"args":[{"index":5,"value":${value},"valueTwo":${value},"op":"SCMP_CMP_MASKED_EQ"}]}]}`;
  const near = fc
    .constantFrom(2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n)
    .chain((bound) => fc.bigInt({ min: bound - 3n, max: bound + 3n }));

  test('are exact from the text to the resolved text, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(near, fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n })), (value) => {
        const { profile, diagnostics } = parseProfile(withValue(String(value)), FILE);
        const members = diagnostics.map(({ pointer }) => pointer!.split('/').at(-1));
        const fitsErrno = value >= 0n && value < 2n ** 32n;
        const fitsValue = value >= 0n && value < 2n ** 64n;
        expect(members).toEqual([
          ...(fitsErrno ? [] : ['errnoRet']),
          ...(fitsValue ? [] : ['value', 'valueTwo']),
        ]);
        if (fitsErrno)
          expect(profile).toMatchObject({
            seccomp: { syscalls: [{ errnoRet: Number(value), args: [{ value, valueTwo: value }] }] },
          });
      }),
    );
  });
});

/** A condition and an entry of the dialect, from few values so that they meet. */
const CAPS = ['CAP_BPF', 'CAP_PERFMON', 'CAP_SYS_ADMIN'];
const MIN_KERNELS = ['', '4.8', '5.0', '5.10'];
const condition = fc.record(
  {
    caps: fc.subarray(CAPS),
    arches: fc.subarray(['amd64', 'arm64', 's390x']),
    minKernel: fc.constantFrom(...MIN_KERNELS),
  },
  { requiredKeys: [] },
);
const entry = fc.record(
  {
    names: fc.array(fc.constantFrom('read', 'write', 'bpf'), { minLength: 1, maxLength: 3 }),
    action: fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO'),
    includes: condition,
    excludes: condition,
    errnoRet: fc.nat(100),
  },
  { requiredKeys: ['names', 'action'] },
);
const docker = fc.record({
  defaultAction: fc.constant('SCMP_ACT_ERRNO'),
  archMap: fc.constant([{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }]),
  syscalls: fc.array(entry, { maxLength: 8 }),
});
const target = fc
  .record({
    arch: fc.constantFrom<Target['arch']>('X86_64', 'AARCH64', 'S390X'),
    capabilities: fc.subarray(CAPS),
    kernel: fc.record({ major: fc.integer({ min: 3, max: 6 }), minor: fc.integer({ min: 0, max: 12 }) }),
    engine: fc.constantFrom<Target['engine']>('moby', 'podman'),
  })
  .map(makeTarget);

interface Condition {
  caps?: string[];
  arches?: string[];
  minKernel?: string;
}

/** docs/semantics.md section 11, said once more: which of three facts hold of a target. */
function facts({ caps = [], arches = [], minKernel }: Condition, to: Target) {
  const goArch = { X86_64: 'amd64', AARCH64: 'arm64', S390X: 's390x' }[
    to.arch as 'X86_64' | 'AARCH64' | 'S390X'
  ];
  const [major = 0, minor = 0] = (minKernel || '0.0').split('.').map(Number);
  const asks = minKernel !== undefined && to.engine === 'moby';
  const newer = to.kernel.major * 1000 + to.kernel.minor >= major * 1000 + minor;
  return {
    arch: arches.length === 0 ? undefined : arches.includes(goArch),
    held: caps.filter((cap) => to.capabilities.includes(cap)).length,
    asked: caps.length,
    kernel: asks ? newer : undefined,
  };
}

function isKept(
  { includes = {}, excludes = {} }: { includes?: Condition; excludes?: Condition },
  to: Target,
): boolean {
  const out = facts(excludes, to);
  const need = facts(includes, to);
  const dropped = out.arch === true || out.held > 0 || out.kernel === true;
  const missed = need.arch === false || need.held < need.asked || need.kernel === false;
  return !dropped && !missed;
}

describe('the resolver', () => {
  test('keeps the entries whose conditions hold, in their order', () => {
    fc.assert(
      fc.property(docker, target, (document, to) => {
        const { seccomp, diagnostics } = resolveProfile(readProfile(JSON.stringify(document), FILE), to);
        const expected = document.syscalls.flatMap((e, index) =>
          isKept(e, to) ? [`/syscalls/${index}`] : [],
        );
        expect(seccomp!.syscalls.map(({ pointer }) => pointer)).toEqual(expected);
        expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      }),
      { numRuns: runs(400, 2000) },
    );
  });

  test('makes an object that resolves to itself for every target', () => {
    fc.assert(
      fc.property(docker, target, target, (document, first, second) => {
        const once = formatOci(resolveProfile(readProfile(JSON.stringify(document), FILE), first).seccomp!);
        const twice = formatOci(resolveProfile(readProfile(once, FILE), second).seccomp!);
        expect(twice).toBe(once);
      }),
    );
  });

  test('does not see the case of keys', () => {
    fc.assert(
      fc.property(docker, target, fc.infiniteStream(fc.boolean()), (document, to, coins) => {
        const proper = JSON.stringify(document);
        const odd = proper.replaceAll(/"(\w+)":/g, (key) =>
          key.replaceAll(/[a-z]/gi, (c) => (coins.next().value ? c.toUpperCase() : c.toLowerCase())),
        );
        const read = (text: string) => formatOci(resolveProfile(readProfile(text, FILE), to).seccomp!);
        expect(read(odd)).toBe(read(proper));
      }),
    );
  });
});

test('the compiled validators find what ajv finds in the schemas', () => {
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, schemas: [ociSchema, dockerSchema] });
  const leaf = fc.oneof(
    fc.constantFrom(
      '',
      'SCMP_ACT_LOG',
      'SCMP_CMP_EQ',
      'SECCOMP_FILTER_FLAG_LOG',
      null,
      5,
      6,
      -1,
      0.5,
      2 ** 65,
    ),
    fc.boolean(),
  );
  const either = (value: fc.Arbitrary<unknown>) => fc.oneof({ weight: 4, arbitrary: value }, leaf);
  const list = (item: fc.Arbitrary<unknown>) => either(fc.array(either(item), { maxLength: 3 }));
  const object = (members: Record<string, fc.Arbitrary<unknown>>) =>
    either(fc.record(members, { requiredKeys: [] }));
  const when = object({ caps: list(leaf), arches: list(leaf), minKernel: leaf });
  const arg = object({ index: leaf, value: leaf, valueTwo: leaf, op: leaf });
  const document = object({
    defaultAction: leaf,
    defaultErrnoRet: leaf,
    defaultErrno: leaf,
    architectures: list(leaf),
    archMap: list(object({ architecture: leaf, subArchitectures: list(leaf) })),
    flags: list(leaf),
    listenerPath: leaf,
    syscalls: list(
      object({
        name: leaf, names: list(leaf), action: leaf, errnoRet: leaf, errno: leaf, args: list(arg), comment: leaf,
        includes: when, excludes: when,
      }),
    ),
  }); // prettier-ignore
  const places = (
    errors: readonly { instancePath: string; keyword: string; params: object }[] | null | undefined,
  ) =>
    (errors ?? [])
      .map(({ instancePath, keyword, params }) => `${instancePath} ${keyword} ${JSON.stringify(params)}`)
      .toSorted();
  for (const [validator, schema] of [
    [ociSeccompValidator, ociSchema],
    [dockerProfileValidator, dockerSchema],
  ] as const) {
    const reference = ajv.getSchema(schema.$id)!;
    fc.assert(
      fc.property(document, (data) => {
        expect(validator(data)).toBe(reference(data));
        expect(places(validator.errors)).toEqual(places(reference.errors));
      }),
      { numRuns: runs(200, 1000) },
    );
  }
});

test('the capabilities of this file are real', () => {
  for (const cap of CAPS) expect(CAPABILITY_NAMES).toContain(cap);
});
