import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pathOf } from '../e2e/oci/require.ts';
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
});

/**
 * A machine with these programs only: each says its text for `--version`, or the second one for
 * `features`.
 */
function machine(programs: Record<string, [version: string, features?: string]>, ...tools: string[]): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  for (const [name, [version, features = '']] of Object.entries(programs)) {
    const text = `#!/bin/sh\ncase $1 in --version) echo '${version}' ;; features) echo '${features}' ;; esac\n`;
    writeFileSync(join(bin, name), text, { mode: 0o755 });
  }
  for (const tool of tools) symlinkSync(pathOf(tool)!, join(bin, tool));
  return bin;
}

interface Host {
  kernel: { release: string };
  programs: { name: string; release: string | null; libseccomp: string | null }[];
  ways: { command: string; lacks: string | null }[];
}

async function hostOf(PATH: string): Promise<Host> {
  const result = await runIn(folder, ['doctor', '--json'], { env: { PATH } });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return documentOf(result)['host'] as Host;
}

describe('doctor without a profile', () => {
  const lacking = ({ ways }: Host) =>
    Object.fromEntries(ways.flatMap(({ command, lacks }) => (lacks === null ? [] : [[command, lacks]])));
  const TOOLS = ['awk', 'grep', 'rm', 'mkdir', 'date'];

  it('asks each runtime for its release and its libseccomp, and says which ways work', async () => {
    const features = '{"annotations": {"io.github.seccomp.libseccomp.version": "2.6.0"}}';
    const programs = machine(
      {
        crun: ['crun version 1.21\n+SYSTEMD +SECCOMP', features],
        runc: ['runc version 1.1.5+ds1\nlibseccomp: 2.5.4'],
        podman: ['podman version 4.3.1'],
      },
      ...TOOLS,
    );
    const host = await hostOf(programs);
    const said = host.programs.map(({ name, release: found, libseccomp }) => [name, found, libseccomp]);
    expect(said).toEqual([
      ['crun', '1.21', '2.6.0'],
      ['runc', '1.1.5', '2.5.4'],
      ['youki', null, null],
      ['podman', '4.3.1', null],
      ...['docker', 'containerd', 'nerdctl', 'bwrap'].map((name) => [name, null, null]),
    ]);
    expect(lacking(host)).toMatchObject({ 'resolve --for youki': 'needs youki' });
    for (const way of [
      'runtime install',
      'hook install',
      'annotate',
      'bundle',
      'crun-cache warm',
      'resolve --for runc',
    ])
      expect(lacking(host)).not.toHaveProperty(way);
  });

  it.each([
    ['an old crun', { crun: ['crun version 0.17\n+SECCOMP'] }, 'crun 0.17 is older than 0.18'],
    ['a crun without seccomp', { crun: ['crun version 1.21\n+SYSTEMD'] }, /is built without seccomp$/],
    ['another program of that name', { crun: ['youki version 0.5.0'] }, /does not say that it is crun$/],
    ['no crun', {}, 'needs crun'],
  ] satisfies [string, Record<string, [string]>, string | RegExp][])(
    'says of %s which ways it rules out',
    async (_, programs, reason) => {
      const reasons = lacking(
        await hostOf(machine({ ...programs, podman: ['podman version 5.0.0'] }, ...TOOLS)),
      );
      const expected = typeof reason === 'string' ? reason : expect.stringMatching(reason);
      for (const way of ['runtime install', 'hook install', 'annotate', 'bundle'])
        expect(reasons).toHaveProperty([way], expected);
    },
  );

  it('names the engine or the tools that a way needs besides crun', async () => {
    const crun: [string] = ['crun version 1.21\n+SECCOMP'];
    expect(lacking(await hostOf(machine({ crun }, ...TOOLS)))).toMatchObject({
      'runtime install': 'needs podman or docker or containerd or nerdctl',
      'hook install': 'needs podman',
    });
    const reasons = lacking(
      await hostOf(machine({ crun, docker: ['Docker version 28.2.2'] }, 'rm', 'mkdir')),
    );
    expect(reasons['runtime install']).toBe('needs awk and grep and date');
  });

  it('looks at the machine that it runs on; only its text has a time', async () => {
    const { code, stdout } = await doctor();
    expect(code).toBe(0);
    const text = stdout.toString();
    expect(text).toContain(`kernel\t${release()}\t`);
    expect(text).toMatch(new RegExp(`^Node\t${process.versions.node}\tstarts in \\d+ ms$`, 'm'));
    expect(text).not.toContain('NODE_EXTRA_CA_CERTS');
    for (const name of ['crun', 'runc', 'exec', 'bwrap', 'glibc', 'musl', 'static'])
      expect(text).toMatch(new RegExp(`^${name}\\t`, 'm'));
    // The real programs start slowly.
    const PATH = machine({ crun: ['crun version 1.21\n+SECCOMP'] }, ...TOOLS);
    expect(await hostOf(PATH)).toEqual(await hostOf(PATH));
    const env = { PATH, NODE_EXTRA_CA_CERTS: '/dev/null' };
    const withCertificates = await runIn(folder, ['doctor'], { env });
    expect(withCertificates.stdout.toString()).toMatch(/^without NODE_EXTRA_CA_CERTS\t\tstarts in \d+ ms$/m);
  });
});
