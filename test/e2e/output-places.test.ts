/**
 * `-o` and `bundle` where other users can put files and links: real users, both settings of the
 * kernel's protection. Needs root.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync, chownSync, existsSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync,
  statSync, symlinkSync, writeFileSync,
} from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeProduct } from '../../src/cli/output/streams.ts';
import { SeccompcError } from '../../src/errors.ts';
import { MAIN } from '../cli/run.ts';
import { PLAIN } from '../cli/profiles.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import type { Oracle } from '../oracle/compare.ts';
import { requirements } from './oci/require.ts';

/** Users and groups that are in no file of this machine. */
const [MALLORY, ALICE, BOB, DEVS, STAFF] = [61_234, 61_235, 61_236, 61_240, 61_241];
/** How often a file is written while its directory is exchanged with a link. */
const TRIES = 5000;

const needs = requirements(['setpriv', 'mkfifo', 'cc'], { root: true });
const exchange = ((): Oracle<{ program: string }> => {
  if ('missing' in needs) return { missing: needs.missing };
  const script = fileURLToPath(new URL('../oracle/build.sh', import.meta.url));
  const { status, stdout, stderr } = spawnSync(script, ['exchange'], { encoding: 'utf8' });
  return status === 0 ? { program: join(stdout.trim(), 'exchange') } : { missing: stderr.trim() };
})();

let place: string;
let filter: Buffer;
const at = (...names: string[]) => join(place, ...names);

/** Runs the command as a user, who is in these groups. */
function compileAs(user: number, groups: readonly number[], output: string, ...more: string[]) {
  const { status, stderr } = spawnSync(
    'setpriv',
    [
      `--reuid=${user}`, `--regid=${groups[0] ?? user}`, groups.length > 1 ? `--groups=${groups.join(',')}` : '--clear-groups',
      process.execPath, MAIN, 'compile', at('plain.json'), '--arch', 'x86_64', '-q', '-o', output, ...more,
    ],
    { cwd: place, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: '/nonexistent' } },
  ); // prettier-ignore
  return { status, stderr };
}
const compileAsRoot = (output: string, ...more: string[]) => compileAs(0, [], output, '--no-cache', ...more);

function link(target: string, path: string, owner: number): void {
  symlinkSync(target, path);
  lchownSync(path, owner, owner);
}

function file(path: string, owner: number, group = owner, mode = 0o644): string {
  writeFileSync(path, 'old');
  chownSync(path, owner, group);
  chmodSync(path, mode);
  return path;
}

function directory(path: string, owner: number, mode: number, group = owner): string {
  mkdirSync(path);
  chownSync(path, owner, group);
  chmodSync(path, mode);
  return path;
}

const ownerOf = (path: string) => {
  const { uid, gid, mode } = statSync(path);
  return { uid, gid, mode: (mode & 0o7777).toString(8) };
};

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'seccompc-output-'));
  chmodSync(place, 0o755);
  writeFileSync(at('plain.json'), PLAIN);
  if (skipWithout(exchange)) return;
  if (compileAsRoot(at('right.bpf')).status !== 0) throw new Error('the profile did not compile');
  filter = readFileSync(at('right.bpf'));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const SETTING = '/proc/sys/fs/protected_symlinks';
const before = existsSync(SETTING) ? readFileSync(SETTING, 'utf8').trim() : undefined;

/** Whether the kernel of the whole machine takes the setting, which is put back. */
function canSet(value: string): boolean {
  try {
    writeFileSync(SETTING, value);
    return readFileSync(SETTING, 'utf8').trim() === value;
  } catch {
    return false;
  } finally {
    if (before !== undefined) writeFileSync(SETTING, before);
  }
}

