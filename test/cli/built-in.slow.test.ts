/** Names of profiles in place of paths: ours, and those of the host's engines. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { profilePath } from '../../src/cli/options/built-in-profile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { FAULTY, PLAIN } from './profiles.ts';
import { runIn, scratch } from './run.ts';

const folder = scratch();
const OWN = join(import.meta.dirname, '../../profiles/container-default.json');
const own = readFileSync(OWN, 'utf8');

describe('container-default', () => {
  it('is a profile for every command that takes one', async () => {
    const compiled = await runIn(folder, ['compile', OWN, '--arch', 'x86_64', '-q', '--no-cache']);
    writeFileSync(join(folder, 'own.bpf'), compiled.stdout);
    const named = await runIn(folder, [
      'compile',
      'container-default',
      '--arch',
      'x86_64',
      '-q',
      '--no-cache',
    ]);
    expect(named.stdout).toEqual(compiled.stdout);
    for (const words of [
      ['resolve', 'container-default'],
      ['verify', 'container-default', 'own.bpf'],
      ['diff', 'container-default', 'own.bpf'],
      ['diff', 'own.bpf', 'container-default'],
      ['explain', 'container-default', 'mount'],
      ['simulate', 'container-default', 'mount'],
      ['fingerprint', 'container-default'],
      ['assert', 'container-default', 'deny mount'],
      ['annotate', 'container-default'],
      ['lint', 'container-default', '--fail-on', 'error'],
      ['doctor', 'container-default'],
      ['report', 'container-default', '--against', 'container-default', '-o', 'page.html'],
      ['prebuild', 'container-default', '--out', 'built'],
    ])
      expect([words[0], (await runIn(folder, [...words, '--arch', 'x86_64', '-q'])).code]).toEqual([
        words[0],
        0,
      ]);
  });

  it('is never a file of that name in the current folder, also after that file was compiled', async () => {
    writeFileSync(join(folder, 'container-default'), PLAIN);
    const compile = async (profile: string) =>
      (await runIn(folder, ['compile', profile, '--arch', 'x86_64', '-q'])).stdout.toString('hex');
    const file = await compile('./container-default');
    await compile('./container-default');
    const name = await compile('container-default');
    expect(name).toBe(await compile(OWN));
    expect(name).not.toBe(file);
  });

  it('is not written by --fix and --apply', async () => {
    const log = 'type=SECCOMP msg=audit(1.1:1): sig=0 arch=c000003e syscall=165 compat=0 code=0x50000\n';
    for (const words of [
      ['lint', '--fix', 'container-default'],
      ['audit', '-', '--profile', 'container-default', '--apply'],
    ])
      expect((await runIn(folder, words, { input: log })).code).toBe(64);
    expect(readFileSync(OWN, 'utf8')).toBe(own);
  });
});

/** A folder as the host's root, with these files. */
function host(files: Record<string, string>): string {
  const root = mkdtempSync(join(folder, 'host-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

function found(name: string, files: Record<string, string>): string {
  try {
    return profilePath(name, host(files));
  } catch (error) {
    if (error instanceof SeccompcError) return error.diagnostics[0]!.code;
    throw error;
  }
}

const MISSING = 'PROFILE_NOT_ON_HOST';
const OVERRIDE = 'etc/containers/seccomp.json';
const DEFAULT = 'usr/share/containers/seccomp.json';
const setTo = (value: string) =>
  `[containers]\n# seccomp_profile = "/no"\nseccomp_profile = ${value} # here\n`;

describe('the names of engines', () => {
  it.each([
    ['docker-default', {}, MISSING],
    ['docker-default', { 'etc/docker/daemon.json': '{}' }, MISSING],
    ['docker-default', { 'etc/docker/seccomp.json': PLAIN }, MISSING],
    ['docker-default', { 'etc/docker/daemon.json': '{"seccomp-profile":"/srv/p.json"}' }, '/srv/p.json'],
    ...['"unconfined"', '"builtin"', '""', '"p.json"', '7', '"/srv/p.json'].map(
      (value) =>
        ['docker-default', { 'etc/docker/daemon.json': `{"seccomp-profile":${value}}` }, MISSING] as const,
    ),
    ['podman-default', {}, MISSING],
    ['podman-default', { 'etc/containers/containers.conf': setTo('"/srv/p.json"') }, '/srv/p.json'],
    [
      'podman-default',
      { [DEFAULT]: PLAIN, 'etc/containers/containers.conf': setTo('"unconfined"') },
      MISSING,
    ],
    ['podman-default', { [DEFAULT]: PLAIN, 'etc/containers/containers.conf': setTo('"\\u002fp"') }, MISSING],
    [
      'podman-default',
      {
        'usr/share/containers/containers.conf': setTo('"/srv/weak.json"'),
        'etc/containers/containers.conf': setTo('"/srv/p.json"'),
        'etc/containers/containers.conf.d/1.conf': setTo("'/srv/one.json'"),
        'etc/containers/containers.conf.d/2.conf': setTo("'/srv/two.json'"),
      },
      '/srv/two.json',
    ],
  ] as const)('%s with %j is %s', (name, files, expected) => {
    expect(found(name, files)).toBe(expected);
  });

  it('are the files that podman takes without a setting, the one in /etc first', () => {
    expect(found('podman-default', { [DEFAULT]: PLAIN })).toMatch(new RegExp(`${DEFAULT}$`));
    expect(found('podman-default', { [DEFAULT]: PLAIN, [OVERRIDE]: PLAIN })).toMatch(
      new RegExp(`${OVERRIDE}$`),
    );
  });

  it('read a faulty file as faulty, with its place', async () => {
    const path = join(host({ 'p.json': FAULTY }), 'p.json');
    expect(found('docker-default', { 'etc/docker/daemon.json': `{"seccomp-profile":"${path}"}` })).toBe(path);
    expect((await runIn(folder, ['compile', path])).stderr).toContain(`${path}:2:`);
  });
});
