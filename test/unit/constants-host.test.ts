import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { archOf, parseArch } from '../../src/arch.ts';
import { constantsOf, loadCallFacts } from '../../src/syscalls/constants.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { skipWithout } from '../oracle/compare.ts';

// The judge is the C library of this machine and its own kernel headers, which programs are
// compiled with.
const HEADERS = [
  'sys/socket.h', 'sched.h', 'sys/mman.h', 'fcntl.h', 'sys/prctl.h', 'sys/ioctl.h', 'asm/termbits.h', 'linux/serial.h', 'linux/fiemap.h', 'sys/personality.h',
  'linux/keyctl.h', 'linux/bpf.h', 'linux/seccomp.h', 'sys/ptrace.h', 'signal.h', 'linux/mount.h', 'linux/memfd.h', 'linux/fs.h',
  'linux/futex.h', 'sys/wait.h', 'time.h', 'unistd.h', 'sys/resource.h', 'linux/sockios.h', 'linux/userfaultfd.h', 'linux/perf_event.h',
  'linux/if_tun.h', 'linux/nsfs.h', 'linux/kd.h', 'linux/vt.h', 'sys/epoll.h', 'sys/eventfd.h', 'sys/timerfd.h', 'linux/reboot.h',
  'linux/fanotify.h', 'sys/inotify.h', 'linux/random.h', 'linux/net.h', 'linux/landlock.h', 'linux/io_uring.h', 'linux/blktrace_api.h',
]; // prettier-ignore

const gcc = spawnSync('gcc', ['--version']).status === 0 ? {} : { missing: 'gcc' };
const arch = archOf(parseArch({ x64: 'x86_64' }[process.arch as string] ?? process.arch) ?? 'X86_64');
const folder = mkdtempSync(join(tmpdir(), 'seccompc-constants-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(loadCallFacts);

it.skipIf(skipWithout(gcc))(
  'agrees with a C program of this machine on every macro that both know',
  async () => {
    const ours = new Map<string, bigint>();
    for (const [, call] of (await loadTables([arch.table])).of(arch.name).entries())
      for (let index = 0; index < 6; index++)
        for (const [name, value] of constantsOf(arch, call, index)?.entries ?? []) ours.set(name, value);
    const lines = [...ours.keys()].map(
      (name) => `#ifdef ${name}\nprintf("${name} %u\\n", (unsigned)(${name}));\n#endif\n`,
    );
    const includes = [...HEADERS, 'stdio.h'].map((header) => `#include <${header}>\n`);
    const source = join(folder, 'constants.c');
    writeFileSync(
      source,
      `#define _GNU_SOURCE\n${includes.join('')}int main(void) {\n${lines.join('')}return 0;\n}\n`,
    );
    const program = join(folder, 'constants');
    const compiled = spawnSync('gcc', ['-w', '-o', program, source], { encoding: 'utf8' });
    expect(compiled).toMatchObject({ status: 0, stderr: '' });
    const theirs = spawnSync(program, { encoding: 'utf8' }).stdout.trimEnd().split('\n');
    const wrong = theirs.filter((line) => line !== `${line.split(' ')[0]} ${ours.get(line.split(' ')[0]!)}`);
    expect(wrong).toEqual(ARE_OTHERS);
    expect(theirs.length).toBeGreaterThan(900);
  },
);

/** Where the C library says something else than the kernel. */
const ARE_OTHERS = ['O_LARGEFILE 0'];
