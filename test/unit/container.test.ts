/** Finding a container's process, with scripts in place of the engines. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { findContainer } from '../../src/oci/process/container.ts';

const ID = '0123456789abcdef'.repeat(4);
const OTHER_ID = 'f'.repeat(64);
const path = process.env['PATH'];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-container-'));
  process.env['PATH'] = join(folder, 'bin');
  mkdirSync(join(folder, 'bin'));
  // Process 7 is in a control group of the container, 8 sees a folder of it, 9 is another one.
  for (const [pid, file, text] of [
    ['7', 'cgroup', `0::/system.slice/docker-${ID}.scope\n`],
    ['8', 'mountinfo', `1 2 0:3 /containers/${ID}/hosts /etc/hosts rw - ext4 /dev/sda rw\n`],
    ['9', 'cgroup', `0::/system.slice/docker-${OTHER_ID}.scope\n`],
  ] as const) {
    mkdirSync(join(folder, 'proc', pid), { recursive: true });
    writeFileSync(join(folder, 'proc', pid, file), text);
  }
});
afterEach(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

/** A program that writes down its arguments and prints a text. */
function install(engine: string, answer: unknown, { code = 0, stderr = '' } = {}): void {
  const file = join(folder, 'bin', engine);
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  writeFileSync(`${file}.out`, text);
  writeFileSync(`${file}.err`, stderr);
  writeFileSync(
    file,
    `#!/bin/sh\nfor word; do printf '%s\\n' "$word"; done >"$0.args"\n/bin/cat "$0.out"\n/bin/cat "$0.err" >&2\nexit ${code}\n`,
  );
  chmodSync(file, 0o755);
}
const argsOf = (engine: string) =>
  readFileSync(join(folder, 'bin', `${engine}.args`), 'utf8')
    .split('\n')
    .slice(0, -1);
const inspected = (Pid: number, Id = ID) => [{ Id, State: { Pid } }];
const find = (name: string) => findContainer(name, join(folder, 'proc'));
const refusal = async (name: string) => {
  const error: unknown = await find(name).catch((reason: unknown) => reason);
  if (!(error instanceof SeccompcError)) throw error;
  return { code: error.diagnostics[0]!.code, exit: error.exitCode, message: error.diagnostics[0]!.message };
};
const UNKNOWN = { code: 1, stderr: 'first line\nno such container\n' };

describe('the process of a container', () => {
  it('is found in what each engine and runtime prints', async () => {
    const answers: [string, unknown, string[]][] = [
      ['podman', inspected(7), ['container', 'inspect', 'web']],
      ['docker', inspected(7), ['container', 'inspect', 'web']],
      ['crictl', { status: { id: ID }, info: { pid: 7 } }, ['inspect', 'web']],
      ['crun', { id: 'web', pid: 7 }, ['state', 'web']],
      ['runc', { id: 'web', pid: 7 }, ['state', 'web']],
    ];
    for (const [engine, answer, args] of answers) {
      install(engine, answer);
      expect(await find(`${engine}:web`)).toEqual({ pid: 7, engines: [engine] });
      expect(argsOf(engine)).toEqual(args);
    }
    expect(await find('web')).toEqual({ pid: 7, engines: ['podman', 'docker', 'crictl', 'crun', 'runc'] });
  });

  it('is that of the one engine that knows it', async () => {
    install('podman', '[]', UNKNOWN);
    install('docker', inspected(8));
    install('runc', 'no JSON');
    expect(await find('web')).toEqual({ pid: 8, engines: ['docker'] });
  });

  it('is not guessed where two engines know different ones', async () => {
    install('podman', inspected(7));
    install('docker', inspected(8));
    expect(await refusal('web')).toMatchObject({ code: 'CONTAINER_AMBIGUOUS', exit: 64 });
    expect(await find('docker:web')).toEqual({ pid: 8, engines: ['docker'] });
  });

  it('is refused with the words of every engine where none knows a running one', async () => {
    install('podman', '[]', UNKNOWN);
    install('docker', inspected(0));
    install('crun', 'no JSON');
    install('runc', '', { code: 1, stderr: 'time="now" level=error msg="container does not exist"\n' });
    const { code, exit, message } = await refusal('web');
    expect({ code, exit }).toEqual({ code: 'CONTAINER_NOT_FOUND', exit: 66 });
    expect(message).toBe(
      'no running container web here. podman: no such container; docker: it is not running; crun: its answer is not JSON; runc: container does not exist',
    );
    install('runc', '', { code: 3, stderr: '' });
    expect((await refusal('runc:web')).message).toBe(
      'no running container web here. runc: it says nothing (exit code 3)',
    );
  });

  it('is refused if it is not of this machine, where the number is that of another process', async () => {
    for (const [pid, id] of [
      [9, ID],
      [10, ID],
      [7, ''],
      [7, '0'],
      [7, OTHER_ID],
    ] as const) {
      install('docker', inspected(pid, id));
      expect(await refusal('web')).toMatchObject({
        code: 'CONTAINER_NOT_FOUND',
        message: expect.stringContaining('is not on this machine'),
      });
    }
  });

  it('is refused where an engine prints anything but a process', async () => {
    for (const answer of [
      null,
      [],
      {},
      7,
      '"x"',
      [{ Id: ID }],
      inspected(-7),
      inspected(1.5),
      [{ Id: ID, State: { Pid: '7' } }],
    ]) {
      install('podman', answer);
      expect(await refusal('web')).toMatchObject({ code: 'CONTAINER_NOT_FOUND' });
    }
  });

  it('needs an engine', async () => {
    expect(await refusal('web')).toMatchObject({ code: 'CONTAINER_ENGINE_MISSING', exit: 69 });
    install('podman', inspected(7));
    expect(await refusal('docker:web')).toMatchObject({ code: 'CONTAINER_ENGINE_MISSING' });
  });

  it('is asked for by one word that no shell and no option parser reads', async () => {
    install('crun', { pid: 7 });
    const name = `a;touch "$HOME" $(id) 'b'`;
    expect(await find(name)).toMatchObject({ pid: 7 });
    expect(argsOf('crun')).toEqual(['state', name]);
    for (const wrong of ['', '-h', '--root=x', 'crun:', 'crun:-h', '../x', '/x', 'a\0b', 'nerdctl:web'])
      expect(await refusal(wrong)).toMatchObject({ code: 'USAGE', exit: 64 });
  });
});
