/** What a run said and gave, to be said and given again. */
export interface HotAnswer {
  /** What {@link HotRequest.identity} was. */
  identity: string;
  /** The name of the input, where it stands in the words or in the product; null where it does not. */
  file: string | null;
  /** The diagnostics as they are printed, without colours. */
  words: string;
  /** The summary up to where it says from where; empty where there is none. */
  summary: string;
  /** In base64. */
  product: string;
}

/** What an answer is the answer to. */
export interface HotQuestion {
  identity: string;
  file: string;
  /** The text that decides: the whole input, or the deciding part of a config.json. */
  subject: string;
}

/**
 * What stands in a text for bytes that are no UTF-8. No text with it is a subject: two inputs could be the same text.
 */
export const LOST = '\ufffd';

/** The first line of a file; its last digit is the version of the format. */
const MAGIC = 'seccompc hot 2\n';

/**
 * The file of an entry, in UTF-8: a line of magic, the answer and the length of the subject as a line of JSON, the same
 * line again, the subject. Comparing the two lines finds all damage, and takes less time than any hash.
 */
export function writeHotEntry(answer: HotAnswer, subject: string): string {
  const said = JSON.stringify({ ...answer, length: subject.length });
  return `${MAGIC}${said}\n${said}\n${subject}`;
}

/**
 * The answer in the file, if it is the answer to this question; `undefined` for another one's (two questions can meet
 * in one slot, and every new build makes old entries another's); or, in a word, why the file is not to be used.
 */
export function readHotEntry(
  file: string,
  question: HotQuestion,
): HotAnswer | undefined | { refused: string } {
  const entry = checkHotEntry(file);
  if ('refused' in entry) return entry;
  const { answer, subject } = entry;
  if (answer.identity !== question.identity || (answer.file !== null && answer.file !== question.file))
    return undefined;
  return subject === question.subject ? answer : undefined;
}

/** The parts of a file that is an entry, whatever the question; or, in a word, why it is none. */
export function checkHotEntry(file: string): { answer: HotAnswer; subject: string } | { refused: string } {
  const end = file.indexOf('\n', MAGIC.length);
  if (end < 0 || !file.startsWith(MAGIC)) return DAMAGED;
  const said = file.slice(MAGIC.length, end + 1);
  const subjectAt = end + 1 + said.length;
  if (file.slice(end + 1, subjectAt) !== said) return DAMAGED;
  const subject = file.slice(subjectAt);
  // What stands there twice has the form in which it was written.
  const { length, ...answer } = JSON.parse(said) as HotAnswer & { length: number };
  return length === subject.length && !subject.includes(LOST) ? { answer, subject } : DAMAGED;
}

const DAMAGED = { refused: 'it is damaged' };
