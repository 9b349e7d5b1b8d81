/** The picture of docs/codegen.md: time and instructions over rules, one small diagram for each family. */
import { exponent } from './growth.ts';
import type { Cell, Table } from './table.ts';

type Row = Record<string, Cell>;
type Point = readonly [rules: number, figure: number];

const CELL = { width: 190, height: 130, left: 38, top: 22, right: 8, bottom: 16 };
const COLUMNS = 4;
const GROUP_TITLE = 30;
const LINES = ['own', 'other'] as const;

/** Both figures of each family for one ABI; libseccomp's instructions are those of its shorter program. */
export function growthPicture({ rows }: Table): string {
  const single = rows.filter(({ arches }) => arches === 1);
  const families = [...new Set(single.map(({ family }) => String(family)))];
  const parts: string[] = [];
  let y = 0;
  for (const [title, own, other, least] of [
    ['Milliseconds with the proof (libseccomp: without)', 'ms', 'first ms', 0.1],
    ['Instructions', 'attach', 'first', 10],
  ] as const) {
    y += GROUP_TITLE;
    parts.push(`<text class="heading" x="0" y="${y - 12}">${title}</text>`);
    for (const [at, family] of families.entries()) {
      const ofFamily = single.filter((row) => row['family'] === family);
      const [x, top] = [(at % COLUMNS) * CELL.width, y + Math.floor(at / COLUMNS) * CELL.height];
      const lines = { own: pointsOf(ofFamily, own, least), other: pointsOf(ofFamily, other, least) };
      parts.push(`<g transform="translate(${x},${top})">`, ...diagram(family, lines, least), '</g>');
    }
    y += Math.ceil(families.length / COLUMNS) * CELL.height;
  }
  const width = COLUMNS * CELL.width;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img">`,
    '<title>Growth with the rules on the arguments of one call: seccompc and libseccomp</title>',
    `<style>${STYLE}</style>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function pointsOf(rows: readonly Row[], key: string, least: number): Point[] {
  return rows.flatMap((row) => {
    const figure = row[key];
    return typeof figure === 'number' ? [[Number(row['rules']), Math.max(figure, least)] as const] : [];
  });
}

/** Where the axes begin and end, both logarithmic. */
const RULES = { least: 5, most: 800 };
const MOST_FIGURE = 10_000;

function diagram(family: string, lines: Record<'own' | 'other', readonly Point[]>, least: number): string[] {
  const [right, bottom] = [CELL.width - CELL.right, CELL.height - CELL.bottom];
  const scale = (value: number, from: number, to: number) => Math.log(value / from) / Math.log(to / from);
  const x = (rules: number) => CELL.left + scale(rules, RULES.least, RULES.most) * (right - CELL.left);
  const y = (figure: number) => bottom - scale(figure, least, MOST_FIGURE) * (bottom - CELL.top);
  const parts = [`<text class="name" x="${CELL.left}" y="${CELL.top - 9}">${escaped(family)}</text>`];
  for (let tick = least; tick <= MOST_FIGURE; tick *= least < 1 ? 100 : 10)
    parts.push(
      `<path class="grid" d="M${CELL.left} ${y(tick).toFixed(1)}H${right}"/>`,
      `<text class="tick" x="${CELL.left - 4}" y="${y(tick).toFixed(1)}">${Number(tick.toPrecision(1))}</text>`,
    );
  for (const tick of [RULES.least, 50, RULES.most])
    parts.push(`<text class="rules" x="${x(tick).toFixed(1)}" y="${bottom + 9}">${tick}</text>`);
  for (const [index, name] of LINES.entries()) {
    const points = lines[name];
    if (points.length === 0) continue;
    const path = points.map(([rules, figure]) => `${x(rules).toFixed(1)} ${y(figure).toFixed(1)}`);
    parts.push(`<path class="${name}" d="M${path.join('L')}"/>`);
    if (points.length < 3) continue;
    const [rules, figure] = points.at(-1)!;
    // The label of the upper line stands above it, of the lower one below.
    const [, others = 0] = lines[LINES[1 - index]!].at(-1) ?? [];
    const at = figure < others ? y(figure) + 10 : Math.max(y(figure) - 7, CELL.top);
    const fitted = `n^${exponent(points).toFixed(1)}`;
    parts.push(
      `<text class="${name} fitted" x="${x(rules).toFixed(1)}" y="${at.toFixed(1)}">${fitted}</text>`,
    );
  }
  return parts;
}

const escaped = (text: string) => text.replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const STYLE = [
  'text { font: 10px system-ui, sans-serif; fill: #24292f; dominant-baseline: central }',
  '.heading { font-size: 13px; font-weight: 600; dominant-baseline: auto }',
  '.tick, .fitted { text-anchor: end } .rules { text-anchor: middle }',
  'path { fill: none; stroke-width: 1.5 } .grid { stroke: #8c959f; stroke-width: 0.3 }',
  'path.own { stroke: #1a7f37 } path.other { stroke: #8c959f } text.own { fill: #1a7f37 } text.other { fill: #6e7781 }',
  '@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } path.own { stroke: #3fb950 } text.own { fill: #3fb950 } }',
].join(' ');
