import { LOST, writeHotEntry } from './entry.ts';
import type { HotAnswer } from './entry.ts';
import { writeSlot } from './folder.ts';
import type { HotRequest } from './request.ts';
import { cacheFolderOf, findHot, slotOf } from './serve.ts';
import { configSubject } from './subject.ts';

/**
 * Keeps what a successful run said and gave, for the next one that asks the same.
 *
 * Words have places in them, and JSON has the key of the whole input, so either is an answer to that very input only.
 *
 * @returns why the entry that was there before was not used, if it should have been
 */
export function keepHot(
  request: HotRequest,
  input: Uint8Array,
  answer: Omit<HotAnswer, 'identity' | 'file' | 'product'> & { product: Uint8Array; namesFile: boolean },
): string | undefined {
  const folder = cacheFolderOf(request);
  if (folder === undefined) return undefined;
  const whole = Buffer.from(input.buffer, input.byteOffset, input.length).toString();
  if (whole.includes(LOST)) return undefined;
  const { namesFile, product, ...said } = answer;
  const before = findHot(folder, request, whole);
  const part = request.json || said.words !== '' ? undefined : configSubject(whole);
  const subject = part ?? whole;
  const entry = {
    ...said,
    identity: request.identity,
    file: namesFile ? request.file : null,
    product: Buffer.from(product).toString('base64'),
  };
  writeSlot(folder, 'hot', slotOf(request, subject), () => Buffer.from(writeHotEntry(entry, subject)));
  return before !== undefined && 'refused' in before ? before.refused : undefined;
}
