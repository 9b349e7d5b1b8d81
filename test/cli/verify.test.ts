import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encode } from '../../src/bpf/instruction.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { seccompOf } from '../oracle/oci.ts';
import { ALLOW, ERRNO, insn, KILL_THREAD, little, plainProgram, replay, witnessesOf } from './comparison.ts';
import { FAULTY, PLAIN, UNCONFINED_CONFIG, WITH_WARNING } from './profiles.ts';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input: Uint8Array | string = '') => runIn(folder, args, { input });
const verify = (filter: string, ...more: string[]) =>
  run(['verify', 'plain.json', filter, '--arch', 'x86_64', ...more]);
const save = (name: string, content: Uint8Array | string) => writeFileSync(join(folder, name), content);

const RIGHT = little(plainProgram());
const WRONG = little(plainProgram({ family: 38, read: ERRNO | 13 }));

/** Takes numbers for what they are, whatever the architecture; on mips 4003 is read. */
const ONE_NUMBER = encode([insn(0x20, 0), insn(0x15, 4003, 0, 1), insn(0x06, ERRNO | 89), insn(0x06, ALLOW)], 'big'); // prettier-ignore

beforeAll(() => {
  save('plain.json', PLAIN);
  save('right.bpf', RIGHT);
  save('right.b64', Buffer.from(RIGHT).toString('base64'));
  save('wrong.bpf', WRONG);
});

describe('verify', () => {
  it('accepts an equal program of another compiler', async () => {
    const { code, stdout, stderr } = await verify('right.bpf');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toMatch(/^equal: .*\n$/);
    expect(await verify('right.b64')).toMatchObject({ code: 0 });
    expect(await run(['verify', 'plain.json', '-', '--arch', 'x86_64'], RIGHT)).toMatchObject({ code: 0 });
    expect(await run(['verify', '-', 'right.bpf', '--arch', 'x86_64'], PLAIN)).toMatchObject({ code: 0 });
    const json = await verify('right.bpf', '--json');
    expect(json).toMatchObject({ code: 0, stderr: '' });
    expect(documentOf(json)).toEqual({ verdict: 'equal', witnesses: [], more: false, diagnostics: [] });
  });

  it('shows each call that is answered otherwise', async () => {
    const { code, stdout, stderr } = await verify('wrong.bpf');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const [head, ...lines] = stdout.toString().trimEnd().split('\n');
    expect(head).toMatch(/^different: /);
    expect(lines).toEqual([
      'read on X86_64: the profile asks for ALLOW, the filter gives ERRNO EACCES (13)',
      'socket(AF_ALG, 0, 0) on X86_64: the profile asks for ALLOW, the filter gives ERRNO EPERM (1)',
      'total of calls: 2 on X86_64',
    ]);
  });

  it('shows what others find too when they make the call', async () => {
    const result = await verify('wrong.bpf', '--json');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(documentOf(result)).toMatchObject({ verdict: 'different', more: false, diagnostics: [] });
    const meaning = evaluateProfile(seccompOf(PLAIN)!, { native: 'X86_64' });
    if (!('evaluate' in meaning)) throw new Error('the evaluator refused the profile');
    const witnesses = witnessesOf(result);
    expect(witnesses.map(({ call }) => call.name)).toEqual(['read', 'socket']);
    for (const witness of witnesses) {
      const { auditArch, nr, args } = witness.call;
      expect(witness['expected']).toMatchObject({ value: meaning.evaluate(auditArch, nr, args.map(BigInt)) });
      expect(witness['actual']).toMatchObject({ value: replay(WRONG, witness) });
    }
    expect(witnesses[0]).toEqual({
      call: {
        arch: 'X86_64',
        auditArch: 0xc000003e,
        nr: 0,
        name: 'read',
        args: ['0', '0', '0', '0', '0', '0'],
        ip: '0',
      },
      expected: { action: 'ALLOW', errno: null, errnoName: null, value: ALLOW },
      actual: { action: 'ERRNO', errno: 13, errnoName: 'EACCES', value: ERRNO | 13 },
    });
  });

  it('prints as many witnesses as --limit says, and whether there are more', async () => {
    const one = await verify('wrong.bpf', '--json', '--limit', '1');
    expect(witnessesOf(one)).toHaveLength(1);
    expect(documentOf(one)).toMatchObject({ more: true });
    expect((await verify('wrong.bpf', '--limit', '1')).stdout.toString().trimEnd().split('\n')).toHaveLength(
      4,
    );
    expect(documentOf(await verify('wrong.bpf', '--json', '--limit', '2'))).toMatchObject({ more: false });
  });

  it('names calls of architectures that the profile does not list', async () => {
    const everywhere = little([insn(0x06, ALLOW)]);
    const args = ['verify', 'plain.json', '-', '--arch', 'x86_64', '--limit', '4000'];
    const outside = witnessesOf(await run([...args, '--json'], everywhere)).filter(
      ({ call }) => call.arch !== 'X86_64',
    );
    // x32 shares its audit arch with x86_64 and is not in the profile; of all others one call is
    // enough.
    expect(outside.map(({ call }) => call.arch)).toContain('X32');
    expect(outside.some(({ call }) => call.auditArch !== 0xc000003e)).toBe(true);
    for (const witness of outside)
      expect(witness).toMatchObject({ expected: { value: KILL_THREAD }, actual: { value: ALLOW } });
    const text = await run(args, everywhere);
    expect(text).toMatchObject({ code: 1, stderr: '' });
    expect(text.stdout.toString()).toMatch(
      /calls of other architectures, such as X86, .*: the profile asks for KILL_THREAD, the filter gives ALLOW/,
    );
  });

  it("gives errnos the names of the call's architecture", async () => {
    save('mips.json', '{"defaultAction": "SCMP_ACT_ALLOW"}');
    const { stdout } = await run(['verify', 'mips.json', '-', '--arch', 'mips'], ONE_NUMBER);
    expect(stdout.toString()).toContain(
      'read on MIPS: the profile asks for ALLOW, the filter gives ERRNO ENOSYS (89)',
    );
  });

  it('takes the target into account', async () => {
    expect(await verify('right.bpf', '--architectures', 'x86_64,x32')).toMatchObject({ code: 1 });
    expect(await verify('right.bpf', '--enosys-stub')).toMatchObject({ code: 1 });
    expect(await verify('right.bpf', '--semantics', 'crun')).toMatchObject({ code: 0 });
  });

  it('says when it cannot decide, with 2', async () => {
    const budget = await verify('right.bpf', '--node-budget', '2');
    expect(budget).toMatchObject({ code: 2 });
    expect(budget.stdout.toString()).toBe('');
    expect(budget.stderr).toMatch(/error: cannot decide: .*2 nodes \[UNDECIDED\]\n {4}\S.*--node-budget/);
    // ld [4]; ret a: no budget is enough.
    save('computed.bpf', Buffer.from('20000000040000001600000000000000', 'hex'));
    const computed = await run(['fingerprint', 'computed.bpf', '--arch', 'x86_64']);
    expect(computed).toMatchObject({ code: 2, stderr: expect.stringContaining('docs/proof.md') });
    expect(computed.stderr).not.toContain('--node-budget');
    const json = await verify('right.bpf', '--json', '--node-budget', '2');
    expect(json).toMatchObject({ code: 2, stderr: '' });
    expect(documentOf(json)).toMatchObject({ verdict: 'undecided', reason: expect.any(String) });
    expect(codesOf(json)).toEqual(['UNDECIDED']);
  });

  it('passes on what there is to say about the profile', async () => {
    save('warning.json', WITH_WARNING);
    const args = ['verify', 'warning.json', 'right.bpf', '--arch', 'x86_64'];
    expect((await run(args)).stderr).toMatch(/^warning\.json:5:\d+: warning: .*\[UNKNOWN_SYSCALL\]/);
    expect((await run([...args, '-q'])).stderr).toBe('');
    const json = await run([...args, '--json']);
    expect(json.stderr).toBe('');
    expect(codesOf(json)).toEqual(['UNKNOWN_SYSCALL']);
  });
});

