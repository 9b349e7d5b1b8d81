/**
 * The cache of the command where everything goes wrong: every request still gets the right filter,
 * in time.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { asOrdinaryUser, isForOrdinaryUsers } from '../cli/ordinary-user.ts';
import { environment, MAIN, runIn, scratch } from '../cli/run.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import type { Oracle } from '../oracle/compare.ts';
import { requirements } from './oci/require.ts';

const folder = scratch();
chmodSync(folder, 0o755);
const TARGET = ['--arch', 'x86_64', '--kernel', '6.1'];
const fresh = (file: string) => runIn(folder, ['compile', file, ...TARGET, '-q', '--no-cache']);

/** Profiles that differ, so that each has something to be kept. */
function profileFile(number: number): string {
  const file = join(folder, `p${number}.json`);
  const rules = [
    { names: ['read', 'write', 'exit_group'], action: 'SCMP_ACT_ALLOW' },
    {
      names: ['ioctl'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 1, value: number, op: 'SCMP_CMP_EQ' }],
    },
  ];
  writeFileSync(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: rules }));
  return file;
}

const files = Array.from({ length: 8 }, (_, number) => profileFile(number));
const right = await Promise.all(files.map(async (file) => (await fresh(file)).stdout));

/** Compiles one of the profiles by way of a cache, and holds the product against the right one. */
async function expectRight(number: number, words: string[], env: Record<string, string> = {}) {
  const begin = Date.now();
  const found = await runIn(folder, ['compile', files[number]!, ...TARGET, ...words], { env });
  expect([found.code, found.stderr]).toEqual([0, expect.anything()]);
  expect(found.stdout.equals(right[number]!)).toBe(true);
  // Stores get 2 s for an answer, and a machine with much to do needs more for the rest.
  expect(Date.now() - begin).toBeLessThan(30_000);
  return found;
}

const at = (name: string) => ['--cache', join(folder, name)];

describe('64 processes at once', () => {
  it('find an empty cache, and each gets the right filter', async () => {
    const place = at('crowd');
    const all = await Promise.all(
      Array.from({ length: 64 }, (_, index) => expectRight(index % files.length, place)),
    );
    expect(all.filter(({ stderr }) => stderr.includes('CACHE_ENTRY_REFUSED'))).toEqual([]);
    // It was left in order, by all of them: a second round is answered.
    for (const number of files.keys()) {
      const { stderr } = await expectRight(number, place);
      expect(stderr).toMatch(/from the cache/);
    }
  });
});

describe('processes that are killed', () => {
  it('300 times, at any moment, leave nothing behind that is wrong', async () => {
    const place = at('killed');
    // How long they take when they are left alone, so many at a time.
    const begin = Date.now();
    await Promise.all(LANES.map((lane) => end(spawnNew(MOST_ATTEMPTS + lane, place))));
    const whole = Date.now() - begin;
    let killed = 0;
    let attempts = 0;
    while (killed < 300) {
      expect(attempts).toBeLessThan(MOST_ATTEMPTS);
      const signals = await Promise.all(
        LANES.map((lane) => {
          const child = spawnNew(attempts + lane, place);
          // Not chance: over all of a start and its writing, the same parts of it in every run.
          setTimeout(() => child.kill('SIGKILL'), (whole * (((attempts + lane) * 7919) % 1000)) / 1000);
          return end(child);
        }),
      );
      killed += signals.filter((signal) => signal === 'SIGKILL').length;
      attempts += LANES.length;
      if (attempts % 60 === 0) {
        const { stderr } = await expectRight((attempts / 60) % files.length, place);
        expect(stderr).not.toContain('warning');
      }
    }
    for (const number of files.keys()) {
      const { stderr } = await expectRight(number, place);
      expect(stderr).not.toContain('warning');
    }
    const verified = await runIn(folder, ['cache', 'verify', ...place]);
    expect([verified.code, verified.stdout.toString()]).toEqual([0, '']);
  });
});

const LANES = [0, 1, 2, 3];
const MOST_ATTEMPTS = 2000;

/** Starts a compile whose result is not in the cache yet. */
function spawnNew(number: number, place: string[]): ChildProcess {
  const file = files[number % files.length]!;
  const words = ['compile', file, '--arch', 'x86_64', '--kernel', `6.${Math.floor(number / 8)}`, ...place];
  return spawn(process.execPath, [MAIN, ...words], { env: environment(folder), stdio: 'ignore' });
}

/** By what a process ended. */
function end(child: ChildProcess): Promise<NodeJS.Signals | null> {
  return new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)));
}

