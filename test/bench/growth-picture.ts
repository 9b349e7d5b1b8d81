/**
 * The picture of docs/codegen.md: time and instructions over rules, one small diagram for each
 * family.
 */
import { CELL, diagram, sheet } from './diagram.ts';
import type { Line, Point } from './diagram.ts';
import { exponent } from './growth.ts';
import type { Cell, Table } from './table.ts';

type Row = Record<string, Cell>;

const RULES = { from: 5, to: 800, ticks: [5, 50, 800] };
const MOST_FIGURE = 10_000;

/**
 * Both figures of each family for one ABI; libseccomp's instructions are those of its shorter
 * program.
 */
export function growthPicture({ rows }: Table): string {
  const single = rows.filter(({ arches }) => arches === 1);
  const families = [...new Set(single.map(({ family }) => String(family)))];
  const groups = (
    [
      ['Milliseconds with the proof (libseccomp: without)', 'ms', 'first ms', 0.1],
      ['Instructions', 'attach', 'first', 10],
    ] as const
  ).map(([heading, own, other, least]) => ({
    heading,
    diagrams: families.map((family) => {
      const ofFamily = single.filter((row) => row['family'] === family);
      return familyDiagram(family, pointsOf(ofFamily, own, least), pointsOf(ofFamily, other, least), least);
    }),
  }));
  return sheet('Growth with the rules on the arguments of one call: seccompc and libseccomp', groups);
}

function pointsOf(rows: readonly Row[], key: string, least: number): Point[] {
  return rows.flatMap((row) => {
    const figure = row[key];
    return typeof figure === 'number' ? [[Number(row['rules']), Math.max(figure, least)] as const] : [];
  });
}

function familyDiagram(
  family: string,
  own: readonly Point[],
  other: readonly Point[],
  least: number,
): string[] {
  const lines: Line[] = [
    { name: 'own', points: own },
    { name: 'other', points: other },
  ];
  const ticks = [];
  for (let tick = least; tick <= MOST_FIGURE; tick *= least < 1 ? 100 : 10) ticks.push(tick);
  const axes = { x: RULES, y: { from: least, to: MOST_FIGURE, ticks } };
  return diagram(family, axes, lines, ({ name, points }, { x, y }) => {
    if (points.length < 3) return [];
    const [rules, figure] = points.at(-1)!;
    // The label of the upper line stands above it, of the lower one below.
    const [, others = 0] = (name === 'own' ? other : own).at(-1) ?? [];
    const at = figure < others ? y(figure) + 10 : Math.max(y(figure) - 7, CELL.top);
    const fitted = `n^${exponent(points).toFixed(1)}`;
    return [`<text class="${name} fitted" x="${x(rules).toFixed(1)}" y="${at.toFixed(1)}">${fitted}</text>`];
  });
}
