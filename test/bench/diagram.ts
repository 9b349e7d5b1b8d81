/** A small diagram of lines over two axes, as SVG. */

export type Point = readonly [x: number, y: number];

export interface Axis {
  from: number;
  to: number;
  ticks: readonly number[];
  /** Logarithmic unless said. */
  linear?: true;
}

export interface Line {
  /** Class of the path: `own` or `other`. */
  name: string;
  points: readonly Point[];
}

export const CELL = { width: 190, height: 130, left: 38, top: 22, right: 8, bottom: 16 };
export const GROUP_TITLE = 30;
const [RIGHT, BOTTOM] = [CELL.width - CELL.right, CELL.height - CELL.bottom];

/** Positions on the axes. */
export interface Scales {
  x: (value: number) => number;
  y: (value: number) => number;
}

/** @param label more parts behind the path of a line */
export function diagram(
  title: string,
  axes: { x: Axis; y: Axis },
  lines: readonly Line[],
  label: (line: Line, scales: Scales) => string[] = () => [],
): string[] {
  const scale = (value: number, { from, to, linear }: Axis) =>
    linear ? (value - from) / (to - from) : Math.log(value / from) / Math.log(to / from);
  const x = (value: number) => CELL.left + scale(value, axes.x) * (RIGHT - CELL.left);
  const y = (value: number) => BOTTOM - scale(value, axes.y) * (BOTTOM - CELL.top);
  const named = lines.filter(({ points }) => points.length > 0);
  return [
    `<text class="name" x="${CELL.left}" y="${CELL.top - 9}">${escaped(title)}</text>`,
    ...axes.y.ticks.flatMap((tick) => [
      `<path class="grid" d="M${CELL.left} ${y(tick).toFixed(1)}H${RIGHT}"/>`,
      `<text class="tick" x="${CELL.left - 4}" y="${y(tick).toFixed(1)}">${shortNumber(tick)}</text>`,
    ]),
    ...axes.x.ticks.map(
      (tick) =>
        `<text class="across" x="${x(tick).toFixed(1)}" y="${BOTTOM + 9}">${shortNumber(tick)}</text>`,
    ),
    ...named.flatMap((line) => {
      const path = line.points.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
      return [`<path class="${line.name}" d="M${path.join('L')}"/>`, ...label(line, { x, y })];
    }),
  ];
}

/** Diagrams in rows, under headings. */
export function sheet(
  title: string,
  groups: readonly { heading: string; diagrams: readonly string[][] }[],
  columns = 4,
): string {
  const parts: string[] = [];
  let y = 0;
  for (const { heading, diagrams } of groups) {
    y += GROUP_TITLE;
    parts.push(`<text class="heading" x="0" y="${y - 12}">${escaped(heading)}</text>`);
    for (const [at, content] of diagrams.entries()) {
      const place = [(at % columns) * CELL.width, y + Math.floor(at / columns) * CELL.height];
      parts.push(`<g transform="translate(${place.join()})">`, ...content, '</g>');
    }
    y += Math.ceil(diagrams.length / columns) * CELL.height;
  }
  // Half of the last number of an axis.
  const width = columns * CELL.width + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function shortNumber(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000}M`;
  return value > 10_000 ? `${value / 1000}k` : `${Number(value.toPrecision(3))}`;
}

const escaped = (text: string) => text.replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const STYLE = [
  'text { font: 10px system-ui, sans-serif; fill: #24292f; dominant-baseline: central }',
  '.heading { font-size: 13px; font-weight: 600; dominant-baseline: auto }',
  '.tick, .fitted { text-anchor: end } .across { text-anchor: middle }',
  'path { fill: none; stroke-width: 1.5 } .grid { stroke: #8c959f; stroke-width: 0.3 }',
  'path.own { stroke: #1a7f37 } path.other { stroke: #8c959f } text.own { fill: #1a7f37 } text.other { fill: #6e7781 }',
  '@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } path.own { stroke: #3fb950 } text.own { fill: #3fb950 } }',
].join(' ');
