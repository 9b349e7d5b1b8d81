import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fail } from '../errors.ts';
import { openTemporaryFile } from '../fs/temporary.ts';

/** A filter for bubblewrap, in a file that has no name any more. */
export interface BwrapFilter {
  /** Of bubblewrap: `--seccomp` and the descriptor as it has it. */
  readonly args: readonly string[];
  /** The descriptor here, for `stdio` at that position. bubblewrap reads it once. */
  readonly descriptor: number;
  /** Closes it, after bubblewrap was started. */
  readonly close: () => void;
}

/** @param fd the descriptor in bubblewrap */
export function bwrapFilter(bytes: Uint8Array, fd = 3): BwrapFilter {
  if (!Number.isInteger(fd) || fd < 3) fail('POLICY_RULE', { rule: 'toBwrap', reason: 'fd is 3 or more' });
  const file = openTemporaryFile();
  // At a position, so that bubblewrap reads from the start.
  try {
    for (let done = 0; done < bytes.length;)
      done += writeSync(file.fd, bytes, done, bytes.length - done, done);
  } catch (cause) {
    file.close();
    throw cause;
  }
  return { args: ['--seccomp', String(fd)], descriptor: file.fd, close: () => file.close() };
}

/**
 * Starts a launcher, as `spawn` starts a command. What `stdio` has from 3 on stays open for the
 * command.
 *
 * @throws SeccompcError POLICY_RULE for a shell, which would run without the filter
 */
export function spawnLauncher(
  launcher: Uint8Array,
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  const { shell, argv0, stdio } = options;
  if ((shell !== undefined && shell !== false) || argv0 !== undefined)
    fail('POLICY_RULE', {
      rule: 'wrapSpawn',
      reason: 'the options shell and argv0 would not be those of the command',
    });
  const kept = Array.isArray(stdio)
    ? stdio.flatMap((each, fd) => (fd < 3 || each === 'ignore' ? [] : [fd]))
    : [];
  const directory = mkdtempSync(join(resolve(tmpdir()), 'seccompc-'));
  try {
    // The option uid starts it as somebody else.
    chmodSync(directory, 0o711);
    const file = join(directory, 'sandboxed');
    writeFileSync(file, launcher, { mode: 0o755, flag: 'wx' });
    // It has started, or failed to, when spawn returns.
    return spawn(file, [...kept.flatMap((fd) => ['--keep-fd', String(fd)]), '--', command, ...args], options);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
