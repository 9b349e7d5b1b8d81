/**
 * The picture of the README: two groups of bars, one bar for each compiler. Text and bars follow
 * the reader's colours.
 */
import { libraryMaker, OURS } from './filters.ts';
import { bars } from './bars.ts';
import type { Cell, Table } from './table.ts';

/**
 * Instructions and attach time of one profile, for libseccomp at both of its levels and for
 * seccompc.
 * @throws RangeError if a table has no figures of that profile
 */
export function picture(profile: string, programs: Table, attach: Table): string {
  const attachRow = rowOf(attach, { profile });
  const time = (key: string) => Number(attachRow[key]);
  const size = (maker: string) => Number(rowOf(programs, { profile, maker })['instructions']);
  const makers = [libraryMaker(1), libraryMaker(2), OURS];
  return bars(`${profile}: libseccomp and seccompc`, [
    {
      title: 'Instructions',
      unit: '',
      values: makers.map((name) => ({ name, value: size(name), own: name === OURS })),
    },
    {
      title: 'Kernel attach',
      unit: ' µs',
      values: ['first', 'second', 'ours'].map((key, at) => ({
        name: makers[at]!,
        value: time(key),
        own: makers[at] === OURS,
      })),
    },
  ]);
}

function rowOf({ title, rows }: Table, members: Record<string, string>): Record<string, Cell> {
  const found = rows.find((row) => Object.entries(members).every(([key, value]) => row[key] === value));
  if (found === undefined)
    throw new RangeError(`"${title}" has no figures of ${Object.values(members).join(', ')}`);
  return found;
}
