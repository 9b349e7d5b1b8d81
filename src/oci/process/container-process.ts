/** The first process of a container: the container ends with it. */
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { diagnostic } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';

export interface ContainerProcess {
  /** Sends SIGKILL, unless another process has the pid now. Gives the result. */
  end(): Promise<Diagnostic>;
}

/**
 * In milliseconds: crun 1.8.1 misses the end of its hook while the SIGCHLD of the container is
 * pending, and then waits for the hook's time limit.
 */
const PAUSE = 200;

export function containerProcess(pid: number | undefined): ContainerProcess {
  const started = pid === undefined ? undefined : startTime(pid);
  const failed = (reason: string) => diagnostic('CONTAINER_NOT_ENDED', { reason });
  return {
    async end() {
      if (pid === undefined) return failed('the runtime does not say which process it is');
      if (started === undefined || startTime(pid) !== started) return failed('its process is gone');
      try {
        process.kill(pid, 'SIGKILL');
      } catch (cause) {
        return failed(systemReason(cause));
      }
      await setTimeout(PAUSE);
      return diagnostic('CONTAINER_ENDED', { pid });
    },
  };
}

/**
 * Field 22 of /proc/PID/stat (proc(5)) tells reused pids apart. The name before it may hold
 * anything.
 */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3];
  } catch {
    return undefined;
  }
}
