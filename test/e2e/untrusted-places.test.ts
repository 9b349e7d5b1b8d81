/**
 * Caches in places that other users can change: real users, real links, real exchanges of
 * directories. Needs root.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, lchownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileCached } from '../../src/cache/compile-cached.ts';
import { hotRequest } from '../../src/cache/hot/hot-request.ts';
import { findAnswer, keepAnswer } from '../../src/cache/hot/hot-tier.ts';
import { writeLoweredAlias } from '../../src/cache/records/alias.ts';
import { openEnvelope, writeEnvelope } from '../../src/cache/records/envelope.ts';
import { openStore } from '../../src/cache/open.ts';
import { sqliteStore } from '../../src/cache/stores/sqlite.ts';
import { closeStore } from '../../src/cache/tiers.ts';
import { writeObject } from '../../src/cache/records/object.ts';
import { makeTarget } from '../../src/target.ts';
import { MAIN } from '../cli/run.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import type { Oracle } from '../oracle/compare.ts';
import { requirements } from './oci/require.ts';

/**
 * How often the command runs while directories are exchanged, and how often its parts look there
 * without its start.
 */
const TRIES = { command: 60, parts: 2000 };
/** A user of this machine's kernel who is in no file. */
const MALLORY = 61_234;

const needs = requirements(['setpriv', 'unshare', 'useradd', 'setfacl', 'cc'], { root: true });
const exchange = ((): Oracle<{ program: string }> => {
  if ('missing' in needs) return { missing: needs.missing };
  const script = fileURLToPath(new URL('../oracle/build.sh', import.meta.url));
  const { status, stdout, stderr } = spawnSync(script, ['exchange'], { encoding: 'utf8' });
  return status === 0 ? { program: join(stdout.trim(), 'exchange') } : { missing: stderr.trim() };
})();

const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [{ names: ['read', 'exit_group'], action: 'SCMP_ACT_ALLOW' }],
});
/** One RET ALLOW (linux/seccomp.h), for a machine of either byte order. */
const ALLOW_ALL = Uint8Array.of(6, 0, 0, 0, 0, 0, 0xff, 0x7f);
const WORDS = ['--arch', 'x86_64', '--kernel', '6.1'];

const TARGET = makeTarget({ arch: 'X86_64', kernel: '6.1' });
const hotWords = (cache: string) =>
  hotRequest(['compile', profile, ...WORDS, '-q', '--cache', cache], 'a build of this test')!;
const databaseAt = (cache: string) => sqliteStore(join(cache, 'cache.sqlite'));

/** What the parts of `compile` that look into a cache find there. */
async function lookUp(cache: string): Promise<{ hot: Buffer | undefined; store: Buffer }> {
  const store = databaseAt(cache);
  const { filter } = await compileCached(PROFILE, { target: TARGET }, { stores: [store] });
  await closeStore(store);
  let hot;
  try {
    hot = findAnswer(hotWords(cache));
  } catch {
    // A place that is not trusted.
  }
  return { hot: hot && Buffer.from(hot.product, 'base64'), store: Buffer.from(filter.bytes) };
}

interface Result {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

let place: string;
let profile: string;
let right: Buffer;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'seccompc-places-'));
  chmodSync(place, 0o755);
  profile = join(place, 'profile.json');
  writeFileSync(profile, PROFILE);
  if (skipWithout(exchange)) return;
  right = compile({}, '--no-cache').stdout;
  if (right.length <= 8) throw new Error('the profile did not compile');
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Runs `compile` by way of the cache of an environment. */
function compile(env: Record<string, string>, ...more: string[]): Result {
  return run([process.execPath, MAIN, 'compile', profile, ...WORDS, ...more], env);
}

function run([program, ...args]: string[], env: Record<string, string> = {}): Result {
  const { status, stdout, stderr } = spawnSync(program!, args, {
    cwd: place,
    env: { PATH: process.env['PATH'], ...env },
  });
  return { code: status, stdout, stderr: stderr.toString() };
}

