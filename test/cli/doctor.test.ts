import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
const refusing = (...names: string[]) => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names, action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
});
const doctor = (...args: string[]) => runIn(folder, ['doctor', '--arch', 'x86_64', ...args]);

describe('doctor', () => {
  it('ends with 0 for a profile that starts, 1 for one that does not, 2 if that is not known', async () => {
    write('fine.json', refusing('mount'));
    write('tight.json', refusing('fstatfs', 'execve'));
    write('open.json', { ...refusing('mount'), listenerPath: '/run/agent' });
    expect(await doctor('fine.json')).toMatchObject({ code: 0, stderr: '' });
    expect(await doctor('open.json', '--runtime', 'crun')).toMatchObject({ code: 2 });
    const { code, stdout } = await doctor('tight.json', '--runtime', 'runc', '--release', '1.1.5');
    const [first, ...lines] = stdout.toString().trimEnd().split('\n');
    expect({ code, first }).toEqual({
      code: 1,
      first: expect.stringMatching(/^fails: runc 1\.1\.5 and glibc [\d.]+$/),
    });
    expect(lines).toEqual([
      expect.stringMatching(
        /^ {2}runtime needs fstatfs, which gets ERRNO EPERM \(1\): .*procfs: operation not permitted$/,
      ),
      expect.stringMatching(/^ {2}runtime needs execve, /),
      'patch: {"names":["fstatfs","execve"],"action":"SCMP_ACT_ALLOW"}',
    ]);
  });

  it('prints JSON, with the calls that are missing', async () => {
    const result = await doctor(
      'tight.json',
      '--json',
      '--libc',
      'musl',
      '--runtime',
      'crun',
      '--release',
      '1.8.1',
    );
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(documentOf(result)).toMatchObject({
      runtime: 'crun', release: '1.8.1', libc: 'musl', verdict: 'fails', noNewPrivileges: false, diagnostics: [],
      missing: [{ call: 'execve', arch: 'X86_64', stage: 'runtime', symptom: expect.stringContaining('not permitted') }],
      patch: { names: ['execve'], action: 'SCMP_ACT_ALLOW' },
    }); // prettier-ignore
  });

  it('knows who locks out the command that it is about to start', async () => {
    expect(documentOf(await doctor('tight.json', '--json', '--runtime', 'exec'))).toMatchObject({
      verdict: 'fails',
      missing: [{ call: 'execve', stage: 'runtime' }],
    });
  });

  it('takes noNewPrivileges of config.json, which makes runtimes load the filter later', async () => {
    const config = (noNewPrivileges: boolean) => ({
      process: { noNewPrivileges },
      linux: { seccomp: refusing('setresuid') },
    });
    write('late.json', config(true));
    write('early.json', config(false));
    const answers = [['late.json'], ['early.json'], ['early.json', '--no-new-privileges']].map((words) =>
      doctor(...words, '--release', '1.8.1'),
    );
    expect((await Promise.all(answers)).map(({ code }) => code)).toEqual([0, 1, 0]);
  });

  it('says of a profile that the runtime refuses that it does not start, and of other texts that they are none', async () => {
    write('action.json', { defaultAction: 'SCMP_ACT_DENY' });
    write('spelling.json', { ...refusing('mount'), architectures: ['x86_64'] });
    const refused = documentOf(await doctor('action.json', '--json'));
    expect(refused).toMatchObject({
      verdict: 'fails',
      missing: [],
      diagnostics: [{ code: 'UNKNOWN_ACTION' }],
    });
    expect(await doctor('spelling.json', '--runtime', 'runc')).toMatchObject({ code: 1 });
    writeFileSync(join(folder, 'text.json'), 'no profile');
    expect(await doctor('text.json')).toMatchObject({ code: 65 });
  });

  it('lists what was recorded when no profile is given', async () => {
    const { code, stdout } = await doctor();
    expect(code).toBe(0);
    for (const name of ['crun', 'runc', 'exec', 'bwrap', 'glibc', 'musl', 'static'])
      expect(stdout.toString()).toMatch(new RegExp(`^${name}\\t`, 'm'));
  });
});
