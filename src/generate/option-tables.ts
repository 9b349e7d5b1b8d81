import type { OptionSpec } from '../options/table.ts';
import { markdownTable } from './markdown.ts';

/** A Markdown table with a row for each option. */
export function optionsTable(options: readonly OptionSpec[]): string {
  const rows = options.map((option) => [
    `\`${usage(option)}\``,
    meaningOf(option),
    option.defaultMeaning ?? code(option.default),
  ]);
  return markdownTable(['option', 'meaning', 'default'], rows);
}

/** More words than these are listed in the meaning. */
const WORDS_IN_USAGE = 3;

function usage({ name, short, takes, placeholder }: OptionSpec): string {
  const names = short === undefined ? `--${name}` : `-${short}\`, \`--${name}`;
  if (takes === 'switch') return names;
  const words = typeof takes !== 'string' && takes.length <= WORDS_IN_USAGE ? takes.join('|') : placeholder;
  return `${names} ${words}`;
}

function meaningOf({ takes, meaning }: OptionSpec): string {
  if (typeof takes === 'string' || takes.length <= WORDS_IN_USAGE) return meaning;
  return `${takes.map(code).join(', ')}: ${meaning}`;
}

function code(word: string | undefined): string {
  return word === undefined ? '' : `\`${word}\``;
}

/** The names of all options as a sentence of Markdown lines. */
export function parameterList(options: readonly OptionSpec[]): string {
  const lines = [''];
  for (const [at, { name }] of options.entries()) {
    const word = `\`${name}\`${at + 1 < options.length ? ',' : '.'}`;
    const last = lines.at(-1)!;
    if (last.length + 1 + word.length > 100) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return `${lines.join('\n')}\n`;
}
