import { readFileSync, statSync } from 'node:fs';
import type { Diagnostic } from '../../errors.ts';
import { printable } from './text.ts';

const MOST_BYTES = 1 << 22;
/** Characters of a long line that are shown, and how many of them before the place. */
const WIDTH = 72;
const BEFORE = 40;

/** The line of a fault with a caret below the place; empty where the file cannot be read again. */
export function excerpt({ file, line, column = 1 }: Diagnostic): string {
  if (file === undefined || line === undefined) return '';
  const source = lineOf(file, line);
  if (source === undefined || column > source.length + 1) return '';
  const begin = source.length <= WIDTH ? 0 : Math.max(0, column - 1 - BEFORE);
  // A tab would make the caret miss its place.
  const show = (text: string) => printable(text.replaceAll('\t', ' '));
  const shown = show(source.slice(begin, begin + WIDTH));
  const indent = ' '.repeat(show(source.slice(begin, column - 1)).length);
  const number = String(line).padStart(5);
  return `${number} | ${shown}\n${' '.repeat(number.length)} | ${indent}^\n`;
}

function lineOf(file: string, line: number): string | undefined {
  try {
    const found = statSync(file);
    // A pipe would wait for its writer.
    if (!found.isFile() || found.size > MOST_BYTES) return undefined;
    return readFileSync(file, 'utf8').split('\n')[line - 1]?.replace(/\r$/, '');
  } catch {
    return undefined;
  }
}
