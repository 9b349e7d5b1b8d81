/** The script that answers without Node: what it gives out, and that everything else goes to Node as it is. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { dirname, join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PLAIN, WITH_WARNING } from './profiles.ts';
import { documentOf, environment, MAIN, runIn, scratch } from './run.ts';

const SCRIPT = join(dirname(MAIN), 'seccompc-sh');
const isLinux = existsSync('/proc/sys/kernel/osrelease');
if (!isLinux) console.error('NOT CHECKED: seccompc-sh answers on Linux only');

const folder = scratch();
const profile = join(folder, 'plain.json');
const cache = join(folder, 'cache');
const hot = join(cache, 'sh');
const LINE = ['compile', profile, '-q', '--arch', 'x86_64', '--cache', cache];
/** How the stand-in for Node ends. */
const NODE_RAN = 99;

const find = (name: string) =>
  (process.env['PATH'] ?? '')
    .split(':')
    .map((path) => join(path, name))
    .find(existsSync);

/** A folder of commands, with this `node` among them. */
function commands(name: string, node: string): string {
  const bin = join(folder, name);
  mkdirSync(bin);
  for (const tool of ['cat', 'find', 'readlink', 'sha256sum']) symlinkSync(find(tool)!, join(bin, tool));
  symlinkSync(node, join(bin, 'node'));
  return bin;
}

let withNode: string;
let without: string;
beforeAll(() => {
  writeFileSync(join(folder, 'stand-in'), `#!/bin/sh\nexit ${NODE_RAN}\n`, { mode: 0o755 });
  withNode = commands('with', process.execPath);
  without = commands('without', join(folder, 'stand-in'));
});

interface Asked {
  shell?: string;
  env?: Record<string, string>;
}
function run(bin: string, args: string[], { shell = '/bin/sh', env = {} }: Asked = {}) {
  const { status, stdout, stderr } = spawnSync(shell, [SCRIPT, ...args], {
    cwd: folder,
    env: environment(folder, { PATH: bin, ...env }),
  });
  return { code: status, stdout, stderr: stderr.toString() };
}
/** With Node at hand, which keeps what the script then needs. */
const prepare = (args = LINE, asked?: Asked) => run(withNode, args, asked);
const ask = (args = LINE, asked?: Asked) => run(without, args, asked);
const LEFT_TO_NODE = { code: NODE_RAN, stdout: Buffer.alloc(0), stderr: '' };
const entry = (end: string) =>
  join(
    hot,
    readdirSync(hot).find((name) => name.endsWith(end))!,
  );

