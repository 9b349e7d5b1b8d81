import { Help } from 'commander';
import type { Group } from '../../options/table.ts';

/**
 * Headings in the help for options that many commands share; the other groups are under the general
 * one.
 */
export const HEADINGS: Partial<Record<Group, string>> = { target: 'Target:', cache: 'Cache:' };

/** Shows what those options do, too. */
export const FULL_HELP = '--help=all';

/** The lists of the short help, for commander: of the shared options only the names. */
export function shortList(heading: string, items: string[], helper: Help): string[] {
  const isShared = Object.values(HEADINGS).includes(heading);
  // Fewer lines would not be saved.
  if (!isShared || items.length < 3) return Help.prototype.formatItemList(heading, items, helper);
  const terms = items.map((item) => item.trim().split('  ', 1)[0]!.replaceAll(' ', NO_BREAK));
  const text = `${terms.join(', ')} (${FULL_HELP} says what they do)`;
  const lines = helper.boxWrap(text, (helper.helpWidth ?? 80) - 4).replaceAll(NO_BREAK, ' ');
  return [heading, ...lines.split('\n').map((line) => `  ${line}`), ''];
}

/** A help text with its paragraphs broken anew where they are wider than so many columns. */
export function fitted(text: string, width: number): string {
  // A terminal of unknown size has no columns.
  if (width < MIN_WIDTH) return text;
  const paragraph = (part: string) =>
    /^ /m.test(part) || !part.split('\n').some((line) => line.length > width)
      ? part
      : new Help().boxWrap(part.replaceAll(/(?<=.)\n(?=.)/g, ' '), width);
  return text.split('\n\n').map(paragraph).join('\n\n');
}

/** Text for fewer columns cannot be read; commander does not break it either. */
const MIN_WIDTH = 40;

/** Holds an option and its value together; commander takes every blank for a place to break. */
const NO_BREAK = '\0';