/** The filter is right, was compiled just now, and one warning says why. */
function expectRefused(found: Result): void {
  expect(found.stdout.equals(right)).toBe(true);
  expect(found.code).toBe(0);
  expect(found.stderr.match(/\[CACHE_/g)).toEqual(['[CACHE_']);
  expect(found.stderr).toContain('[CACHE_FOLDER_UNSAFE]');
  expect(found.stderr).toContain('compiled in');
}

/** Of a second run: the filter is right, and comes from the files in front. */
function expectUsed(first: Result, second: Result): void {
  for (const found of [first, second]) expect(found).toMatchObject({ code: 0, stdout: right });
  expect(second.stderr).toContain('from the cache (hot)');
}

/** With a group of its own. */
function addUser(name: string, home: string): void {
  const { code, stderr } = run(['useradd', '--user-group', '--no-create-home', '--home-dir', home, name]);
  if (code !== 0) throw new Error(stderr);
}

function directory(name: string, mode = 0o755, [uid, gid] = [0, 0]): string {
  const path = join(place, name);
  mkdirSync(path, { recursive: true });
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return path;
}

/**
 * What `compile` and its parts keep, in which every alias leads to the planted program, and every
 * hot entry holds it.
 */
async function plantedCache(path: string): Promise<void> {
  compile({}, '--cache', path, '-q');
  await lookUp(path);
  const answer = { diagnostics: '', summary: '', product: right.toString('base64'), file: null };
  keepAnswer(hotWords(path), Buffer.from(PROFILE), answer);
  const store = openStore(path);
  const { digest, text: object } = writeObject(ALLOW_ALL);
  await store.set(digest, object, { kind: 'object', label: '' });
  for (const { key, kind } of await store.list()) {
    const opened = kind === 'alias' ? openEnvelope((await store.get(key))!, key) : undefined;
    if (opened === undefined || 'refused' in opened) continue;
    const body = opened.body as object;
    const forged =
      'target' in body
        ? writeEnvelope(key, { ...body, object: digest })
        : writeLoweredAlias(key, { object: digest, proved: true });
    await store.set(key, forged, { kind, label: '' });
  }
  await closeStore(store);
  for (const name of readdirSync(join(path, 'hot'))) {
    const file = join(path, 'hot', name);
    const forged = readFileSync(file, 'utf8').replaceAll(
      right.toString('base64'),
      Buffer.from(ALLOW_ALL).toString('base64'),
    );
    writeFileSync(file, forged);
  }
}

describe.skipIf(skipWithout(exchange))('a cache below the home of another user', () => {
  it('is neither made nor used by root, and one warning says so', () => {
    const home = directory('sudo', 0o755, [MALLORY, MALLORY]);
    for (const words of [[], ['--json'], ['-q']]) {
      const found = compile({ HOME: home }, ...words);
      expect(found.code).toBe(0);
      if (words.length === 0) expectRefused(found);
      if (words[0] === '-q') expect(found.stderr).toBe('');
    }
    expect(readdirSync(home)).toEqual([]);
  });

  it('never answers while its owner exchanges it with another', async () => {
    const home = directory('race', 0o755, [MALLORY, MALLORY]);
    const cache = directory('race/.cache', 0o755, [MALLORY, MALLORY]);
    await plantedCache(join(place, 'planted'));
    const planted = Buffer.from(ALLOW_ALL);
    expect(await lookUp(join(place, 'planted'))).toEqual({ hot: planted, store: planted });
    // What an earlier root has made there, and a copy of it with a filter of the owner's.
    compile({}, '--cache', join(place, 'made'), '-q');
    for (const [from, to, owner] of [
      ['made', 'seccompc', 0],
      ['planted', 'other', MALLORY],
    ] as const) {
      cpSync(join(place, from), join(cache, to), { recursive: true });
      for (const name of ['', ...readdirSync(join(cache, to), { recursive: true, encoding: 'utf8' })])
        chownSync(join(cache, to, name), owner, owner);
    }
    const asMallory = [`--reuid=${MALLORY}`, `--regid=${MALLORY}`, '--clear-groups'];
    const { program } = available(exchange);
    const attacker = spawn('setpriv', [...asMallory, program, 'seccompc', 'other'], { cwd: cache });
    const count = text(attacker.stdout);
    const wrong = { hot: 0, store: 0 };
    for (let tries = 0; tries < TRIES.command; tries += 1) {
      // Two command lines: each leaves the hot entry of the other as it is.
      const words = tries % 2 === 0 ? ['-q'] : ['-q', '--format', 'raw'];
      const found = compile({ HOME: home }, ...words);
      expect(found.code).toBe(0);
      if (!found.stdout.equals(right)) wrong[tries % 2 === 0 ? 'hot' : 'store'] += 1;
    }
    for (let tries = 0; tries < TRIES.parts; tries += 1) {
      const { hot, store } = await lookUp(join(cache, 'seccompc'));
      if (hot !== undefined) wrong.hot += 1;
      if (!store.equals(right)) wrong.store += 1;
    }
    attacker.stdin.end();
    const exchanges = Number(await count);
    console.log(`${TRIES.command} compiles and ${TRIES.parts} look-ups during ${exchanges} exchanges`);
    expect(exchanges).toBeGreaterThan(TRIES.command + TRIES.parts);
    expect(wrong).toEqual({ hot: 0, store: 0 });
  });
});

describe.skipIf(skipWithout(exchange))('a cache below a directory', () => {
  const expectUsedAt = (path: string) =>
    expectUsed(compile({}, '--cache', path), compile({}, '--cache', path));
  const expectRefusedAt = (path: string) => expectRefused(compile({}, '--cache', path));

  it('is used where only root can write, and through a link of root', () => {
    const path = directory('own/a');
    expectUsedAt(join(path, 'cache'));
    symlinkSync(path, join(place, 'own', 'link'));
    expectUsedAt(join(place, 'own', 'link', 'cache'));
  });

  it('is not used where a group can write, as in a shared directory', () => {
    expectRefusedAt(join(directory('shared', 0o2775, [0, MALLORY]), 'cache'));
    expect(existsSync(join(place, 'shared', 'cache'))).toBe(false);
  });

  it('is not used where root is only a member of the group', () => {
    expectRefusedAt(join(directory('group', 0o775, [0, 0]), 'cache'));
  });

  it('is used below a sticky directory of root only, and not through the link of another user in it', () => {
    const sticky = directory('sticky', 0o1777);
    expectUsedAt(join(sticky, 'cache'));
    symlinkSync(sticky, join(sticky, 'link'));
    lchownSync(join(sticky, 'link'), MALLORY, MALLORY);
    expectRefusedAt(join(sticky, 'link', 'cache'));
    expectRefusedAt(join(directory('foreign-sticky', 0o1777, [MALLORY, MALLORY]), 'cache'));
  });

  it('is not used if an access control list lets others write', () => {
    for (const on of ['acl', 'acl/cache']) {
      const cache = directory('acl/cache', 0o700);
      const path = join(place, on);
      expect(run(['setfacl', '-m', `u:${MALLORY}:rwx`, path]).code).toBe(0);
      expectRefusedAt(cache);
      run(['setfacl', '-b', path]);
    }
    expectUsedAt(directory('acl/cache', 0o700));
  });

  it('is not used in a user namespace that does not map the owners of the directories', () => {
    const cache = directory('mapped', 0o700, [MALLORY, MALLORY]);
    const command = [process.execPath, MAIN, 'compile', profile, ...WORDS, '--cache', cache];
    const user = ['setpriv', `--reuid=${MALLORY}`, `--regid=${MALLORY}`, '--clear-groups'];
    expectUsed(run([...user, ...command]), run([...user, ...command]));
    const found = run([...user, 'unshare', '--user', '--map-root-user', ...command]);
    expectRefused(found);
    expect(found.stderr).toContain('not mapped in this user namespace');
  });
});

describe.skipIf(skipWithout(exchange))(
  "a cache below a directory that the user's private group can write to",
  () => {
    const [user, other] = ['seccompc-test-a', 'seccompc-test-b'];
    let home: string;
    const compileAs = (name: string) => {
      const [uid, gid] = ['-u', '-g'].map((flag) => run(['id', flag, name]).stdout.toString().trim());
      const words = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups'];
      const command = [process.execPath, MAIN, 'compile', profile, ...WORDS];
      return run(['setpriv', ...words, 'sh', '-c', 'umask 002; exec "$@"', 'sh', ...command], { HOME: home });
    };
    beforeAll(() => {
      home = join(place, 'home');
      removeUsers(); // Left by a run that was killed.
      for (const name of [user, other]) addUser(name, join(place, name));
      mkdirSync(home);
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(run(['id', flag, user]).stdout.toString()));
      chownSync(home, uid!, gid!);
      mkdirSync(join(home, '.cache'));
      chownSync(join(home, '.cache'), uid!, gid!);
      chmodSync(join(home, '.cache'), 0o775);
    });
    const removeUsers = () => {
      for (const name of [user, other]) {
        run(['userdel', name]);
        run(['groupdel', name]);
      }
    };
    afterAll(removeUsers);

    it('is used while the group has no other member, and no list lets others in', () => {
      expectUsed(compileAs(user), compileAs(user));
      expect(run(['usermod', '-aG', user, other]).code).toBe(0);
      expectRefused(compileAs(user));
      expect(run(['gpasswd', '-d', other, user]).code).toBe(0);
      expect(compileAs(user).stderr).toContain('from the cache (hot)');
      run(['setfacl', '-m', `u:${other}:rwx`, join(home, '.cache')]);
      expectRefused(compileAs(user));
      run(['setfacl', '-b', join(home, '.cache')]);
      expect(compileAs(user).stderr).toContain('from the cache (hot)');
      // Nor is it anybody else's, root's included: root's group is not this one.
      expectRefused(compile({ HOME: home }));
    });
  },
);