describe('verify refuses', () => {
  const refused = async (args: string[], input: Uint8Array | string = '') => {
    const result = await run(['verify', ...args, '--arch', 'x86_64', '--json'], input);
    return { code: result.code, codes: codesOf(result), stderr: result.stderr };
  };

  it('a profile with faults, or one that asks for no filter', async () => {
    save('faulty.json', FAULTY);
    save('unconfined.json', UNCONFINED_CONFIG);
    expect(await refused(['faulty.json', 'right.bpf'])).toMatchObject({ code: 65, stderr: '' });
    expect(await refused(['unconfined.json', 'right.bpf'])).toMatchObject({
      code: 65,
      codes: ['NOT_CONFINED'],
    });
  });

  it('what is no filter, and a filter that the kernel would refuse', async () => {
    expect(await refused(['plain.json', 'plain.json'])).toMatchObject({ code: 65, codes: ['NOT_A_FILTER'] });
    const endless = little(plainProgram().slice(0, -1));
    const { code, codes } = await refused(['plain.json', '-'], endless);
    expect(code).toBe(65);
    expect(new Set(codes)).toEqual(new Set(['FILTER_INVALID']));
  });

  it('a filter for a machine of the other byte order', async () => {
    const big = encode(plainProgram(), 'big');
    expect(await refused(['plain.json', '-'], big)).toMatchObject({ code: 65, codes: ['FILTER_BYTE_ORDER'] });
  });

  it('wrong usage with 64, a missing file with 66', async () => {
    expect(await refused(['-', '-'], PLAIN)).toMatchObject({ code: 64, codes: ['USAGE'] });
    for (const wrong of ['0', '-1', 'x', '1.5'])
      expect(await refused(['plain.json', 'right.bpf', `--limit=${wrong}`])).toMatchObject({ code: 64 });
    expect(await refused(['plain.json', 'right.bpf', '--node-budget', '0'])).toMatchObject({ code: 64 });
    expect(await refused(['plain.json', 'missing.bpf'])).toMatchObject({
      code: 66,
      codes: ['INPUT_UNREADABLE'],
    });
  });
});
