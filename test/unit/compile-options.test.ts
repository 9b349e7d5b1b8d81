import { describe, expect, it } from 'vitest';
import { compileCached } from '../../src/cache/compile-cached.ts';
import { memoryStore } from '../../src/cache/stores/memory.ts';
import { compile } from '../../src/compile.ts';
import type { CompileOptions } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';

const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW' },
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'], minKernel: '5.10' } },
  ],
});

const store = memoryStore();
const WAYS = {
  compile: async (options: CompileOptions, text = PROFILE) => compile(text, options),
  compileCached: async (options: CompileOptions, text = PROFILE) =>
    (await compileCached(text, options, { stores: [store] })).filter,
};

describe.each(Object.entries(WAYS))('the options of %s', (_, filterFor) => {
  it('decide whether an input that asks for no filter is refused', async () => {
    const config = '{"ociVersion":"1.0.2","process":{},"root":{},"linux":{}}';
    const options = { arch: 'x86_64', file: 'c.json' };
    const allowed = await filterFor({ ...options, allowUnconfined: true }, config);
    expect(allowed).toMatchObject({ confined: false, bytes: new Uint8Array() });
    // Also when the cache has it.
    for (const refused of [options, { ...options, allowUnconfined: false }]) {
      const error = await filterFor(refused, config).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(SeccompcError);
      expect((error as SeccompcError).diagnostics).toMatchObject([{ code: 'NOT_CONFINED', file: 'c.json' }]);
    }
  });

  it('are those of a target, or a target', async () => {
    const plain = { arch: 'amd64', capabilities: ['sys_admin'], kernel: '6.1', overlap: 'error' } as const;
    const kept = makeTarget({
      arch: 'X86_64',
      capabilities: ['CAP_SYS_ADMIN'],
      kernel: { major: 6, minor: 1 },
      overlap: 'error',
    });
    const filter = await filterFor({ ...plain, optimize: 'size', prove: 'require', file: 'p.json' });
    expect(filter.target).toEqual(kept);
    expect(filter).toEqual(
      await filterFor({ target: kept, optimize: 'size', prove: 'require', file: 'p.json' }),
    );
    expect(filter.bytes).not.toEqual((await filterFor({ ...plain, kernel: '5.9' })).bytes);
  });

  it.each([
    ['{}', 'TARGET_INVALID', 'there is no architecture undefined'],
    ['{"arch": "x86_64", "optimise": "size"}', 'TARGET_INVALID', 'there is no option "optimise"'],
    [
      '{"arch": "x86_64", "optimize": "speed"}',
      'USAGE',
      'optimize is attach or frequency or size, not "speed"',
    ],
    ['{"arch": "x86_64", "prove": "required"}', 'USAGE', 'prove is auto or never or require, not "required"'],
    ['{"arch": "x86_64", "prove": true}', 'USAGE', 'prove is auto or never or require, not "true"'],
    ['{"target": {"arch": "x86_64"}, "force": true}', 'USAGE', 'give either "target" or "force", not both'],
    ['{"target": {"arch": "x86_64", "fource": true}}', 'TARGET_INVALID', 'there is no option "fource"'],
  ])('are refused: %s', async (json, code, message) => {
    const outcome = await filterFor(JSON.parse(json) as CompileOptions).catch((error: unknown) => error);
    if (!(outcome instanceof SeccompcError)) throw new Error('accepted', { cause: outcome });
    expect(outcome.diagnostics.map((found) => found.code)).toEqual([code]);
    expect(outcome.message).toContain(message);
    expect(outcome.exitCode).toBe(64);
  });

  it('may be a target without defaults, which gets them', async () => {
    const bare = JSON.parse('{"arch": "x86_64"}') as CompileOptions;
    const filter = await filterFor({ target: bare } as unknown as CompileOptions);
    expect(filter.target).toEqual(makeTarget({ arch: 'X86_64' }));
  });
});
