import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { DOCKER, FAULTY, PLAIN, UNCONFINED_CONFIG, WITH_WARNING } from './profiles.ts';
import { codesOf, documentOf, environment, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (...args: string[]) => runIn(folder, ['prebuild', ...args]);
const MATRIX = ['--arch', 'x86_64,arm64', '--kernel', '4.4,6.1'];

beforeAll(() => {
  mkdirSync(join(folder, 'good', 'deep'), { recursive: true });
  writeFileSync(join(folder, 'good', 'plain.json'), PLAIN);
  writeFileSync(join(folder, 'good', 'deep', 'docker.json'), DOCKER);
  writeFileSync(join(folder, 'good', 'warning.json'), WITH_WARNING);
  writeFileSync(join(folder, 'good', 'notes.txt'), 'no profile');
  writeFileSync(join(folder, 'faulty.json'), FAULTY);
  writeFileSync(join(folder, 'config.json'), UNCONFINED_CONFIG);
  mkdirSync(join(folder, 'empty'));
});

interface Row {
  profile: string;
  profileSha256: string;
  target: { arch: string; kernel: { major: number; minor: number } };
  filter: { path: string; sha256: string } | null;
}

function rows(document: Record<string, unknown>): Row[] {
  return document['filters'] as Row[];
}

function indexOf(out: string): Record<string, unknown> {
  return { ...(JSON.parse(readFileSync(join(folder, out, 'index.json'), 'utf8')) as object) };
}

/** Every file below a folder, with its content. */
function contents(out: string): Record<string, string> {
  const files = readdirSync(join(folder, out), { recursive: true, encoding: 'utf8' }).toSorted();
  return Object.fromEntries(
    files
      .filter((file) => file.includes('.'))
      .map((file) => [file, readFileSync(join(folder, out, file)).toString('base64')]),
  );
}

function filesBelow(path: string): string[] {
  return existsSync(join(folder, path)) ? readdirSync(join(folder, path)).toSorted() : [];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('seccompc prebuild', () => {
  it('writes a file for every filter, and an index of what is which', async () => {
    const result = await run('good', ...MATRIX, '--out', 'out');
    expect([result.code, result.stdout.length]).toEqual([0, 0]);
    expect(result.stderr).toContain('12 of 12 done');
    const filters = rows(indexOf('out'));
    expect(
      filters.map(({ profile, target: { arch, kernel } }) => `${profile} ${arch} ${kernel.major}`),
    ).toEqual(
      ['deep/docker.json', 'plain.json', 'warning.json'].flatMap((profile) =>
        ['X86_64 4', 'X86_64 6', 'AARCH64 4', 'AARCH64 6'].map((target) => `${profile} ${target}`),
      ),
    );
    for (const { profile, profileSha256, target, filter } of filters) {
      const source = readFileSync(join(folder, 'good', profile));
      expect(profileSha256).toBe(sha256(source));
      const { path, sha256: digest } = filter!;
      const program = readFileSync(join(folder, 'out', path));
      expect([path, sha256(program)]).toEqual([`filters/${digest}.bpf`, digest]);
      const flags = ['--arch', target.arch, '--kernel', `${target.kernel.major}.${target.kernel.minor}`];
      const own = await runIn(folder, ['compile', '-', '--no-cache', '-q', ...flags], { input: source });
      expect(program).toEqual(own.stdout);
    }
    const named = new Set(filters.map(({ filter }) => `${filter!.sha256}.bpf`));
    expect(readdirSync(join(folder, 'out', 'filters')).toSorted()).toEqual([...named].toSorted());
  });

  it('writes the same bytes however many work on them, and in whatever order it is told', async () => {
    await run(
      'good',
      'faulty.json',
      'config.json',
      ...MATRIX,
      '--out',
      'one',
      '--jobs',
      '1',
      '--no-cache',
      '-q',
    );
    await run(
      'config.json',
      'faulty.json',
      'good',
      ...MATRIX,
      '--out',
      'four',
      '--jobs',
      '4',
      '--no-cache',
      '-q',
    );
    expect(contents('four')).toEqual(contents('one'));
    expect(Object.keys(contents('one')).length).toBeGreaterThan(4);
    expect(readFileSync(join(folder, 'one', 'index.json'), 'utf8')).not.toContain(folder);
  });

  it('does the others when a profile is refused, and says which it was', async () => {
    const result = await run('good', 'faulty.json', ...MATRIX, '--out', 'partly', '-q');
    expect([result.code, result.stdout.length]).toEqual([65, 0]);
    expect(result.stderr.match(/^faulty\.json:2:\d+: error: .*\[UNKNOWN_ACTION\]$/gm)).toHaveLength(1);
    expect(result.stderr).not.toContain('warning');
    expect(rows(indexOf('partly'))).toHaveLength(12);
  });

  it('skips files of a folder that are no profiles only if told to, and never a faulty profile', async () => {
    const mixed = (name: string) => join(folder, 'mixed', name);
    mkdirSync(mixed(''));
    writeFileSync(mixed('plain.json'), PLAIN);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'package'])
      writeFileSync(mixed(`${name}.json`), '{"name":"x","version":"1.0.0"}');
    const refused = await run('mixed', '--out', 'mixed-all');
    expect(refused.code).toBe(65);
    const [line, ...others] = refused.stderr.match(/.*NOT_A_PROFILE.*/g)!;
    expect(others).toEqual([]);
    expect(line).toMatch(
      /^mixed\/a\.json:1:1: error: .*; also in mixed\/b\.json, mixed\/c\.json, mixed\/d\.json and 2 more files /,
    );
    const skipped = await run('mixed', '--out', 'mixed-out', '--skip-others');
    expect(skipped.code).toBe(0);
    expect(skipped.stderr).toContain('1 of 1 done');
    expect(skipped.stderr).toContain('6 other files skipped');
    expect(rows(indexOf('mixed-out')).map(({ profile }) => profile)).toEqual(['plain.json']);
    expect((await run('mixed/a.json', '--out', 'mixed-named', '--skip-others')).code).toBe(65);
    writeFileSync(mixed('faulty.json'), FAULTY);
    writeFileSync(mixed('torn.json'), PLAIN.slice(0, 90));
    const faulty = await run('mixed', '--out', 'mixed-faulty', '--skip-others', '--json');
    expect(faulty.code).toBe(65);
    expect(documentOf(faulty)['failed']).toMatchObject([
      { profile: 'faulty.json' },
      { profile: 'torn.json' },
    ]);
  });

  it('tells each default once in its help', async () => {
    expect((await run('--help')).stdout.toString()).not.toMatch(/default: [^()]*\)\s*\(default/);
  });

  it('prints the index as one document, with what failed', async () => {
    const result = await run('good', 'faulty.json', ...MATRIX, '--out', 'json', '--json');
    expect(result).toMatchObject({ code: 65, stderr: '' });
    const { failed, diagnostics: _, ...index } = documentOf(result);
    expect(index).toEqual(indexOf('json'));
    expect(failed).toHaveLength(4);
    expect(failed).toContainEqual({
      profile: 'faulty.json',
      target: expect.objectContaining({ arch: 'AARCH64', kernel: { major: 4, minor: 4 } }),
    });
    expect(new Set(codesOf(result))).toEqual(new Set(['UNKNOWN_SYSCALL', 'UNKNOWN_ACTION']));
  });

  it('fills the cache that compile looks into', async () => {
    expect(await run('good', ...MATRIX, '--cache', 'cache', '-q')).toMatchObject({ code: 0, stderr: '' });
    const flags = ['--arch', 'arm64', '--kernel', '4.4', '--cache', 'cache', '--json'];
    const hit = documentOf(await runIn(folder, ['compile', 'good/plain.json', ...flags]));
    expect(hit['cache']).toMatchObject({ tier: 'sqlite' });
    const again = await run('good', ...MATRIX, '--cache', 'cache');
    expect(again.stderr).toContain('0 compiled, 12 from the cache');
  });

  it('goes on where a killed run stopped, and leaves what a whole run leaves', async () => {
    mkdirSync(join(folder, 'many'));
    for (const name of ['a', 'b', 'copy-of-b'])
      writeFileSync(join(folder, 'many', `${name}.json`), name === 'a' ? DOCKER : PLAIN);
    // It is last, and a run waits for its content, so no run is done before it is killed.
    const last = join(folder, 'many', 'last.json');
    execFileSync('mkfifo', [last]);
    const args = ['prebuild', 'many', ...MATRIX, '--jobs', '2', '--cache', 'cache-of-killed'];
    const child = spawn(process.execPath, [MAIN, ...args, '--out', 'killed'], {
      cwd: folder,
      env: environment(folder),
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    const programs = () => filesBelow('killed/filters').filter((name) => name.endsWith('.bpf'));
    await vi.waitFor(() => expect(programs().length).toBeGreaterThan(1), { timeout: 60_000, interval: 5 });
    child.kill('SIGKILL');
    expect((await ended)[1]).toBe('SIGKILL');
    for (const name of programs())
      expect(`${sha256(readFileSync(join(folder, 'killed/filters', name)))}.bpf`).toBe(name);
    expect(filesBelow('killed')).toEqual(['filters']);

    rmSync(last);
    writeFileSync(last, WITH_WARNING);
    const written = programs().length;
    writeFileSync(join(folder, 'killed/filters', `.${programs()[0]}.1-abc`), 'half');
    const again = await runIn(folder, [...args, '--out', 'killed']);
    expect(again.code).toBe(0);
    expect(again.stderr).toContain('16 of 16 done');
    expect(Number(/(\d+) from the cache/.exec(again.stderr)![1])).toBeGreaterThanOrEqual(written);
    await run('many', ...MATRIX, '--out', 'whole', '--no-cache', '-q');
    expect(filesBelow('killed/filters')).toEqual(filesBelow('whole/filters'));
    expect(contents('killed')).toEqual(contents('whole'));
  });

  it('writes files also where there is no cache', async () => {
    const result = await run('good/plain.json', '--out', 'uncached', '--cache', '/proc/none', '--json');
    expect([result.code, new Set(codesOf(result))]).toEqual([0, new Set(['CACHE_UNAVAILABLE'])]);
    expect(rows(indexOf('uncached'))).toHaveLength(1);
  });

  it('takes all architectures at once', async () => {
    const profile =
      '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}';
    writeFileSync(join(folder, 'any.json'), profile);
    const result = await run('any.json', '--arch', 'all', '--kernel', '6.1', '--out', 'all', '--json');
    expect(result.code).toBe(0);
    expect(new Set(rows(documentOf(result)).map(({ target }) => target.arch)).size).toBe(23);
  });

  it.each([
    [66, 'INPUT_UNREADABLE', ['missing.json']],
    [66, 'INPUT_UNREADABLE', ['empty']],
    [64, 'USAGE', ['good', '--no-cache']],
    [64, 'USAGE', ['good', '--arch', 'x86_64,vax']],
    [64, 'USAGE', ['good', '--kernel', '6.1,newest']],
    [64, 'USAGE', ['good', '--no-prove', '--require-proof']],
    [69, 'CACHE_FAILED', ['good', '--cache', '/proc/none']],
    [73, 'OUTPUT_NOT_CREATED', ['good', '--out', '/proc/none']],
  ])('exits with %i and says %s', async (code, word, args) => {
    const result = await run(...args, '--json');
    expect([result.code, result.stderr]).toEqual([code, '']);
    expect(new Set(codesOf(result))).toContain(word);
  });
});