describe.skipIf(skipWithout(exchange)).each(['0', '1'])('-o with protected_symlinks=%s', (setting) => {
  let victim: string;
  let shared: string;
  let serial = 0;
  const possible = 'missing' in exchange || canSet(setting);
  if (!possible) console.warn(`NOT CHECKED: ${SETTING} cannot be set to ${setting}`);
  beforeEach(({ skip }) => {
    skip(!possible);
    writeFileSync(SETTING, setting);
    serial += 1;
    victim = directory(at(`victim-${setting}-${serial}`), 0, 0o700);
    shared = directory(at(`shared-${setting}-${serial}`), 0, 0o1777);
    return () => writeFileSync(SETTING, before!);
  });

  /** Nothing is written, and the message names the reason. */
  function expectRefused(output: string, reason: RegExp): void {
    const { status, stderr } = compileAsRoot(output);
    expect(stderr).toMatch(reason);
    expect(stderr).toContain('[OUTPUT_NOT_CREATED]');
    expect(status).toBe(73);
  }

  it("follows no link of another user's, to a file or to nothing", () => {
    file(join(victim, 'old'), 0);
    link(join(victim, 'old'), join(shared, 'out'), MALLORY);
    expectRefused(join(shared, 'out'), /"out", a symbolic link of user 61234/);
    expect(readFileSync(join(victim, 'old'), 'utf8')).toBe('old');
    expect(readlinkSync(join(shared, 'out'))).toBe(join(victim, 'old'));
    link(join(victim, 'new'), join(shared, 'dangling'), MALLORY);
    expectRefused(join(shared, 'dangling'), /"dangling", a symbolic link of user 61234/);
    expect(existsSync(join(victim, 'new'))).toBe(false);
  });

  it("follows no link of another user's on the way", () => {
    link(victim, join(shared, 'way'), MALLORY);
    expectRefused(join(shared, 'way/out'), /"way", a symbolic link of user 61234/);
    expectRefused(`${shared}/way/../out`, /"way", a symbolic link of user 61234/);
    // Also where not everybody can write: her home is hers.
    const home = directory(at(`home-${setting}-${serial}`), MALLORY, 0o755);
    link(victim, join(home, 'way'), MALLORY);
    expectRefused(join(home, 'way/out'), /"way", a symbolic link of user 61234/);
    // Nor behind a link that is one's own.
    link(join(home, 'way'), at(`own-${setting}-${serial}`), 0);
    expectRefused(join(at(`own-${setting}-${serial}`), 'out'), /"way", a symbolic link of user 61234/);
    expect(existsSync(join(victim, 'out'))).toBe(false);
  });

  it('writes to no device or pipe that a link of another user leads to', () => {
    link('/dev/full', join(shared, 'device'), MALLORY);
    expectRefused(join(shared, 'device'), /"device", a symbolic link of user 61234/);
    link('/dev/stderr', join(shared, 'stream'), MALLORY);
    expectRefused(join(shared, 'stream'), /"stream", a symbolic link of user 61234/);
  });

  it('changes no configuration that a link of another user in a bundle leads to', () => {
    const config = `{"ociVersion":"1.0.2","linux":{"seccomp":${PLAIN}}}`;
    writeFileSync(join(victim, 'config.json'), config);
    const bundle = directory(join(shared, 'bundle'), MALLORY, 0o755);
    link(join(victim, 'config.json'), join(bundle, 'config.json'), MALLORY);
    const run = () =>
      spawnSync(process.execPath, [MAIN, 'bundle', bundle, '--arch', 'x86_64'], { encoding: 'utf8' });
    expect(run().stderr).toMatch(/"config.json", a symbolic link of user 61234.*\[INPUT_UNREADABLE\]/);
    expect(readFileSync(join(victim, 'config.json'), 'utf8')).toBe(config);
    // One of root's own leads there.
    lchownSync(join(bundle, 'config.json'), 0, 0);
    expect(run()).toMatchObject({ status: 0 });
    expect(readFileSync(join(victim, 'config.json'), 'utf8')).toContain('run.oci.seccomp_bpf_data');
  });

  it("takes no file or pipe of another user's for its own in a directory that everybody can write to", () => {
    file(join(shared, 'out'), MALLORY, MALLORY, 0o666);
    expectRefused(join(shared, 'out'), /belongs to user 61234/);
    expect(readFileSync(join(shared, 'out'), 'utf8')).toBe('old');
    // Opening it would wait for a reader.
    spawnSync('mkfifo', [join(shared, 'pipe')]);
    lchownSync(join(shared, 'pipe'), MALLORY, MALLORY);
    expectRefused(join(shared, 'pipe'), /belongs to user 61234/);
    // Its own it takes, and so does the owner of the directory.
    file(join(shared, 'own'), 0);
    expect(compileAsRoot(join(shared, 'own'))).toEqual({ status: 0, stderr: '' });
    const sticky = directory(at(`sticky-${setting}-${serial}`), ALICE, 0o1777);
    expect(compileAsRoot(file(join(sticky, 'of-alice'), ALICE))).toEqual({ status: 0, stderr: '' });
    expect(ownerOf(join(sticky, 'of-alice'))).toMatchObject({ uid: ALICE, gid: ALICE });
  });

  it('follows links of its own and of root, which stay', () => {
    const home = directory(at(`home-${setting}-${serial}`), ALICE, 0o755);
    directory(join(home, 'real'), ALICE, 0o755);
    for (const owner of [ALICE, 0]) {
      link('real', join(home, `way-${owner}`), owner);
      link(`way-${owner}/./../real//out-${owner}`, join(home, `out-${owner}`), owner);
      expect(compileAs(ALICE, [ALICE], join(home, `out-${owner}`), '--no-cache')).toEqual({
        status: 0,
        stderr: '',
      });
      expect(lstatSync(join(home, `out-${owner}`)).isSymbolicLink()).toBe(true);
      expect(readFileSync(join(home, 'real', `out-${owner}`))).toEqual(filter);
    }
  });
});

