import { describe, expect, it } from 'vitest';
import { checkAssertions, compile, explain } from '../../src/index.ts';

const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW' },
    {
      names: ['socket'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: 0xffffffff, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' }],
    },
  ],
});
const TARGET = { arch: 'x86_64' };

describe('explain', () => {
  it('gives the answer, the entry and its place', async () => {
    const found = await explain(
      PROFILE,
      { call: 'socket', args: ['AF_UNIX'] },
      { ...TARGET, file: 'p.json' },
    );
    expect(found).toMatchObject({ answer: 0x7fff0000, source: 'entry', entry: '/syscalls/1' });
    expect(found.considered).toMatchObject([{ part: 'decides', why: 'decides', position: { line: 1 } }]);
    expect(await explain(PROFILE, { call: 'read', arch: 'x32' }, TARGET)).toMatchObject({
      answer: 0,
      source: 'architecture',
    });
  });

  it.each([
    [{ call: 'reed' }, 'CALL_UNKNOWN'],
    [{ call: 'socket', args: ['AF_BOGUS'] }, 'USAGE'],
    [{ call: 'read', arch: 'vax' }, 'TARGET_INVALID'],
  ])('refuses a call that does not exist: %j', async (call, code) => {
    await expect(explain(PROFILE, call, TARGET)).rejects.toMatchObject({ diagnostics: [{ code }] });
  });
});

describe('checkAssertions', () => {
  it('decides about profiles, filters and how they relate', async () => {
    const text = '# two\n\nallow read\ndeny socket(AF_INET)\nat-most base\n';
    const base = JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] });
    const options = { resolve: async () => ({ profile: base, ...TARGET }) };
    const wanted = [
      { text: 'allow read', line: 3, verdict: 'holds' },
      { text: 'deny socket(AF_INET)', line: 4, verdict: 'holds' },
      { text: 'at-most base', line: 5, verdict: 'fails', call: { data: { nr: 0 }, abi: 'X86_64' } },
    ];
    expect(await checkAssertions({ profile: PROFILE, ...TARGET }, text, options)).toMatchObject(wanted);
    const { instructions } = await compile(PROFILE, TARGET);
    expect(await checkAssertions({ filter: instructions, ...TARGET }, text, options)).toMatchObject(wanted);
  });

  it('refuses an assertion about another file if nothing can be read', async () => {
    const work = checkAssertions({ profile: PROFILE, ...TARGET }, 'same-as other.json', { file: 'p.assert' });
    await expect(work).rejects.toMatchObject({
      diagnostics: [{ code: 'ASSERTION_INVALID', file: 'p.assert', line: 1 }],
    });
  });
});
