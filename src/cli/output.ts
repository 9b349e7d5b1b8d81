import { randomBytes } from 'node:crypto';
import { constants, fstatSync } from 'node:fs';
import { open, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fail } from '../errors.ts';

/** The reader of our standard output has gone. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

/** Writes a command's product: to a file, or to standard output without one. */
export async function writeProduct(product: string | Uint8Array, file?: string): Promise<void> {
  if (file === undefined || file === '-') return writeStream(process.stdout, product);
  const found = await stat(file).catch(() => undefined);
  // `-o /dev/stdout`, wherever the shell has sent that.
  if (found !== undefined && isStandardOutput(found)) return writeStream(process.stdout, product);
  // A device, a pipe: nothing could be renamed into its place.
  if (found !== undefined && !found.isFile() && !found.isDirectory()) return writeInto(file, product);
  return replaceFile(file, found, product);
}

/**
 * Resolves when the stream has taken all of it.
 * @throws OutputClosed when nobody reads any more; SeccompcError OUTPUT_NOT_WRITTEN
 */
export async function writeStream(
  stream: NodeJS.WritableStream,
  product: string | Uint8Array,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject);
    stream.write(product, (error) => {
      // After an error its event is still to come, and would end the process if nobody listened.
      if (error) reject(error);
      else resolve(void stream.removeListener('error', reject));
    });
  }).catch((cause: unknown) => {
    if (codeOf(cause) === 'EPIPE') throw new OutputClosed('standard output is closed', { cause });
    fail('OUTPUT_NOT_WRITTEN', { file: 'standard output', reason: reasonOf(cause) }, { cause });
  });
}

function isStandardOutput(found: Stats): boolean {
  try {
    const own = fstatSync(1);
    return own.dev === found.dev && own.ino === found.ino;
  } catch {
    return false;
  }
}

async function writeInto(file: string, product: string | Uint8Array): Promise<void> {
  try {
    // For writing only, so that a named pipe waits for its reader.
    await writeFile(file, product, { flag: constants.O_WRONLY });
  } catch (cause) {
    if (codeOf(cause) === 'EPIPE') throw new OutputClosed(`${file} is closed`, { cause });
    fail('OUTPUT_NOT_WRITTEN', { file, reason: reasonOf(cause) }, { cause });
  }
}

/**
 * The whole product under a temporary name beside the file, then one rename: whoever reads the file sees the
 * old one or the new one, and a fault leaves the old one and nothing else.
 */
async function replaceFile(
  file: string,
  old: Stats | undefined,
  product: string | Uint8Array,
): Promise<void> {
  if (old?.isDirectory()) fail('OUTPUT_NOT_CREATED', { file, reason: 'it is a folder' });
  // Through a symbolic link to what it points at: the link stays.
  const target = old === undefined ? file : await realpath(file);
  const temporary = join(
    dirname(target),
    `.${basename(target)}.${process.pid}-${randomBytes(4).toString('hex')}`,
  );
  const mode = old === undefined ? 0o666 : old.mode & 0o777;
  const handle = await open(temporary, 'wx', mode).catch((cause: unknown) =>
    fail('OUTPUT_NOT_CREATED', { file, reason: reasonOf(cause) }, { cause }),
  );
  try {
    await handle.writeFile(product);
    if (old !== undefined) await handle.chmod(mode);
    await handle.close();
    await rename(temporary, target);
  } catch (cause) {
    await handle.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    fail('OUTPUT_NOT_WRITTEN', { file, reason: reasonOf(cause) }, { cause });
  }
}

/** `ENOENT`, `EPIPE`: Node's name of a system error. */
function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}

/** The system's own words, without Node's repetition of the call and its path. */
export function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return /^[A-Z0-9]+: ([^,]+)/.exec(text)?.[1] ?? text;
}
