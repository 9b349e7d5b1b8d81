/** crun's cache, with a program that only tells versions in place of crun. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const at = (...names: string[]) => join(folder, ...names);

function fakeCrun(name: string, annotations: Record<string, string>): string {
  const file = at(name);
  writeFileSync(file, `#!/bin/sh\n[ "$1" = features ] && echo '${JSON.stringify({ annotations })}'\n`);
  chmodSync(file, 0o755);
  return file;
}
const versions = (crun: string) => ({
  'run.oci.crun.version': crun,
  'io.github.seccomp.libseccomp.version': '2.6.0',
});
const CRUN = fakeCrun('crun', versions('1.21'));

const denyMkdir = (errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
function config(name: string, seccomp: string, rest = ''): string {
  writeFileSync(at(name), `{"ociVersion":"1.0.2","linux":{"seccomp":${seccomp}}${rest}}`);
  return name;
}
const crunCache = (root: string, task: string, configs: string[], ...options: string[]) =>
  runIn(folder, [
    'crun-cache',
    task,
    ...configs,
    '--root',
    at(root),
    '--no-cache',
    '--crun',
    CRUN,
    ...options,
  ]);
const names = (root: string) => readdirSync(at(root, '.cache/seccomp'));

describe('crun-cache', () => {
  it('writes the filter under the name by which crun looks for it', async () => {
    const files = [config('28.json', denyMkdir(28))];
    expect((await crunCache('a', 'status', files)).stdout.toString()).toBe('absent\t28.json\n');
    expect(await crunCache('a', 'warm', files)).toMatchObject({
      code: 0,
      stdout: Buffer.from('written\t28.json\n'),
    });
    expect((await crunCache('a', 'status', files)).stdout.toString()).toBe('cached\t28.json\n');
    expect((await crunCache('a', 'warm', files)).stdout.toString()).toBe('cached\t28.json\n');
    expect(names('a')).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    const { mode } = statSync(at('a/.cache/seccomp', names('a')[0]!));
    expect((mode & 0o7777).toString(8)).toBe('1700');
    expect((statSync(at('a/.cache/seccomp')).mode & 0o777).toString(8)).toBe('700');
    const compiled = await runIn(folder, ['compile', '-', '--no-cache', '-q'], { input: denyMkdir(28) });
    expect(readFileSync(at('a/.cache/seccomp', names('a')[0]!))).toEqual(compiled.stdout);
    const document = documentOf(await crunCache('a', 'status', files, '--json'));
    expect(document).toMatchObject({
      crun: '1.21',
      configs: [{ config: '28.json', status: 'cached', key: names('a')[0] }],
    });
  });

  it('does not give a profile the filter of another with the same name', async () => {
    const files = [config('28.json', denyMkdir(28)), config('2.json', denyMkdir(2))];
    const { code, stdout, stderr } = await crunCache('b', 'warm', files);
    expect({ code, stdout: stdout.toString() }).toEqual({
      code: 1,
      stdout: 'written\t28.json\nconflict\t2.json\n',
    });
    expect(stderr).toContain('CRUN_CACHE_CONFLICT');
    expect(names('b')).toHaveLength(1);
    expect(await crunCache('b', 'status', files)).toMatchObject({ code: 1 });
  });

  it('takes the place of a program that crun has made of the same profile, and of no other', async () => {
    const files = [config('28.json', denyMkdir(28))];
    await crunCache('c', 'warm', files);
    const path = at('c/.cache/seccomp', names('c')[0]!);
    const ours = readFileSync(path);
    writeFileSync(path, Buffer.concat([Buffer.from([0x20, 0, 0, 0, 0, 0, 0, 0]), ours]));
    expect((await crunCache('c', 'status', files)).stdout.toString()).toBe('equivalent\t28.json\n');
    expect((await crunCache('c', 'warm', files)).stdout.toString()).toBe('written\t28.json\n');
    expect(readFileSync(path)).toEqual(ours);
    for (const damage of [Buffer.alloc(0), ours.subarray(0, 8)]) {
      writeFileSync(path, damage);
      expect((await crunCache('c', 'warm', files)).stdout.toString()).toBe('conflict\t28.json\n');
    }
  });

  it('says where crun does not look into its cache', async () => {
    const files = [
      config('annotated.json', denyMkdir(28), ',"annotations":{"run.oci.seccomp_bpf_data":"AAAA"}'),
    ];
    expect((await crunCache('d', 'warm', files)).stdout.toString()).toBe('annotated\tannotated.json\n');
  });

  it('refuses a crun whose names are not known, and none', async () => {
    const files = [config('28.json', denyMkdir(28))];
    for (const release of ['1.13', '1.30', '2.0', 'main']) {
      const crun = fakeCrun(`crun-${release}`, versions(release));
      expect(await crunCache('e', 'warm', files, '--crun', crun)).toMatchObject({ code: 69 });
      expect(await crunCache('e', 'warm', files, '--crun', crun, '--force')).toMatchObject({ code: 0 });
    }
    const old = fakeCrun('crun-old', { 'run.oci.crun.version': '1.8.1' });
    expect((await crunCache('e', 'warm', files, '--crun', old)).stderr).toContain('CRUN_WITHOUT_CACHE');
    expect((await crunCache('e', 'warm', files, '--crun', at('none'))).stderr).toContain('CRUN_MISSING');
    const broken = at('crun-broken');
    writeFileSync(broken, '#!/bin/sh\necho "crun: no libseccomp.so.2" >&2\nexit 127\n');
    chmodSync(broken, 0o755);
    const { code, stderr } = await crunCache('e', 'warm', files, '--crun', broken);
    expect(code).toBe(69);
    expect(stderr).toContain('crun: no libseccomp.so.2');
  });

  it('writes nothing where others could', async () => {
    mkdirSync(at('open/.cache/seccomp'), { recursive: true });
    chmodSync(at('open/.cache/seccomp'), 0o777);
    const { code, stderr } = await crunCache('open', 'warm', [config('28.json', denyMkdir(28))]);
    expect(code).toBe(73);
    expect(stderr).toContain('PLACE_UNSAFE');
    expect(names('open')).toEqual([]);
  });
});
