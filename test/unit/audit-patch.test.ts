import { describe, expect, test } from 'vitest';
import { readSubject } from '../../src/audit/answer.ts';
import type { Wanted } from '../../src/audit/answer.ts';
import { proposePatch } from '../../src/audit/patch.ts';
import type { Proposal } from '../../src/audit/patch.ts';
import { editJson } from '../../src/profile/edit.ts';
import { makeTarget } from '../../src/target.ts';
import { changedCalls } from '../oracle/changed-calls.ts';
import { tableOf } from '../oracle/facts.ts';

const LOGGED = { errno: 0x50000, log: 0x7ffc0000, kill: 0 };

interface Asked {
  target?: object;
  action?: keyof typeof LOGGED;
  abi?: Wanted['abi'];
  args?: Wanted['args'];
  any?: boolean;
}

async function propose(text: string, name: string | number, asked: Asked = {}): Promise<Proposal> {
  const { target = {}, action = 'errno', abi = 'X86_64', args, any = false } = asked;
  const subject = (await readSubject(text, makeTarget({ arch: 'x86_64', ...target }), 'p.json'))!;
  const nr = typeof name === 'number' ? name : tableOf(abi.toLowerCase()).numbers.get(name)!;
  const wanted = { abi, nr, name: typeof name === 'number' ? undefined : name, action: LOGGED[action], args };
  return proposePatch(subject, wanted, any);
}

async function patch(text: string, name: string, asked: Asked = {}) {
  const proposal = await propose(text, name, asked);
  if (proposal.kind !== 'patch') throw new Error(proposal.kind === 'none' ? proposal.reason : proposal.kind);
  expect(editJson(text, proposal.changes)).toBe(proposal.subject.text);
  return { changes: proposal.changes, text: proposal.subject.text, proof: proposal.proof };
}

