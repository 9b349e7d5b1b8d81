import { release } from 'node:os';

/** A command line that can be answered by bytes kept from an earlier run, without knowing what they mean. */
export interface HotRequest {
  file: string;
  /** What -o names; undefined for standard output. */
  output: string | undefined;
  /** What --cache names; undefined for the user's own cache. */
  cache: string | undefined;
  /** Whether diagnostics and key are part of the product. */
  json: boolean;
  /** Everything else that a run depends on beside its input: the other words in their order, build, machine. */
  identity: string;
}

/** Options of `compile` that are followed by a value, and those that are not. With the last one nothing is hot. */
export const HOT_VALUES = [
  '-o', '--output', '--format', '--optimize', '--cache', '--arch', '--architectures', '--cap-set', '--cap',
  '--cap-drop', '--kernel', '--engine', '--semantics', '--enosys-after', '--overlap', '--trust', '--sign',
]; // prettier-ignore
export const HOT_FLAGS = [
  '--no-prove', '--require-proof', '-q', '--quiet', '--json', '--enosys-stub', '--no-enosys-stub', '--fail-unknown',
  '--force', '--no-cache',
]; // prettier-ignore

/** Words that need no parser: the input, and the options in their order, each with its value if it takes one. */
export interface HotWords {
  file: string;
  options: (readonly [option: string, value?: string])[];
}

/**
 * Reads `compile FILE [OPTION...]` as the parser of the command would, but nothing else: undefined for any word that is
 * not exactly one of those above, and for a value that might be taken for something else.
 */
export function hotWords(args: readonly string[]): HotWords | undefined {
  if (args[0] !== 'compile') return undefined;
  let file: string | undefined;
  const options: (readonly [string, string?])[] = [];
  for (let index = 1; index < args.length; index += 1) {
    const word = args[index]!;
    if (!word.startsWith('-')) {
      if (file !== undefined || word === '') return undefined;
      file = word;
    } else if (HOT_FLAGS.includes(word)) options.push([word]);
    else if (HOT_VALUES.includes(word)) {
      const value = args[(index += 1)];
      if (value === undefined || value === '' || value.startsWith('-')) return undefined;
      options.push([word, value]);
    } else return undefined;
  }
  return file === undefined ? undefined : { file, options };
}

/**
 * The request that the words are. Values are not judged: words that no run has succeeded with have no entry.
 *
 * @param build what tells this build from every other one
 */
export function hotRequest(args: readonly string[], build: string): HotRequest | undefined {
  const words = hotWords(args);
  if (words === undefined) return undefined;
  let output: string | undefined;
  let cache: string | undefined;
  const rest: string[] = [];
  for (const [option, value] of words.options) {
    if (option === '--no-cache') return undefined;
    if (option === '-o' || option === '--output') output = value;
    else if (option === '--cache') cache = value;
    else rest.push(option, ...(value === undefined ? [] : [value]));
  }
  const json = rest.includes('--json') || rest[rest.lastIndexOf('--format') + 1] === 'json';
  const identity = [build, ...machine(rest), ...rest].join('\0');
  return { file: words.file, output, cache, json, identity };
}

/** What a run takes from the machine where the words do not say it. */
function machine(words: readonly string[]): string[] {
  const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  return [
    words.includes('--arch') ? '' : `${process.arch} ${littleEndian ? 'little' : 'big'}`,
    words.includes('--kernel') ? '' : `${process.platform} ${release()}`,
  ];
}
