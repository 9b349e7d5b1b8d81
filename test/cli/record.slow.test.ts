import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();

interface Entry {
  names: string[];
  action: string;
  args?: object[];
}
interface Profile {
  defaultAction: string;
  architectures: string[];
  syscalls: Entry[];
}
const profileIn = (text: string) => JSON.parse(text) as Profile;

describe('record from a log', () => {
  const LOG = `7 [  59] execve("/x", ["x"], 0x7ffc /* 39 vars */) = 0
7 [  45] brk(NULL) = 0x582de000
7 [  41] socket(AF_UNIX, SOCK_STREAM, 0) = 3
7 [  41] socket(AF_INET, SOCK_STREAM, 0) = 4
7 [ 231] exit_group(0) = ?
`;
  writeFileSync(join(folder, 'log'), LOG);
  const record = (...args: string[]) =>
    runIn(folder, ['record', '--from-log', 'log', '--arch', 'x86_64', '--for', 'exec', ...args]);

  it('allows what was seen, sorted, on the architectures that were seen', async () => {
    const { code, stdout, stderr } = await record();
    expect(code).toBe(0);
    expect(profileIn(stdout.toString())).toEqual({
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: [{ names: ['brk', 'execve', 'exit_group', 'socket'], action: 'SCMP_ACT_ALLOW' }],
    });
    expect(stderr).toContain('the profile has the 4 calls of this run on X86_64, X86');
  });

  it('narrows an argument on request, and says where it cannot', async () => {
    const { stdout, stderr } = await record('--args', 'socket:0', '--args', 'execve:0');
    const value = (number: number) => ({
      names: ['socket'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: number, op: 'SCMP_CMP_EQ' }],
    });
    expect(profileIn(stdout.toString()).syscalls.slice(1)).toEqual([value(1), value(2)]);
    expect(stderr).not.toContain('socket:0');
    const path = await record('--args', 'brk:0', '--args', 'exit_group:1');
    expect(path.stderr).toContain('exit_group:1 was not narrowed');
  });

  it('adds what a container runtime needs to start, unless it is for exec', async () => {
    const doctor = async (profile: string, runtime: string) => {
      const args = ['doctor', '-', '--runtime', runtime, '--arch', 'x86_64', '--json'];
      const { stdout } = await runIn(folder, args, { input: profile });
      const { missing } = JSON.parse(stdout.toString()) as { missing: { stage: string }[] };
      return missing.filter(({ stage }) => stage === 'runtime').length;
    };
    const { stdout } = await runIn(folder, ['record', '--from-log', 'log', '--arch', 'x86_64', '-q']);
    const bare = await record('-q');
    for (const runtime of ['crun', 'runc']) {
      expect(await doctor(stdout.toString(), runtime)).toBe(0);
      expect(await doctor(bare.stdout.toString(), runtime)).toBeGreaterThan(0);
    }
  });

  it('prints JSON, reads standard input, and answers 1 where no call is', async () => {
    const { stdout } = await runIn(folder, ['record', '--from-log', '-', '--json', '--arch', 'x86_64'], { input: LOG }); // prettier-ignore
    expect(documentOf({ code: 0, stdout, stderr: '' })).toMatchObject({
      profile: { defaultAction: 'SCMP_ACT_ERRNO' },
      diagnostics: [{ code: 'RECORD_INCOMPLETE' }],
    });
    expect(await runIn(folder, ['record', '--from-log', '-'], { input: 'nothing\n' })).toMatchObject({
      code: 1,
    });
  });

  it('refuses wrong usage, a missing log, and to run without strace', async () => {
    for (const args of [
      [],
      ['--from-log', 'log', 'true'],
      ['--arch', 'arm', 'true'],
      ['--args', 'x', 'true'],
      ['--for', 'x', 'true'],
    ])
      // prettier-ignore
      expect(await runIn(folder, ['record', ...args])).toMatchObject({ code: 64 });
    expect(await runIn(folder, ['record', '--from-log', 'missing'])).toMatchObject({ code: 66 });
    const without = await runIn(folder, ['record', '--', 'true'], { env: { PATH: folder } });
    expect(without).toMatchObject({ code: 69, stderr: expect.stringContaining('STRACE_MISSING') });
  });
});

describe.skipIf(skipWithout(requirements(['strace', 'perl'])))('record of a command', () => {
  it('makes a profile under which the command runs, and calls of no other kind', async () => {
    const command = ['sh', '-c', "ls / >/dev/null; perl -e 'exit(socket(S, 1, 1, 0) ? 3 : 4)'"];
    const args = ['record', '--for', 'exec', '--args', 'socket:0', '-o', 'p.json', '--', ...command];
    const recorded = await runIn(folder, args);
    expect(recorded).toMatchObject({ code: 0, stderr: expect.stringContaining('ended with exit code 3') });
    const exec = (...words: string[]) =>
      runIn(folder, ['exec', 'p.json', '--no-cache', '-q', '--', ...words]);
    expect(await exec(...command)).toMatchObject({ code: 3 });
    expect(await exec('perl', '-e', 'exit(socket(S, 2, 1, 0) ? 3 : 4)')).toMatchObject({ code: 4 });
    expect(await exec('mkdir', join(folder, 'made'))).toMatchObject({ code: 1 });
    const profile = profileIn(readFileSync(join(folder, 'p.json'), 'utf8'));
    expect(profile.syscalls[0]!.names).toEqual(profile.syscalls[0]!.names.toSorted());
    expect(profile.syscalls[0]!.names).not.toContain('mkdir');
  });

  it('leaves standard output to the profile unless that goes to a file', async () => {
    const toOutput = await runIn(folder, ['record', '-q', '--', 'sh', '-c', 'echo said; cat'], {
      input: 'typed\n',
    });
    expect(profileIn(toOutput.stdout.toString()).defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(toOutput.stderr).toBe('said\ntyped\n');
    const toFile = await runIn(folder, ['record', '-q', '-o', 'file.json', '--', 'echo', 'said']);
    expect(toFile.stdout.toString()).toBe('said\n');
  });
});