describe.skipIf(skipWithout(exchange))('-o onto an existing file', () => {
  it('keeps user, group and mode when root writes, with a hot answer too', () => {
    const folder = directory(at('of-alice'), ALICE, 0o755);
    const output = file(join(folder, 'out'), ALICE, DEVS, 0o640);
    const cache = ['--cache', directory(at('cache-of-root'), 0, 0o700)];
    // The second time and the third the answer is kept, and the last one finds another old file.
    for (const content of ['old', 'old', 'old and longer']) {
      writeFileSync(output, content);
      expect(compileAs(0, [], output, ...cache)).toEqual({ status: 0, stderr: '' });
      expect(readFileSync(output)).toEqual(filter);
      expect(ownerOf(output)).toEqual({ uid: ALICE, gid: DEVS, mode: '640' });
    }
  });

  it('keeps the group where the user cannot be kept, and neither where that is not allowed', () => {
    const folder = directory(at('of-devs'), ALICE, 0o2775, DEVS);
    const shared = file(join(folder, 'shared'), ALICE, STAFF, 0o664);
    expect(compileAs(BOB, [BOB, DEVS, STAFF], shared, '--no-cache')).toEqual({ status: 0, stderr: '' });
    expect(ownerOf(shared)).toEqual({ uid: BOB, gid: STAFF, mode: '664' });
    const other = file(join(folder, 'other'), ALICE, STAFF, 0o664);
    expect(compileAs(BOB, [BOB, DEVS], other, '--no-cache')).toEqual({ status: 0, stderr: '' });
    // The directory's set-group-ID bit decides.
    expect(ownerOf(other)).toEqual({ uid: BOB, gid: DEVS, mode: '664' });
    expect(readFileSync(other)).toEqual(filter);
  });

  it('takes no set-user-ID bit over', () => {
    const output = file(at('setuid'), ALICE, ALICE, 0o4755);
    expect(compileAsRoot(output)).toEqual({ status: 0, stderr: '' });
    expect(ownerOf(output)).toEqual({ uid: ALICE, gid: ALICE, mode: '755' });
  });
});

describe.skipIf(skipWithout(exchange))('-o below the home of another user', () => {
  it(`writes nowhere else while that user exchanges a directory with a link, in ${TRIES} tries`, async () => {
    const home = directory(at('home-of-mallory'), MALLORY, 0o755);
    const victim = directory(at('victim-of-exchange'), 0, 0o700);
    directory(join(home, 'way'), MALLORY, 0o777);
    link(victim, join(home, 'link'), MALLORY);
    const child = spawn(
      'setpriv',
      [
        `--reuid=${MALLORY}`,
        `--regid=${MALLORY}`,
        '--clear-groups',
        available(exchange).program,
        'way',
        'link',
      ],
      { cwd: home, stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const count = text(child.stdout);
    const outcomes = { written: 0, refused: 0 };
    for (let time = 0; time < TRIES; time += 1) {
      try {
        await writeProduct(filter, join(home, 'way', 'out'));
        outcomes.written += 1;
      } catch (error) {
        if (!(error instanceof SeccompcError)) throw error;
        outcomes.refused += 1;
      }
    }
    child.stdin.end();
    const exchanges = Number(await count);
    console.log(`${outcomes.written} written, ${outcomes.refused} refused during ${exchanges} exchanges`);
    expect(Math.min(outcomes.written, outcomes.refused, exchanges)).toBeGreaterThan(0);
    expect(spawnSync('ls', ['-A', victim], { encoding: 'utf8' }).stdout).toBe('');
  });
});
