/** What the benchmark prints: tables of plain values, as Markdown or as JSON. */

export interface Column {
  key: string;
  title: string;
  /** Digits after the point; 0 unless said. */
  digits?: number;
}

export type Cell = string | number | null;

export interface Table {
  title: string;
  /** How the figures were got, and in which units. */
  method: string;
  columns: Column[];
  /** By the keys of the columns; null where there is nothing to say. */
  rows: Record<string, Cell>[];
}

export function markdown({ title, method, columns, rows }: Table): string {
  const cells = [
    columns.map((column) => column.title),
    columns.map(({ key }) => (rows.some((row) => typeof row[key] === 'number') ? '---:' : '---')),
    ...rows.map((row) => columns.map((column) => show(row[column.key], column))),
  ];
  const lines = cells.map((line) => `| ${line.join(' | ')} |`);
  return [`## ${title}`, '', method, '', ...lines, ''].join('\n');
}

function show(cell: Cell | undefined, { digits = 0 }: Column): string {
  if (cell === null || cell === undefined) return '-';
  return typeof cell === 'number' ? cell.toFixed(digits) : cell;
}

/** @throws RangeError of no samples at all */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError('the median of nothing');
  return sorted.length % 2 === 1 ? upper : (upper + sorted[middle - 1]!) / 2;
}

export function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

export function weightedMean(samples: readonly number[], weights: readonly number[]): number {
  const sum = samples.reduce((total, sample, index) => total + sample * weights[index]!, 0);
  return sum / weights.reduce((total, weight) => total + weight, 0);
}

/** null when either is. */
export function ratio(a: number | null | undefined, b: number | null | undefined): number | null {
  return typeof a === 'number' && typeof b === 'number' ? a / b : null;
}
