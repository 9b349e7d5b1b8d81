import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../fs/system-reason.ts';

/** Of one record: kernel/printk/internal.h, PRINTK_MESSAGE_MAX. */
const LONGEST_RECORD = 4096;
/** The kernel's audit thread prints a record after the call. */
const WAITS = 50;
const WAIT_MS = 20;
/** The kernel's clock for audit records stands still for a tick. */
const COARSE_MS = 20;

/**
 * What `choose` finds in the SECCOMP records of the kernel's log, as soon as it finds something. It
 * gets one line for each.
 *
 * @param since ms since 1970
 * @returns undefined if the log may not be read; false if nothing was found for a second
 */
export async function inKernelLog<T>(
  since: number,
  choose: (records: string[]) => Promise<T | undefined>,
): Promise<T | false | undefined> {
  for (let wait = 0; wait < WAITS; wait++) {
    const records = readKernelLog()?.filter((record) => isSince(record, since));
    if (records === undefined) return undefined;
    const found = await choose(records);
    if (found !== undefined) return found;
    await sleep(WAIT_MS);
  }
  return false;
}

function isSince(record: string, since: number): boolean {
  const seconds = /audit: type=1326 audit\((\d+\.\d+):\d+\):/.exec(record)?.[1];
  return Number(seconds) * 1000 >= since - COARSE_MS;
}

function readKernelLog(): string[] | undefined {
  let fd: number;
  try {
    fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const records: string[] = [];
  const buffer = Buffer.alloc(2 * LONGEST_RECORD);
  try {
    for (;;) {
      try {
        // Each read gives one record.
        const length = readSync(fd, buffer, 0, buffer.length, null);
        if (length === 0) return records;
        records.push(buffer.toString('utf8', 0, length));
      } catch (error) {
        // EPIPE: the kernel has overwritten the record that came next.
        if (errorCode(error) === 'EPIPE') continue;
        return errorCode(error) === 'EAGAIN' ? records : undefined;
      }
    }
  } finally {
    closeSync(fd);
  }
}
