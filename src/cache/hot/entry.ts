/** What a successful run printed and produced, to be repeated when the same is asked again. */
export interface HotAnswer {
  /** What {@link HotRequest.identity} was. */
  identity: string;
  /** The name of the input if the diagnostics or the product contain it, else null. */
  file: string | null;
  /** The diagnostics as they are printed, without colours. */
  diagnostics: string;
  /** The summary without its end, which tells the origin; empty without a summary. */
  summary: string;
  /** In base64. */
  product: string;
}

/** What has to be equal for an answer to be used. */
export interface HotQuestion {
  identity: string;
  file: string;
  /** The whole input. */
  input: string;
}

/**
 * Replaces bytes that are not UTF-8. Two inputs with it could be the same text: neither is kept.
 */
export const REPLACEMENT_CHARACTER = '\ufffd';

/** The first line of a file; its last digit is the version of the format. */
const MAGIC = 'seccompc hot 3\n';

/**
 * The file of an entry, in UTF-8: a line of magic, the answer with the length of the input as a
 * line of JSON, the same line again, the input. Comparing the two lines finds damage; the input is
 * compared as a whole anyway.
 */
export function writeHotEntry(answer: HotAnswer, input: string): string {
  const line = JSON.stringify({ ...answer, length: input.length });
  return `${MAGIC}${line}\n${line}\n${input}`;
}

/**
 * The answer in a file if it answers this question; `undefined` if it answers another one, since
 * two questions can have one file name and every new build asks other questions; or why the file
 * must not be used.
 */
export function readHotEntry(
  file: string,
  question: HotQuestion,
): HotAnswer | undefined | { refused: string } {
  const entry = checkHotEntry(file);
  if ('refused' in entry) return entry;
  const { answer, input } = entry;
  if (answer.identity !== question.identity || (answer.file !== null && answer.file !== question.file))
    return undefined;
  return input === question.input ? answer : undefined;
}

/** The parts of an entry, whatever the question; or why the file is not an entry. */
export function checkHotEntry(file: string): { answer: HotAnswer; input: string } | { refused: string } {
  const end = file.indexOf('\n', MAGIC.length);
  if (end < 0 || !file.startsWith(MAGIC)) return DAMAGED;
  const line = file.slice(MAGIC.length, end + 1);
  const inputAt = end + 1 + line.length;
  if (file.slice(end + 1, inputAt) !== line) return DAMAGED;
  const input = file.slice(inputAt);
  // Two equal lines have the form in which they were written.
  const { length, ...answer } = JSON.parse(line) as HotAnswer & { length: number };
  return length === input.length && !input.includes(REPLACEMENT_CHARACTER) ? { answer, input } : DAMAGED;
}

const DAMAGED = { refused: 'it is damaged' };
