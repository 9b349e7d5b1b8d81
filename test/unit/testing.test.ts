/** The matchers, used as a test of a user would use them. */
import { describe, expect, it } from 'vitest';
import { compile, parseProfile } from '../../src/index.ts';
import { seccompMatchers } from '../../src/testing/index.ts';
import type { SeccompMatchers } from '../../src/testing/index.ts';

declare module 'vitest' {
  // eslint-disable-next-line typescript/no-unused-vars
  interface Matchers<T> extends SeccompMatchers {}
}

const target = { arch: 'x86_64', architectures: ['x86_64'] } as const;
expect.extend(seccompMatchers(target));

const profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [
    { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
    { names: ['socket'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 2, op: 'SCMP_CMP_EQ' }] },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  ],
};
const wider = { ...profile, syscalls: [...profile.syscalls, { names: ['bpf'], action: 'SCMP_ACT_ALLOW' }] };

/** The message with which an expectation fails. */
async function failure(expectation: Promise<void>): Promise<string> {
  return expectation.then(
    () => 'it did not fail',
    (error: Error) => error.message,
  );
}

describe('matchers for a profile', () => {
  it('accept what holds for every call', async () => {
    await expect(profile).toAllow('read');
    await expect(profile).toAllow('socket', ['AF_INET']);
    await expect(profile).toDeny('socket', ['AF_ALG', '_', 0]);
    await expect(profile).toHold('errno ENOSYS clone3\ndeny ptrace, mount');
    await expect(profile).toTighten(wider);
    await expect(JSON.stringify(profile)).toMeanTheSameAs(
      parseProfile(JSON.stringify(profile), { file: 'x' }).profile!,
    );
  });

  it('refuse what does not, with the call that shows it', async () => {
    expect(await failure(expect(profile).toAllow('socket'))).toMatch(
      /^"allow socket": socket\(.*\) on X86_64 gets ERRNO/,
    );
    expect(await failure(expect(profile).toDeny('socket', ['AF_INET']))).toMatch(
      /socket\(.*\) on X86_64 gets ALLOW/,
    );
    expect(await failure(expect(wider).toTighten(profile))).toMatch(
      /^bpf.* gets ALLOW, from the other ERRNO/,
    );
    expect(await failure(expect(wider).toMeanTheSameAs(profile))).toMatch(/^bpf/);
    expect(await failure(expect(profile).not.toAllow('read'))).toBe('"allow read" holds for every call');
    await expect(wider).not.toTighten(profile);
  });

  it('take a compiled filter, and a side with its own target', async () => {
    const { bytes } = await compile(JSON.stringify(profile), target);
    await expect({ filter: bytes, arch: 'x86_64' }).toMeanTheSameAs(profile);
    await expect({ profile: JSON.stringify(profile), arch: 'aarch64', architectures: ['aarch64'] }).toDeny(
      'bpf',
    );
  });

  it('reject what is no profile, and what cannot be decided, also after "not"', async () => {
    expect(await failure(expect({ defaultAction: 1 }).not.toAllow('read'))).toMatch(/defaultAction/);
    expect(await failure(expect(profile).toHold('alow read'))).toMatch(/alow read/);
    // A product of two arguments.
    const codes = [[0x20, 16], [7, 0], [0x20, 24], [0x2c, 0], [0x16, 0]]; // prettier-ignore
    const filter = codes.map(([code = 0, k = 0]) => ({ code, jt: 0, jf: 0, k }));
    expect(await failure(expect({ filter, arch: 'x86_64' }).not.toAllow('read'))).toMatch(/^cannot decide/);
  });
});
