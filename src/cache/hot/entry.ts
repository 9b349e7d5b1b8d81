import { quickHash } from './hash.ts';

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
  product: Uint8Array;
}

/** What an answer is the answer to. */
export interface HotQuestion {
  identity: string;
  file: string;
  /** The bytes that decide: the whole input, or the deciding part of a config.json. */
  subject: Uint8Array;
}

/** First bytes of a file; its last digit is the version of the format. */
const MAGIC = Buffer.from('seccompc hot 1\n\0');
const HASH = 16;
const LENGTHS = 12;
const HEAD = MAGIC.length + HASH + LENGTHS;

/**
 * The file of an entry: magic, hash of all that follows except the subject, three lengths, the answer without its
 * product as JSON, the product, the subject.
 */
export function writeHotEntry({ product, ...rest }: HotAnswer, subject: Uint8Array): Uint8Array {
  const said = Buffer.from(JSON.stringify(rest));
  const lengths = Buffer.alloc(LENGTHS);
  [said, product, subject].forEach((part, index) => lengths.writeUInt32LE(part.length, index * 4));
  const checked = Buffer.concat([lengths, said, product]);
  return Buffer.concat([MAGIC, Buffer.from(quickHash(checked)), checked, subject]);
}

/**
 * The answer in the file, if it is the answer to this question; `undefined` for another one's (two questions can meet
 * in one slot, and every new build makes old entries another's); or, in a word, why the file is not to be used.
 */
export function readHotEntry(
  file: Buffer,
  question: HotQuestion,
): HotAnswer | undefined | { refused: string } {
  const parts = checkHotEntry(file);
  if ('refused' in parts) return parts;
  const { productAt, subjectAt } = parts;
  // Nothing that the hash covers can be of another form than it was written in.
  const rest = JSON.parse(file.toString('utf8', HEAD, productAt)) as Omit<HotAnswer, 'product'>;
  if (rest.identity !== question.identity || (rest.file !== null && rest.file !== question.file))
    return undefined;
  if (!file.subarray(subjectAt).equals(question.subject)) return undefined;
  return { ...rest, product: file.subarray(productAt, subjectAt) };
}

/** Where the parts of a file stand that is an entry, whatever the question; or, in a word, why it is none. */
export function checkHotEntry(file: Buffer): { productAt: number; subjectAt: number } | { refused: string } {
  if (file.length < HEAD || !file.subarray(0, MAGIC.length).equals(MAGIC)) return DAMAGED;
  const [said, product, subject] = [0, 4, 8].map((at) => file.readUInt32LE(MAGIC.length + HASH + at));
  const productAt = HEAD + said!;
  const subjectAt = productAt + product!;
  if (file.length !== subjectAt + subject!) return DAMAGED;
  const checked = file.subarray(MAGIC.length + HASH, subjectAt);
  if (file.toString('latin1', MAGIC.length, MAGIC.length + HASH) !== quickHash(checked)) return DAMAGED;
  return { productAt, subjectAt };
}

const DAMAGED = { refused: 'it is damaged' };
