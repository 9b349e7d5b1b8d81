import { closeSync, createReadStream, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { checkProgram, isSeccompOpcode } from '../../bpf/check.ts';
import { decode } from '../../bpf/instruction.ts';
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { diagnostic, SeccompcError } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { openTemporaryFile } from '../../fs/temporary.ts';
import type { TemporaryFile } from '../../fs/temporary.ts';
import { decodeBase64 } from '../../format/text.ts';

/** A million rules are smaller. A larger file is the wrong one, or endless. */
const LARGEST_INPUT = 64 * 1024 * 1024;

/** Reads a file of at most `largest` bytes, or standard input for `-`. @throws SeccompcError INPUT_UNREADABLE */
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
    const found = { ...diagnostic('INPUT_UNREADABLE', { reason: systemReason(cause) }), file };
    throw new SeccompcError([found], { cause });
  }
  return Buffer.concat(chunks);
}

/**
 * Opens a file of at most `largest` bytes that can be read at any position; standard input for `-`, and whatever else can
 * only be read once, is copied to a temporary one.
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
    const diagnosed = { ...diagnostic('INPUT_UNREADABLE', { reason: systemReason(cause) }), file };
    throw new SeccompcError([diagnosed], { cause });
  }
}

/** A program that was read from a file. */
export interface FilterInput {
  program: SockFilter[];
  endian: Endian;
}

/**
 * The program in the bytes, raw or base64, if the kernel would accept it; undefined otherwise.
 * The byte order follows from the opcodes, all of which are below 256.
 */
export function recogniseFilter(bytes: Uint8Array): FilterInput | undefined {
  for (const candidate of candidates(bytes))
    if (checkProgram(candidate.program).length === 0) return candidate;
  return undefined;
}

/**
 * Like {@link recogniseFilter}, but also takes a program that the kernel would refuse, as long as most of its
 * opcodes are some: who takes a filter apart wants to see what is wrong with it.
 * @throws SeccompcError NOT_A_FILTER
 */
export function readFilter(bytes: Uint8Array, file: string): FilterInput {
  const accepted = recogniseFilter(bytes);
  if (accepted !== undefined) return accepted;
  const likely = candidates(bytes).find(({ program }) => {
    const known = program.filter(({ code }) => isSeccompOpcode(code)).length;
    return known * 2 > program.length;
  });
  if (likely !== undefined) return likely;
  const reason =
    bytes.length === 0
      ? 'it is empty'
      : bytes.length % 8 === 0
        ? 'its opcodes are not those of seccomp'
        : `${bytes.length} bytes are no whole number of instructions, and it is not base64 either`;
  throw new SeccompcError([{ ...diagnostic('NOT_A_FILTER', { reason }), file }]);
}

function candidates(bytes: Uint8Array): FilterInput[] {
  const decoded = decodeBase64(new TextDecoder('latin1').decode(bytes));
  return [bytes, ...(decoded === undefined ? [] : [decoded])]
    .filter((raw) => raw.length > 0 && raw.length % 8 === 0)
    .flatMap((raw) =>
      (['little', 'big'] as const).map((endian) => ({ program: decode(raw, endian), endian })),
    );
}