const mounts = requirements(['mount', 'umount'], { root: true });
describe.skipIf(skipWithout(mounts))('a full disk', () => {
  it.each(['4k', '24k', '64k', '200k'])('of %s costs the cache and nothing else', async (size) => {
    const place = join(folder, `disk-${size}`);
    mkdirSync(place);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', place]);
    expect(mounted.status).toBe(0);
    try {
      for (const round of [0, 1, 2])
        for (const number of files.keys())
          await expectRight((number + round) % files.length, at(`disk-${size}`));
    } finally {
      spawnSync('umount', [place]);
    }
  });

  it('that fills up while there is a cache on it leaves what is there', async () => {
    const place = join(folder, 'filling');
    mkdirSync(place);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', place]).status).toBe(0);
    try {
      await expectRight(0, at('filling'));
      spawnSync('dd', ['if=/dev/zero', `of=${join(place, 'full')}`, 'bs=1k'], { stdio: 'ignore' });
      const { stderr } = await expectRight(0, at('filling'));
      expect(stderr).toMatch(/from the cache/);
      for (const number of files.keys()) await expectRight(number, at('filling'));
      rmSync(join(place, 'full'));
      for (const number of files.keys()) await expectRight(number, at('filling'));
      expect((await expectRight(3, at('filling'))).stderr).toMatch(/from the cache/);
    } finally {
      spawnSync('umount', [place]);
    }
  });
});

describe.runIf(isForOrdinaryUsers())('a home that cannot be written to', () => {
  it('is a warning, with a cache in it and without', () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    chmodSync(home, 0o555);
    const env = environment(folder, { HOME: home, XDG_CACHE_HOME: '' });
    const compile = () =>
      spawnSync(process.execPath, [MAIN, 'compile', files[0]!, ...TARGET], {
        env,
        cwd: '/',
        ...asOrdinaryUser(),
      });
    for (const _ of [1, 2]) {
      const { status, stdout, stderr } = compile();
      expect([status, stdout.equals(right[0]!)]).toEqual([0, true]);
      expect(stderr.toString()).toMatch(/CACHE_(UNAVAILABLE|FOLDER_UNSAFE)/);
    }
    expect(readdirSync(home)).toEqual([]);
  });
});

const clock = ((): Oracle<{ library: string }> => {
  const script = fileURLToPath(new URL('../oracle/build.sh', import.meta.url));
  const { status, stdout, stderr } = spawnSync(script, ['clock'], { encoding: 'utf8' });
  return status === 0 ? { library: join(stdout.trim(), 'clock.so') } : { missing: stderr.trim() };
})();

describe.skipIf(skipWithout(clock))('a clock that is set', () => {
  const shifted = (seconds: number) => ({
    LD_PRELOAD: available(clock).library,
    SECCOMPC_TEST_CLOCK: `${seconds}`,
  });
  const YEAR = 365 * 24 * 3600;

  it('really shows another time', () => {
    const env = environment(folder, shifted(-10 * YEAR));
    const { stdout } = spawnSync(process.execPath, ['-p', 'Date.now()'], { env, encoding: 'utf8' });
    expect(Number(stdout)).toBeLessThan(Date.now() - 9 * YEAR * 1000);
  });

  it('back, or before 1970, or far ahead, changes no filter and fails nothing', async () => {
    const place = at('clock');
    for (const seconds of [0, -3600, -10 * YEAR, -60 * YEAR, 10 * YEAR, 0])
      for (const number of [0, 1, 2]) {
        const { stderr } = await expectRight(number, place, shifted(seconds));
        expect(stderr).not.toContain('warning');
      }
  });
});

describe('a store that never answers', () => {
  it.each(['redis', 'postgres'])('is left alone after its time: %s', async (scheme) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const url = `${scheme}://127.0.0.1:${port}/0`;
    try {
      const first = await expectRight(0, ['--cache', url], { XDG_CACHE_HOME: join(folder, scheme) });
      expect(first.stderr).toContain('CACHE_UNAVAILABLE');
      // One's own store answers meanwhile.
      const second = await expectRight(0, ['--cache', url], { XDG_CACHE_HOME: join(folder, scheme) });
      expect(second.stderr).toMatch(/from the cache/);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});

describe('damaged files of the cache', () => {
  it('cut, overwritten or swapped, are never handed out', async () => {
    const place = at('damaged');
    for (const number of files.keys()) await expectRight(number, place);
    const root = join(folder, 'damaged');
    const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .map((path) => join(root, path))
      .filter((path) => /hot|sqlite|code/.test(path) && !path.includes('answers'));
    const kept = new Map(paths.flatMap((path) => readFiles(path)));
    expect(kept.size).toBeGreaterThan(files.length);
    for (const [path, bytes] of kept)
      for (const damaged of damages(bytes, [...kept.values()])) {
        writeFileSync(path, damaged, { mode: 0o600 });
        for (const number of files.keys())
          if (number % 4 === bytes.length % 4) await expectRight(number, place);
        for (const [other, content] of kept) writeFileSync(other, content, { mode: 0o600 });
      }
  });
});

function readFiles(path: string): [string, Buffer][] {
  try {
    return [[path, readFileSync(path)]];
  } catch {
    return [];
  }
}

/** Ends of a file, bits of it, and another file. */
function damages(bytes: Buffer, others: readonly Buffer[]): Buffer[] {
  const flipped = [0.1, 0.5, 0.9].map((place) => {
    const copy = Buffer.from(bytes);
    const position = Math.floor(copy.length * place);
    if (copy.length > 0) copy[position]! ^= 0x10;
    return copy;
  });
  const other = others.find((one) => !one.equals(bytes)) ?? Buffer.alloc(0);
  return [Buffer.alloc(0), bytes.subarray(0, bytes.length >> 1), ...flipped, other];
}