describe.runIf(isLinux)('the script', () => {
  beforeEach(() => {
    rmSync(cache, { recursive: true, force: true });
    writeFileSync(profile, PLAIN);
  });

  const shells = ['sh', 'dash', 'bash', 'busybox']
    .map((name) => find(name))
    .filter((path) => path !== undefined);
  it.each(shells)(
    'answers what was answered before, byte for byte and without Node, under %s',
    async (path) => {
      const direct = await runIn(folder, LINE);
      expect(ask()).toEqual(LEFT_TO_NODE);
      expect(prepare()).toEqual(direct);
      const link = join(folder, 'sh');
      rmSync(link, { force: true });
      symlinkSync(path, link);
      expect(ask(LINE, { shell: link })).toEqual(direct);
      const { answers } = documentOf(await runIn(folder, ['cache', 'stats', '--json', '--cache', cache]));
      expect(answers).toMatchObject({ sh: 1 });
    },
  );

  it('finds the cache where Node finds it', () => {
    const line = LINE.slice(0, -2);
    for (const env of [
      { XDG_CACHE_HOME: join(folder, 'xdg') },
      { XDG_CACHE_HOME: '', HOME: join(folder, 'home') },
      { XDG_CACHE_HOME: 'not/absolute', HOME: join(folder, 'other') },
    ]) {
      const { code, stdout } = prepare(line, { env });
      expect(code).toBe(0);
      expect(ask(line, { env })).toEqual({ code: 0, stdout, stderr: '' });
    }
    expect(ask(line, { env: { XDG_CACHE_HOME: join(folder, 'nowhere') } })).toEqual(LEFT_TO_NODE);
  });

  it('leaves to Node what is not wholly said by its words and its profile', () => {
    writeFileSync(join(folder, 'warning.json'), WITH_WARNING);
    copyFileSync(profile, join(folder, 'with space.json'));
    const given = ['--arch', 'x86_64', '--cache', cache];
    for (const line of [
      ['compile', profile, ...given],
      ['compile', profile, '-q', '--cache', cache],
      ['compile', 'plain.json', '-q', ...given],
      ['compile', join(folder, 'with space.json'), '-q', ...given],
      [...LINE, '-o', join(folder, 'out.bpf')],
      [...LINE, '--output', join(folder, 'out.bpf')],
      [...LINE, '--json'],
      [...LINE, '--format', 'json'],
      [...LINE, '--no-cache'],
      ['compile', profile, '-q', '--arch', 'x86_64', '--cache', 'cache'],
      ['compile', profile, '-q', '--arch', 'x86_64', '--cache', `sqlite:${join(folder, 'a.sqlite')}`],
      ['resolve', profile, '--arch', 'x86_64', '-q'],
      [],
      ['--version'],
    ]) {
      const first = prepare(line);
      expect(first.code).toBe(line.length === 0 ? 64 : 0);
      expect({ line, ...ask(line) }).toEqual({ line, ...LEFT_TO_NODE });
    }
  });

  it('answers no other words than those that were answered', () => {
    const lines = [
      LINE,
      [...LINE, '--kernel', '6.1'],
      [...LINE, '--kernel', '4.3'],
      [...LINE, '--format', 'hex'],
      [...LINE, '--optimize', 'size'],
      [...LINE, '--no-enosys-stub'],
      LINE.with(4, 'aarch64'),
      [...LINE, '--quiet'],
      ['compile', ...LINE.slice(2), profile],
    ];
    for (const [index, line] of lines.entries()) {
      expect(ask(line)).toEqual(LEFT_TO_NODE);
      const { stdout } = prepare(line);
      for (const before of lines.slice(0, index + 1)) expect(ask(before).code).toBe(0);
      expect(ask(line).stdout).toEqual(stdout);
    }
  });

  it('leaves a changed profile to Node, and answers it afterwards', () => {
    const before = prepare().stdout;
    writeFileSync(profile, PLAIN.replace('SCMP_ACT_ALLOW', 'SCMP_ACT_LOG'));
    expect(ask()).toEqual(LEFT_TO_NODE);
    const after = prepare().stdout;
    expect(after).not.toEqual(before);
    expect(ask().stdout).toEqual(after);
    rmSync(profile);
    expect(ask()).toEqual(LEFT_TO_NODE);
  });

  it('gives out nothing that is damaged, cut off, swapped or missing', () => {
    prepare();
    const program = readFileSync(entry('.bpf'));
    for (let at = 0; at < program.length; at += 1) {
      writeFileSync(
        entry('.bpf'),
        Uint8Array.from(program, (byte, index) => (index === at ? byte ^ 1 : byte)),
      );
      if (ask().code !== NODE_RAN) expect.fail(`given out with byte ${at} changed`);
    }
    writeFileSync(entry('.bpf'), program.subarray(0, -8));
    expect(ask()).toEqual(LEFT_TO_NODE);
    writeFileSync(entry('.bpf'), program);
    expect(ask().code).toBe(0);
    const sums = readFileSync(entry('.sum'), 'utf8');
    for (const bad of [
      '',
      sums.slice(0, 70),
      sums.replace(/[0-9a-f]/, 'g'),
      sums.replaceAll(/[0-9]/g, '0'),
    ]) {
      writeFileSync(entry('.sum'), bad);
      expect(ask()).toEqual(LEFT_TO_NODE);
    }
    rmSync(entry('.sum'));
    expect(ask()).toEqual(LEFT_TO_NODE);
  });

  it('gives out nothing that somebody else could have written', () => {
    const { stdout } = prepare();
    const own = [cache, hot, entry('.sum'), entry('.bpf')];
    for (const path of own) {
      const mode = path === cache || path === hot ? 0o700 : 0o600;
      for (const more of [0o020, 0o002]) {
        chmodSync(path, mode | more);
        expect({ path, more, ...ask() }).toEqual({ path, more, ...LEFT_TO_NODE });
        chmodSync(path, mode);
      }
      if (process.geteuid?.() === 0) {
        chownSync(path, 12345, 12345);
        expect({ path, ...ask() }).toEqual({ path, ...LEFT_TO_NODE });
        chownSync(path, 0, 0);
      }
      renameSync(path, `${path}-moved`);
      symlinkSync(`${path}-moved`, path);
      expect({ path, ...ask() }).toEqual({ path, ...LEFT_TO_NODE });
      rmSync(path);
      renameSync(`${path}-moved`, path);
    }
    chmodSync(folder, 0o777);
    expect(ask()).toEqual(LEFT_TO_NODE);
    chmodSync(folder, 0o1777);
    expect(ask().stdout).toEqual(stdout);
    chmodSync(folder, 0o700);
    expect(ask().stdout).toEqual(stdout);
  });

  it('is looked after like the rest of the cache', async () => {
    const of = (...words: string[]) => runIn(folder, ['cache', ...words, '--cache', cache]);
    prepare();
    prepare([...LINE, '--kernel', '6.1']);
    expect(documentOf(await of('stats', '--json'))).toMatchObject({ sh: { entries: 4 } });
    expect(documentOf(await of('verify', '--json'))).toMatchObject({ hot: 4, findings: [] });

    const [bad, good] = readdirSync(hot).filter((name) => name.endsWith('.sum'));
    writeFileSync(join(hot, bad!), 'damaged');
    rmSync(join(hot, good!.replace(/sum$/, 'bpf')));
    const { code, stdout } = await of('verify', '--remove');
    expect({ code, lines: stdout.toString().trimEnd().split('\n').length }).toEqual({ code: 1, lines: 4 });
    expect(readdirSync(hot)).toEqual([]);
    expect((await of('verify')).code).toBe(0);

    prepare();
    expect((await of('gc', '--max-age', '0')).code).toBe(0);
    expect(readdirSync(hot)).toEqual([]);
    prepare();
    expect((await of('clear', '-q')).code).toBe(0);
    expect(readdirSync(hot)).toEqual([]);
    expect(ask()).toEqual(LEFT_TO_NODE);
  });

  it('says what the command says of a fault, with its exit code', async () => {
    writeFileSync(profile, '{"defaultAction":');
    expect(prepare()).toEqual(await runIn(folder, LINE));
    expect(existsSync(hot) ? readdirSync(hot) : []).toEqual([]);
  });
});
