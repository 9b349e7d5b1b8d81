/**
 * A comparison for a pull request: what a change opens and what it closes, in Markdown as GitHub
 * and GitLab show it.
 */
import type { ArchName } from '../../arch.ts';
import { compareStrictness } from '../../action.ts';
import type { Difference } from '../../prove/compare.ts';
import { differenceLines } from './differences.ts';
import { printable } from './text.ts';

export interface Changes {
  /** Calls for which the second side has a less strict answer, one example for each. */
  opens: readonly Difference[];
  closes: readonly Difference[];
  /** An example for each call that is answered differently at all. */
  all: readonly Difference[];
}

/**
 * @param names of both sides
 * @param arches those of the two sides
 * @param limit of lines in a section, and of calls in a line
 */
export async function diffMarkdown(
  names: readonly [string, string],
  { opens, closes, all }: Changes,
  arches: readonly ArchName[],
  limit: number,
): Promise<string> {
  const [before, after] = names.map((name) => code(printable(name)));
  const title = `### Seccomp: ${before} → ${after}\n`;
  if (all.length === 0) return `${title}\nEvery call gets the same answer. This is proved.\n`;
  const sections: [heading: string, differences: readonly Difference[]][] = [
    ['Opens', opens],
    ['Closes', closes],
    ['Answers otherwise', all.filter(({ first, second }) => compareStrictness(first, second) === 0)],
  ];
  const parts = sections.map(([heading, differences]) => sectionOf(heading, differences, arches, limit));
  return `${title}${(await Promise.all(parts)).join('')}\nAll other calls get the same answer. This is proved.\n`;
}

async function sectionOf(
  heading: string,
  differences: readonly Difference[],
  arches: readonly ArchName[],
  limit: number,
): Promise<string> {
  if (differences.length === 0) return '';
  const change = (first: string, second: string) => `${first} becomes ${second}`;
  const { lines, total } = await differenceLines(differences, arches, change, limit);
  const shown = lines.slice(0, limit).map((line) => `- ${escaped(printable(line))}\n`);
  const rest = lines.length > limit ? `- and ${lines.length - limit} more lines\n` : '';
  const counts = total === '' ? '' : ` (${escaped(total.replace('total of calls: ', ''))})`;
  return `\n**${heading}**${counts}\n\n${shown.join('')}${rest}`;
}

/** A code span that a backtick inside does not end. */
function code(text: string): string {
  const fence = '`'.repeat(Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length)) + 1);
  return fence.length === 1 ? `\`${text}\`` : `${fence} ${text} ${fence}`;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\`*_<>|[\]]/g, String.raw`\$&`);
}
