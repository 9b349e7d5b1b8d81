import { InputError } from './input-error.ts';

/**
 * The checked-in tables: `# key: value` lines, then rows of columns separated by tabs. UTF-8, LF.
 * Keys may repeat; other comment lines are for people.
 */
export interface Tsv {
  readonly file: string;
  /** Values of a `# key: value` line, in file order. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly rows: readonly { readonly line: number; readonly columns: readonly string[] }[];
}

/**
 * Reads a table file.
 * @throws InputError for a row with another number of columns or an empty column.
 */
export function parseTsv(file: string, text: string, columnCount: number): Tsv {
  const values = new Map<string, string[]>();
  const rows: { line: number; columns: string[] }[] = [];
  if (!text.endsWith('\n')) throw new InputError(file, text.split('\n').length, 'the last line is cut off');
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    if (line.startsWith('#')) {
      const match = /^# ([a-z0-9]+): (.*)$/.exec(line);
      if (match) values.set(match[1]!, [...(values.get(match[1]!) ?? []), match[2]!]);
      continue;
    }
    const columns = line.split('\t');
    if (columns.length !== columnCount || columns.includes(''))
      throw new InputError(file, index + 1, `expected ${columnCount} columns separated by tabs: ${line}`);
    rows.push({ line: index + 1, columns });
  }
  return { file, values, rows };
}

/** The only value of a key. @throws InputError when it is missing or repeated. */
export function onlyValue(tsv: Tsv, key: string): string {
  const [value, ...more] = tsv.values.get(key) ?? [];
  if (value === undefined || more.length > 0)
    throw new InputError(tsv.file, 1, `expected one "# ${key}:" line`);
  return value;
}

/** Comment lines and rows as text. */
export function formatTsv(
  comments: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  return [...comments.map((line) => `# ${line}`), ...rows.map((row) => row.join('\t'))]
    .map((line) => `${line}\n`)
    .join('');
}

/** Orders strings by UTF-16 code units, whatever the locale. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
