import { constants, fstatSync, statSync, writeSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { fail } from '../../errors.ts';
import { outputPlace } from '../../fs/output-place.ts';
import type { OutputPlace } from '../../fs/output-place.ts';
import { replaceByParts } from '../../fs/replace.ts';
import { errorCode, systemReason } from '../../fs/system-reason.ts';

/** The reader of our standard output has gone. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

export interface ProductMode {
  /** Whether everybody who may read the file may also run it. */
  executable?: boolean;
}

/** Writes a command's product: to a file, or to standard output without one. */
export async function writeProduct(
  product: string | Uint8Array,
  file?: string,
  mode?: ProductMode,
): Promise<void> {
  return writeParts([product], file, mode);
}

/** The same for a product that is made in parts while it is written. */
export async function writeParts(
  parts: Iterable<string | Uint8Array>,
  file?: string,
  { executable = false }: ProductMode = {},
): Promise<void> {
  const standard = file === undefined || file === '-' ? undefined : statOf(file);
  // `-o /dev/stdout`, wherever the shell has sent that.
  if (file === undefined || file === '-' || (standard !== undefined && isStandardOutput(standard))) {
    for (const part of parts) await writeStandard(1, part);
    return;
  }
  const place = placeOf(file);
  try {
    const { path, found } = place;
    if (found === undefined || found.isFile()) replace(file, path, found, parts, executable);
    else if (found.isDirectory()) fail('OUTPUT_NOT_CREATED', { file, reason: 'it is a folder' });
    // A device or pipe cannot be replaced by a rename.
    else await writeInto(file, path, parts);
  } finally {
    place.close();
  }
}

function placeOf(file: string): OutputPlace {
  try {
    return outputPlace(file);
  } catch (cause) {
    return fail('OUTPUT_NOT_CREATED', { file, reason: systemReason(cause) }, { cause });
  }
}

/**
 * Writes to standard output (1) or standard error (2), all of it. Node's own streams for them take
 * longer to make than most of our commands to run, so they are for a reader who lets us wait.
 * @throws OutputClosed when the reader is gone; SeccompcError OUTPUT_NOT_WRITTEN
 */
export async function writeStandard(fd: 1 | 2, product: string | Uint8Array): Promise<void> {
  const bytes = Buffer.from(product);
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(fd, bytes, done);
  } catch (cause) {
    if (errorCode(cause) === 'EAGAIN')
      return writeStream(fd === 1 ? process.stdout : process.stderr, bytes.subarray(done));
    refuseOutput(cause);
  }
}

async function writeStream(stream: NodeJS.WritableStream, product: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject);
    stream.write(product, (error) => {
      // The error event comes later and would end the process without a listener.
      if (error) reject(error);
      else resolve(void stream.removeListener('error', reject));
    });
  }).catch(refuseOutput);
}

function refuseOutput(cause: unknown): never {
  if (errorCode(cause) === 'EPIPE') throw new OutputClosed('standard output is closed', { cause });
  return fail('OUTPUT_NOT_WRITTEN', { file: 'standard output', reason: systemReason(cause) }, { cause });
}

/** Whether standard output (1) or standard error (2) is a terminal. */
export function isTerminal(fd: 1 | 2): boolean {
  const found = fstatSync(fd);
  if (!found.isCharacterDevice() || found.rdev === statOf('/dev/null')?.rdev) return false;
  // Loading it takes as long as a hot answer.
  return process.getBuiltinModule('node:tty').isatty(fd);
}

/** Undefined also where one may not look; writing there says more. */
function statOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}

function isStandardOutput(found: Stats): boolean {
  try {
    const own = fstatSync(1);
    return own.dev === found.dev && own.ino === found.ino;
  } catch {
    return false;
  }
}

async function writeInto(file: string, path: string, parts: Iterable<string | Uint8Array>): Promise<void> {
  try {
    // For writing only, so that a named pipe waits for its reader.
    const { writeFile } = await import('node:fs/promises');
    await writeFile(path, parts, { flag: constants.O_WRONLY });
  } catch (cause) {
    if (errorCode(cause) === 'EPIPE') throw new OutputClosed(`${file} is closed`, { cause });
    fail('OUTPUT_NOT_WRITTEN', { file, reason: systemReason(cause) }, { cause });
  }
}

/**
 * A new file gets the mode that the umask leaves; another one keeps its mode, and its owner where
 * that is possible.
 */
function replace(
  file: string,
  path: string,
  old: Stats | undefined,
  parts: Iterable<string | Uint8Array>,
  executable: boolean,
): void {
  try {
    if (old === undefined) replaceByParts(path, parts, { mode: executable ? 0o777 : 0o666, masked: true });
    else {
      const { uid, gid, mode } = old;
      const added = executable ? (mode & 0o444) >> 2 : 0;
      replaceByParts(path, parts, { mode: (mode & 0o777) | added, owner: { uid, gid, optional: true } });
    }
  } catch (cause) {
    const isCreation = cause instanceof Error && 'syscall' in cause && cause.syscall === 'open';
    const code = isCreation ? 'OUTPUT_NOT_CREATED' : 'OUTPUT_NOT_WRITTEN';
    fail(code, { file, reason: systemReason(cause) }, { cause });
  }
}
