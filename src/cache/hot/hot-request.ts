import { release } from 'node:os';
import { isBuiltIn } from '../../options/built-in.ts';
import { OPTIONS } from '../../options/table.ts';
import type { OptionSpec } from '../../options/table.ts';

/** A command line that can be answered by the bytes of an earlier run. */
export interface HotRequest {
  command: HotCommand;
  file: string;
  /** The value of -o; undefined for standard output. */
  output: string | undefined;
  /** The value of --cache; undefined for the user's own cache. */
  cache: string | undefined;
  /** Whether diagnostics and key are part of the product. */
  json: boolean;
  /** Whether the output file is a program. */
  executable: boolean;
  /** The words after `--`. */
  words: string[];
  /** What else a run depends on beside its input: build, machine, the other words in order. */
  identity: string;
}

/** The commands that are answered, with the options that the table does not have. */
const COMMANDS = {
  compile: [],
  annotate: [{ name: 'for', takes: 'text' }],
  exec: [],
} as const satisfies Record<string, readonly GivenSpec[]>;

export type HotCommand = keyof typeof COMMANDS;

type GivenSpec = Pick<OptionSpec, 'name' | 'short' | 'takes'>;

/** Version and hash of all sources, defined by the build. Without a build there is no hot tier. */
declare const SECCOMPC_BUILD: string | undefined;
const BUILD = typeof SECCOMPC_BUILD === 'undefined' ? undefined : SECCOMPC_BUILD;

/**
 * Reads `COMMAND FILE [OPTION...]`, and for `exec` `-- WORD...`, as the parser would, but nothing
 * else: undefined for any word that is not exactly one of an option in the table, and for a value
 * that might be taken for something else. Values are not checked: no entry exists for words that no
 * run has succeeded with.
 */
export function hotRequest(
  args: readonly string[],
  build: string | undefined = BUILD,
): HotRequest | undefined {
  const command = args[0] as HotCommand;
  if (build === undefined || !Object.hasOwn(COMMANDS, command)) return undefined;
  const known = [...OPTIONS, ...COMMANDS[command]];
  const end = command === 'exec' ? args.indexOf('--') : args.length;
  let file: string | undefined;
  const given: GivenOption[] = [];
  for (let at = 1; at < end;) {
    const word = args[at]!;
    if (word.startsWith('-')) {
      const option = optionAt(known, args, at);
      if (option === undefined || option.name === 'no-cache') return undefined;
      given.push(option);
      at += option.words.length;
    } else {
      if (file !== undefined || word === '' || isBuiltIn(word)) return undefined;
      file = word;
      at += 1;
    }
  }
  const words = args.slice(end + 1);
  if (file === undefined || (command === 'exec' && words.length === 0)) return undefined;
  const find = (name: string) => given.findLast((option) => option.name === name);
  const [output, cache, format] = ['output', 'cache', 'format'].map((name) => find(name)?.words[1]);
  // It is no part of the identity, and only this command has it.
  if (output !== undefined && command !== 'compile') return undefined;
  const rest = given
    .filter(({ name }) => name !== 'output' && name !== 'cache')
    .flatMap((option) => option.words);
  const machine = OPTIONS.flatMap((spec: OptionSpec) => {
    if (spec.machine === undefined) return [];
    // A filter of another machine must not run here.
    const counts = find(spec.name) === undefined || command === 'exec';
    return counts ? [MACHINE[spec.machine]()] : [''];
  });
  const json = find('json') !== undefined || format === 'json';
  const executable = format === 'elf';
  const identity = [build, command, ...machine, ...rest].join('\0');
  return { command, file, output, cache, json, executable, words, identity };
}

/** An option with its words on the command line: the flag, and the value if it takes one. */
interface GivenOption {
  name: string;
  words: string[];
}

function optionAt(known: readonly GivenSpec[], args: readonly string[], at: number): GivenOption | undefined {
  const [word, value] = [args[at]!, args[at + 1]];
  const option = known.find(
    ({ name, short }) => word === `--${name}` || (short !== undefined && word === `-${short}`),
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
