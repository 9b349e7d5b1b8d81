import { release } from 'node:os';
import { isBuiltIn } from '../../options/built-in.ts';
import { OPTIONS } from '../../options/table.ts';
import type { OptionSpec } from '../../options/table.ts';

/** A command line that can be answered by the bytes of an earlier run. */
export interface HotRequest {
  file: string;
  /** The value of -o; undefined for standard output. */
  output: string | undefined;
  /** The value of --cache; undefined for the user's own cache. */
  cache: string | undefined;
  /** Whether diagnostics and key are part of the product. */
  json: boolean;
  /** What else a run depends on beside its input: build, machine, the other words in order. */
  identity: string;
}

/** Version and hash of all sources, defined by the build. Without a build there is no hot tier. */
declare const SECCOMPC_BUILD: string | undefined;
const BUILD = typeof SECCOMPC_BUILD === 'undefined' ? undefined : SECCOMPC_BUILD;

/**
 * Reads `compile FILE [OPTION...]` as the parser of the command would, but nothing else: undefined
 * for any word that is not exactly one of an option in the table, and for a value that might be
 * taken for something else. Values are not checked: no entry exists for words that no run has
 * succeeded with.
 */
export function hotRequest(
  args: readonly string[],
  build: string | undefined = BUILD,
): HotRequest | undefined {
  if (build === undefined || args[0] !== 'compile') return undefined;
  let file: string | undefined;
  const given: GivenOption[] = [];
  for (let at = 1; at < args.length;) {
    const word = args[at]!;
    if (word.startsWith('-')) {
      const option = optionAt(args, at);
      if (option === undefined || option.name === 'no-cache') return undefined;
      given.push(option);
      at += option.words.length;
    } else {
      if (file !== undefined || word === '' || isBuiltIn(word)) return undefined;
      file = word;
      at += 1;
    }
  }
  if (file === undefined) return undefined;
  const find = (name: string) => given.findLast((option) => option.name === name);
  const [output, cache, format] = ['output', 'cache', 'format'].map((name) => find(name)?.words[1]);
  const rest = given
    .filter(({ name }) => name !== 'output' && name !== 'cache')
    .flatMap(({ words }) => words);
  const machine = OPTIONS.flatMap((spec: OptionSpec) => {
    if (spec.machine === undefined) return [];
    return find(spec.name) === undefined ? [MACHINE[spec.machine]()] : [''];
  });
  const json = find('json') !== undefined || format === 'json';
  return { file, output, cache, json, identity: [build, ...machine, ...rest].join('\0') };
}

/** An option with its words on the command line: the flag, and the value if it takes one. */
interface GivenOption {
  name: string;
  words: string[];
}

function optionAt(args: readonly string[], at: number): GivenOption | undefined {
  const [word, value] = [args[at]!, args[at + 1]];
  const option = OPTIONS.find(
    ({ name, short }: OptionSpec) => word === `--${name}` || (short !== undefined && word === `-${short}`),
  );
  if (option === undefined) return undefined;
  const { name } = option;
  if (option.takes === 'switch') return { name, words: [word] };
  if (value === undefined || value === '' || value.startsWith('-')) return undefined;
  return { name, words: [word, value] };
}

/** What a run takes from the machine if the words do not say it. */
const MACHINE = {
  architecture: () =>
    `${process.arch} ${new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 'little' : 'big'}`,
  kernel: () => `${process.platform} ${release()}`,
};
