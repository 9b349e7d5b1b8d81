import { closeSync, createReadStream, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fail } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { BUILT_IN_PROFILES } from '../../options/built-in.ts';
import { openTemporaryFile } from '../../fs/temporary.ts';
import type { TemporaryFile } from '../../fs/temporary.ts';

/** A million rules are smaller. A larger file is the wrong one, or endless. */
const LARGEST_INPUT = 64 * 1024 * 1024;

/**
 * Reads a file of at most `largest` bytes, or standard input for `-`.
 * @throws SeccompcError INPUT_UNREADABLE
 */
export async function readInput(file: string, largest = LARGEST_INPUT): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Synchronously for a regular file: there is nothing to wait for.
    const found = file === '-' ? undefined : statSync(file);
    if (found?.isFile() && found.size <= largest) return readFileSync(file);
    const stream: AsyncIterable<Buffer> = file === '-' ? process.stdin : createReadStream(file);
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > largest) throw new RangeError(`it has more than ${largest / 1024 ** 2} MiB`);
      chunks.push(chunk);
    }
  } catch (cause) {
    const { nearest } = await import('../../profile/nearest.ts');
    const meant = nearest(file, BUILT_IN_PROFILES);
    const hint = meant && `did you mean ${meant}?`;
    fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { file, cause, hint });
  }
  return Buffer.concat(chunks);
}

/**
 * Opens a file of at most `largest` bytes that can be read at any position; standard input for `-`,
 * and whatever else can only be read once, is copied to a temporary one.
 * @throws SeccompcError INPUT_UNREADABLE
 */
export async function openInput(file: string, largest: number): Promise<{ fd: number; close(): void }> {
  const found = file === '-' ? undefined : statSync(file, { throwIfNoEntry: false });
  const tooLarge = () => new RangeError(`it has more than ${largest / 1024 ** 2} MiB`);
  let temporary: TemporaryFile | undefined;
  try {
    if (found?.isFile()) {
      if (found.size > largest) throw tooLarge();
      const fd = openSync(file, 'r');
      return { fd, close: () => closeSync(fd) };
    }
    temporary = openTemporaryFile();
    const stream: AsyncIterable<Buffer> = file === '-' ? process.stdin : createReadStream(file);
    let size = 0;
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > largest) throw tooLarge();
      writeFileSync(temporary.fd, chunk);
    }
    return temporary;
  } catch (cause) {
    temporary?.close();
    return fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { file, cause });
  }
}
