/** The picture of the README: two groups of bars, one bar for each compiler. Text and bars follow the reader's colours. */
import { libraryMaker, OURS } from './filters.ts';
import type { Cell, Table } from './table.ts';

interface Bars {
  title: string;
  unit: string;
  values: readonly { name: string; value: number }[];
}

const WIDTH = 640;
const BAR = { left: 120, height: 18, gap: 6, longest: 420 };
const GROUP_TITLE = 28;

/**
 * Instructions and attach time of one profile, for libseccomp at both of its levels and for seccompc.
 * @throws RangeError if a table has no figures of that profile
 */
export function picture(profile: string, programs: Table, attach: Table): string {
  const attachRow = rowOf(attach, { profile });
  const time = (key: string) => Number(attachRow[key]);
  const size = (maker: string) => Number(rowOf(programs, { profile, maker })['instructions']);
  const makers = [libraryMaker(1), libraryMaker(2), OURS];
  return draw(`${profile}: libseccomp and seccompc`, [
    { title: 'Instructions', unit: '', values: makers.map((name) => ({ name, value: size(name) })) },
    {
      title: 'Kernel attach',
      unit: ' µs',
      values: ['first', 'second', 'ours'].map((key, at) => ({ name: makers[at]!, value: time(key) })),
    },
  ]);
}

function rowOf({ title, rows }: Table, members: Record<string, string>): Record<string, Cell> {
  const found = rows.find((row) => Object.entries(members).every(([key, value]) => row[key] === value));
  if (found === undefined)
    throw new RangeError(`"${title}" has no figures of ${Object.values(members).join(', ')}`);
  return found;
}

function draw(title: string, groups: readonly Bars[]): string {
  let y = 0;
  const parts: string[] = [];
  for (const { title: heading, unit, values } of groups) {
    y += GROUP_TITLE;
    parts.push(`<text class="heading" x="0" y="${y - 8}">${heading}</text>`);
    const longest = Math.max(...values.map(({ value }) => value));
    for (const { name, value } of values) {
      const length = Math.max(Math.round((value / longest) * BAR.longest), 1);
      const middle = y + BAR.height / 2;
      const own = name === OURS ? 'own' : 'other';
      parts.push(
        `<text class="name" x="${BAR.left - 8}" y="${middle}">${name}</text>`,
        `<rect class="${own}" x="${BAR.left}" y="${y}" width="${length}" height="${BAR.height}" rx="2"/>`,
        `<text class="value" x="${BAR.left + length + 8}" y="${middle}">${Math.round(value)}${unit}</text>`,
      );
      y += BAR.height + BAR.gap;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">`,
    `<title>${title}</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

const STYLE = [
  'text { font: 13px system-ui, sans-serif; fill: #24292f; dominant-baseline: central }',
  '.heading { font-weight: 600; dominant-baseline: auto }',
  '.name { text-anchor: end }',
  '.own { fill: #1a7f37 }',
  '.other { fill: #8c959f }',
  '@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .own { fill: #3fb950 } .other { fill: #6e7681 } }',
].join(' ');