const profile = (defaultAction: string, ...syscalls: object[]) =>
  JSON.stringify({ defaultAction, architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'], syscalls }, null, 1);
const allow = (...names: string[]) => ({ names, action: 'SCMP_ACT_ALLOW' });
const deny = (...names: string[]) => ({ names, action: 'SCMP_ACT_ERRNO' });
const when = (index: number, value: number, op = 'SCMP_CMP_EQ') => ({ args: [{ index, value, op }] });

describe('a patch', () => {
  test('adds a name to the longest list of an allow list, in its order', async () => {
    const text = profile('SCMP_ACT_ERRNO', allow('exit'), allow('close', 'read', 'write'), {
      ...allow('futex', 'kill', 'mmap', 'brk'),
      ...when(0, 0),
    });
    const { changes, text: after, proof } = await patch(text, 'mount');
    expect(changes).toEqual([{ op: 'add', path: '/syscalls/1/names/1', value: 'mount' }]);
    expect(proof).toBe('mount on X86_64, X86: ERRNO EPERM (1) becomes ALLOW');
    expect(changedCalls(text, after)).toEqual(['X86 mount', 'X86_64 mount']);
  });

  test('never turns a refusal into another one', async () => {
    // Without its own entry, socketcall is what the entry on socket makes of it: refused for most
    // arguments.
    const text = profile('SCMP_ACT_ERRNO', allow('read', 'socket', 'write'), {
      ...deny('socketcall'),
      errnoRet: 38,
    });
    const { text: after } = await patch(text, 'socketcall', { abi: 'X86', action: 'log' });
    expect(changedCalls(text, after)).toEqual(['X86 socketcall']);
    const { syscalls } = JSON.parse(after) as { syscalls: { names: string[]; action: string }[] };
    expect(syscalls.map(({ names, action }) => [action, ...names])).toEqual([
      ['SCMP_ACT_ALLOW', 'read', 'socket', 'socketcall', 'write'],
    ]);
  });

  test('makes an entry where no list is free of conditions, or no list at all', async () => {
    const value = { names: ['mount'], action: 'SCMP_ACT_ALLOW', args: undefined };
    const conditional = profile('SCMP_ACT_ERRNO', { ...allow('kill'), ...when(1, 0) });
    const found = await patch(conditional, 'mount');
    expect(found.changes).toEqual([{ op: 'add', path: '/syscalls/1', value }]);
    expect(changedCalls(conditional, found.text)).toEqual(['X86 mount', 'X86_64 mount']);
    const empty = '{ "defaultAction": "SCMP_ACT_LOG" }';
    expect((await patch(empty, 'mount', { action: 'log' })).text).toBe(
      '{ "defaultAction": "SCMP_ACT_LOG", "syscalls": [{ "names": ["mount"], "action": "SCMP_ACT_ALLOW" }] }',
    );
  });

  test('takes a name from a deny list, and the entry if it has no other', async () => {
    const text = profile('SCMP_ACT_ALLOW', deny('ptrace', 'mount', 'bpf'), deny('kexec_load'));
    const named = await patch(text, 'mount');
    expect(named.changes).toEqual([{ op: 'remove', path: '/syscalls/0/names/1' }]);
    expect(changedCalls(text, named.text)).toEqual(['X86 mount', 'X86_64 mount']);
    const whole = await patch(text, 'kexec_load');
    expect(whole.changes).toEqual([{ op: 'remove', path: '/syscalls/1' }]);
    expect(changedCalls(text, whole.text)).toEqual(['X86 kexec_load', 'X86_64 kexec_load']);
  });

  test('does both where an allow list also refuses by name', async () => {
    const text = profile('SCMP_ACT_ERRNO', { ...deny('clone3'), errnoRet: 38 }, allow('read', 'write'));
    const { changes, text: after } = await patch(text, 'clone3');
    expect(changes.map(({ op, path }) => `${op} ${path}`)).toEqual([
      'add /syscalls/1/names/0',
      'remove /syscalls/0',
    ]);
    expect(changedCalls(text, after)).toEqual(['X86 clone3', 'X86_64 clone3']);
  });

  test('covers socketcall where the call is carried by it', async () => {
    const text = profile('SCMP_ACT_ERRNO', allow('read'));
    const { proof, text: after } = await patch(text, 'socket', { abi: 'X86' });
    expect(proof).toContain('X86 through socketcall');
    expect(changedCalls(text, after)).toEqual(['X86 socket', 'X86 socketcall', 'X86_64 socket']);
  });

  test('allows only the logged arguments where they decide', async () => {
    const text = profile('SCMP_ACT_ERRNO', { ...allow('personality'), ...when(0, 8) }, allow('read'));
    const { changes, text: after } = await patch(text, 'personality', { args: [2n ** 64n - 1n] });
    expect(changes).toEqual([
      {
        op: 'add',
        path: '/syscalls/2',
        value: {
          ...allow('personality'),
          args: [{ index: 0, value: 2n ** 64n - 1n, op: 'SCMP_CMP_EQ' }],
        },
      },
    ]);
    expect(after).toContain('"value": 18446744073709551615');
    expect(changedCalls(text, after)).toEqual(['X86 personality', 'X86_64 personality']);
  });

  test('takes a name from the one entry whose condition held', async () => {
    const text = profile('SCMP_ACT_ALLOW', { ...deny('kill', 'tgkill'), ...when(1, 9) }, deny('mount'), {
      ...deny('kill'),
      ...when(1, 15),
    });
    const { changes, text: after } = await patch(text, 'kill', { args: [undefined, 15n] });
    expect(changes).toEqual([{ op: 'remove', path: '/syscalls/2' }]);
    expect(changedCalls(text, after)).toEqual(['X86 kill', 'X86_64 kill']);
    // Without arguments either of the two may have been it.
    expect(await propose(text, 'kill')).toMatchObject({ kind: 'none', reason: /depends on arguments/ });
    expect((await patch(text, 'tgkill')).changes).toEqual([{ op: 'remove', path: '/syscalls/0/names/1' }]);
  });

  test('allows any arguments only on request', async () => {
    const text = profile('SCMP_ACT_ERRNO', { ...allow('kill'), ...when(1, 0) }, allow('read'));
    expect(await propose(text, 'kill')).toMatchObject({ kind: 'none', reason: /depends on arguments/ });
    const { changes } = await patch(text, 'kill', { any: true });
    expect(changes).toEqual([{ op: 'add', path: '/syscalls/1/names/0', value: 'kill' }]);
  });

  test('reaches the profile of a config.json, and the Docker dialect with single names', async () => {
    const config = JSON.stringify({ linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [allow('a', 'read')] } } }); // prettier-ignore
    expect((await patch(config, 'mount')).changes).toMatchObject([
      { path: '/linux/seccomp/syscalls/0/names/1' },
    ]);
    const single = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"mount","action":"SCMP_ACT_ERRNO"},{"name":"bpf","action":"SCMP_ACT_ERRNO"}]}'; // prettier-ignore
    expect((await patch(single, 'mount')).changes).toEqual([{ op: 'remove', path: '/syscalls/0' }]);
    const dialect = JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        { ...allow('mount', 'umount2', 'setns'), includes: { caps: ['CAP_SYS_ADMIN'] } },
        allow('read'),
      ],
    });
    expect((await patch(dialect, 'mount')).changes).toEqual([
      { op: 'add', path: '/syscalls/1/names/0', value: 'mount' },
    ]);
    expect(await propose(dialect, 'mount', { target: { capabilities: ['ALL'] } })).toEqual({
      kind: 'allowed',
    });
  });
});

describe('no patch is made', () => {
  const text = profile('SCMP_ACT_ERRNO', allow('read'));

  test('for a call that the profile allows', async () => {
    expect(await propose(text, 'read')).toEqual({ kind: 'allowed' });
  });

  test('for an architecture that the filter does not have, or a number without a name', async () => {
    const other = await propose(text, 'read', { abi: 'ARM' });
    expect(other).toMatchObject({ kind: 'none', reason: expect.stringContaining('the filter has no ARM') });
    expect(await propose(text, 4000)).toMatchObject({
      reason: expect.stringContaining('no call of number 4000'),
    });
  });

  test('if it would change another call too', async () => {
    // The stub answers ENOSYS above the newest call that the profile names.
    const proposal = await propose(text, 'clone3', { target: { semantics: 'runc' } });
    expect(proposal).toMatchObject({
      kind: 'none',
      reason: expect.stringMatching(/would also change \w+\(\) on \w+: ERRNO ENOSYS \(38\) would become/),
    });
  });
});
