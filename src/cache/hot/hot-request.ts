import { release } from 'node:os';
import { OPTIONS } from '../../options/table.ts';
import type { OptionSpec } from '../../options/table.ts';

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

/** The words of all options, each with its option. */
function flagsOf(table: readonly OptionSpec[]): Map<string, OptionSpec> {
  return new Map(
    table.flatMap((option) => {
      const words = [`--${option.name}`, ...(option.short === undefined ? [] : [`-${option.short}`])];
      return words.map((word) => [word, option] as const);
    }),
  );
}

/** Words that need no parser: the input, and the options in their order, each with its value if it takes one. */
export interface HotFlags {
  file: string;
  options: { word: string; option: OptionSpec; value?: string }[];
}

/**
 * Reads `compile FILE [OPTION...]` as the parser of the command would, but nothing else: undefined for any word that is
 * not exactly one of an option in the table, and for a value that might be taken for something else.
 */
export function hotFlags(
  args: readonly string[],
  table: readonly OptionSpec[] = OPTIONS,
): HotFlags | undefined {
  if (args[0] !== 'compile') return undefined;
  let file: string | undefined;
  const known = flagsOf(table);
  const options: HotFlags['options'] = [];
  for (let index = 1; index < args.length; index += 1) {
    const word = args[index]!;
    if (!word.startsWith('-')) {
      if (file !== undefined || word === '') return undefined;
      file = word;
      continue;
    }
    const option = known.get(word);
    if (option === undefined) return undefined;
    if (option.takes === 'switch') {
      options.push({ word, option });
      continue;
    }
    const value = args[(index += 1)];
    if (value === undefined || value === '' || value.startsWith('-')) return undefined;
    options.push({ word, option, value });
  }
  return file === undefined ? undefined : { file, options };
}

/**
 * The request that the words are. Values are not judged: words that no run has succeeded with have no entry.
 *
 * @param build what tells this build from every other one
 */
export function hotRequest(args: readonly string[], build: string): HotRequest | undefined {
  const words = hotFlags(args);
  if (words === undefined) return undefined;
  let output: string | undefined;
  let cache: string | undefined;
  let json = false;
  const rest: string[] = [];
  for (const { word, option, value } of words.options) {
    if (option.name === 'no-cache') return undefined;
    if (option.name === 'output') output = value;
    else if (option.name === 'cache') cache = value;
    else rest.push(word, ...(value === undefined ? [] : [value]));
    if (option.name === 'json') json = true;
  }
  json ||= words.options.findLast(({ option }) => option.name === 'format')?.value === 'json';
  const identity = [build, ...machine(words), ...rest].join('\0');
  return { file: words.file, output, cache, json, identity };
}

/** What a run takes from the machine where the words do not say it. */
function machine({ options }: HotFlags): string[] {
  const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  const facts = {
    architecture: `${process.arch} ${littleEndian ? 'little' : 'big'}`,
    kernel: `${process.platform} ${release()}`,
  };
  return OPTIONS.flatMap((spec: OptionSpec) => {
    if (spec.machine === undefined) return [];
    return options.some(({ option }) => option.name === spec.name) ? [''] : [facts[spec.machine]];
  });
}
