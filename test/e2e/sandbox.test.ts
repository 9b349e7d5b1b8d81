/**
 * Policies of seccompc/sandbox under the running kernel: through the launcher, and through
 * bubblewrap.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noUnixSockets, policy, PRESETS, wrapSpawn } from '../../src/sandbox/index.ts';
import type { Policy } from '../../src/sandbox/index.ts';
import { skipWithout } from '../oracle/compare.ts';
import { requirements } from './oci/require.ts';

const onX86 = process.arch === 'x64' && process.platform === 'linux';
const needs = onX86
  ? requirements(['gcc', 'bwrap', 'unshare'], { root: true })
  : { missing: 'Linux on x86_64' };

const open = policy({ default: 'allow' });
const withoutUnix = open.use(noUnixSockets);

interface Run {
  stdout: string;
  stderr: string;
  /** What it said on the socket that it inherits as descriptor 3. */
  inherited: string;
  code: number | null;
  signal: string | null;
}

async function ended(child: ChildProcess): Promise<Run> {
  const [stdout, stderr, inherited] = [1, 2, 3].map((fd) => text(child.stdio[fd] as Readable));
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return { stdout: await stdout!, stderr: await stderr!, inherited: await inherited!, code, signal };
}

const STDIO = ['ignore', 'pipe', 'pipe', 'pipe'] as const;

/** Both ways to start a command under a policy. */
const WAYS: [string, (sandbox: Policy, command: string, ...args: string[]) => ChildProcess][] = [
  ['wrapSpawn', (sandbox, command, ...args) => wrapSpawn(sandbox, command, args, { stdio: [...STDIO] })],
  [
    'bubblewrap',
    (sandbox, command, ...args) => {
      const filter = sandbox.toBwrap({ fd: 4 });
      const words = ['--dev-bind', '/', '/', ...filter.args, '--', command, ...args];
      const child = spawn('bwrap', words, { stdio: [...STDIO, filter.descriptor] });
      filter.close();
      return child;
    },
  ],
];

describe.skipIf(skipWithout(needs))('a policy under the kernel', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'seccompc-sandbox-'));
    const source = join(import.meta.dirname, 'sandbox/probe.c');
    for (const bits of ['64', '32'])
      execFileSync('gcc', [`-m${bits}`, '-O1', '-nostdlib', '-static', '-fno-pic', '-no-pie', '-ffreestanding', '-fno-stack-protector', '-o', join(folder, bits), source]); // prettier-ignore
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const probe = async (start: (typeof WAYS)[number][1], sandbox: Policy, bits: string) => {
    const { stdout, stderr, inherited, signal } = await ended(start(sandbox, join(folder, bits)));
    expect([stderr, signal, inherited]).toEqual(['', null, 'hello']);
    return Object.fromEntries(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')),
    );
  };

  describe.each(WAYS)('by %s', (_, start) => {
    test('refuses a Unix socket and leaves those that are inherited, to 64-bit programs', async () => {
      expect(await probe(start, open.deny('ptrace'), '64')).toEqual({
        unix: '0', 'unix-high': '0', inet: '0', pair: '0', 'datagram-pair': '0', inherited: '0',
      }); // prettier-ignore
      expect(await probe(start, withoutUnix, '64')).toEqual({
        unix: '1', 'unix-high': '1', inet: '0', pair: '0', 'datagram-pair': '1', inherited: '0',
      }); // prettier-ignore
    });

    test('does so to 32-bit programs, and refuses new sockets through socketcall, which hides the family', async () => {
      expect(await probe(start, open.deny('ptrace'), '32')).toEqual({
        unix: '0', inet: '0', pair: '0', 'datagram-pair': '0',
        'socketcall-unix': '0', 'socketcall-inet': '0', inherited: '0',
      }); // prettier-ignore
      expect(await probe(start, withoutUnix, '32')).toEqual({
        unix: '1', inet: '0', pair: '0', 'datagram-pair': '1',
        'socketcall-unix': '1', 'socketcall-inet': '1', inherited: '0',
      }); // prettier-ignore
    });

    test('lets threads and children start under all presets, and no namespace', async () => {
      const script = join(folder, 'threads.cjs');
      writeFileSync(
        script,
        `const { Worker } = require('node:worker_threads');
         const { spawnSync } = require('node:child_process');
         new Worker('require("node:worker_threads").parentPort.postMessage(7)', { eval: true }).on('message', (seven) => {
           const { status } = spawnSync('unshare', ['--user', 'true']);
           const { stdout } = spawnSync('grep', ['^Seccomp:', '/proc/self/status'], { encoding: 'utf8' });
           console.log(seven, status, stdout.trim());
         });`,
      );
      const { stdout, code } = await ended(start(open.use(...PRESETS), process.execPath, script));
      expect([stdout, code]).toEqual(['7 1 Seccomp:\t2\n', 0]);
    });
  });

  test('bubblewrap starts nothing without the descriptor, or with one that it has read', async () => {
    const { args, descriptor, close } = withoutUnix.toBwrap({ fd: 4 });
    const words = ['--dev-bind', '/', '/', ...args, '--', 'echo', 'started'];
    const outputs: string[] = [];
    for (const fd of ['ignore', descriptor, descriptor] as const) {
      const { stdout, code } = await ended(spawn('bwrap', words, { stdio: [...STDIO, fd] }));
      outputs.push(`${stdout.trimEnd()} ${code}`);
    }
    close();
    expect(outputs).toEqual([' 1', 'started 0', ' 1']);
  });

  test('wrapSpawn gives the command its own descriptors, directory and environment, and no others', async () => {
    const child = wrapSpawn(
      withoutUnix,
      'sh',
      ['-c', 'pwd; echo "$A"; ls -l /proc/self/fd | wc -l; exit 7'],
      {
        stdio: [...STDIO],
        cwd: folder,
        env: { PATH: process.env['PATH'], A: 'b' },
      },
    );
    const { stdout, code } = await ended(child);
    // "total", the standard streams, the socket, and the directory itself.
    expect([stdout.split('\n'), code]).toEqual([[folder, 'b', '6', ''], 7]);
  });

  test('wrapSpawn starts nothing if the filter cannot be loaded or the command is missing', async () => {
    const missing = await ended(wrapSpawn(withoutUnix, 'no-such-command', [], { stdio: [...STDIO] }));
    expect([missing.code, missing.stderr]).toEqual([127, 'seccompc: no-such-command: not found\n']);
    // The launcher below one whose filter refuses seccomp(2).
    const inner = open.deny('ptrace').toLauncher();
    const launcher = join(folder, 'launcher');
    writeFileSync(launcher, inner, { mode: 0o755 });
    const refused = await ended(
      wrapSpawn(open.deny('seccomp'), launcher, ['echo', 'unfiltered'], { stdio: [...STDIO] }),
    );
    expect([refused.code, refused.stdout]).toEqual([69, '']);
  });
});
