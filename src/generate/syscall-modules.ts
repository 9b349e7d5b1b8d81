import { createHash } from 'node:crypto';
import { type TableName, allArches } from '../arch.ts';
import { buildPerfectHash } from '../syscalls/perfect-hash.ts';
import { ERRNO_SETS } from './errno-table.ts';
import { InputError } from './input-error.ts';
import type { Output } from './output.ts';
import { byCodeUnit, onlyValue, parseTsv, type Tsv } from './tsv.ts';

/** Text of `syscall-tables/*.tsv`, by file name without the folder. */
export type TableFiles = ReadonlyMap<string, string>;

export const TABLES: readonly TableName[] = [...new Set(allArches().map((arch) => arch.table))];

/** Makes the look-up modules of `src/syscalls/generated/` from the checked-in tables alone. */
export function syscallModules(files: TableFiles): Output[] {
  const tables = TABLES.map((table) => readTable(files, table));
  const names = namesOf(tables);
  return [
    ...tables.map((table) => tableModule(table, names)),
    unionModule(files, names, newestRelease(tables)),
    callNameModule(names),
    sinceModule(files, names),
    errnoModule(files),
  ];
}

/** The names of all tables, in the order of their ids. */
export function callNames(files: TableFiles): string[] {
  return namesOf(TABLES.map((table) => readTable(files, table)));
}

function namesOf(tables: readonly Table[]): string[] {
  return [...new Set(tables.flatMap((table) => table.calls.map(([, name]) => name)))].toSorted(byCodeUnit);
}

interface Table {
  readonly name: TableName;
  readonly tsv: Tsv;
  readonly sum: string;
  /** Numbers ascending. */
  readonly calls: readonly (readonly [nr: number, name: string])[];
}

/** Reads a table, and holds it to the count of its rows. */
export function read(files: TableFiles, name: string, columns: number): { tsv: Tsv; sum: string } {
  const text = files.get(name);
  if (text === undefined) throw new Error(`syscall-tables/${name} is missing`);
  const tsv = parseTsv(`syscall-tables/${name}`, text, columns);
  if (onlyValue(tsv, 'count') !== String(tsv.rows.length))
    throw new InputError(
      tsv.file,
      1,
      `has ${tsv.rows.length} rows, "# count:" says ${onlyValue(tsv, 'count')}`,
    );
  return { tsv, sum: sha256(text) };
}

function readTable(files: TableFiles, name: TableName): Table {
  const { tsv, sum } = read(files, `${name}.tsv`, 2);
  let last = -1;
  const names = new Set<string>();
  const calls = tsv.rows.map(({ line, columns: [digits, call] }) => {
    const nr = Number(digits);
    if (!/^[0-9]+$/.test(digits!) || nr <= last)
      throw new InputError(tsv.file, line, 'numbers have to ascend');
    if (!/^[a-z_][a-z0-9_]*$/.test(call!))
      throw new InputError(tsv.file, line, `not a name of a call: ${call}`);
    if (names.has(call!)) throw new InputError(tsv.file, line, `${call} stands here twice`);
    names.add(call!);
    last = nr;
    return [nr, call!] as const;
  });
  return { name, tsv, sum, calls };
}

/**
 * A table has a perfect hash of its names and their ids; the texts are there once, in the union.
 */
function tableModule({ name, tsv, sum, calls }: Table, union: readonly string[]): Output {
  const idOf = new Map(union.map((call, id) => [call, id]));
  const names = calls.map((call) => call[1]);
  const ids = names.map((call) => idOf.get(call)!);
  const numbers = calls.map((call) => call[0]);
  return module(
    name,
    [`${tsv.file}, sha256 ${sum}`],
    [
      `/** Positions among the names of union.ts, in the order of the numbers. */\n${arrayOf('ids', ids)}`,
      arrayOf('numbers', numbers),
      `/** Of the names, by their places in the two lists above. */\nexport const hash = {\n${hashOf(names)}};\n`,
    ],
  );
}

/** Ids are positions in the list of all names, sorted by code unit. */
function unionModule(files: TableFiles, names: readonly string[], [major, minor]: [number, number]): Output {
  // The cache key has it: what only explains calls to people does not count.
  // syscall-tables/README.md has the command.
  const listing = [...files]
    .filter(([name]) => !/^(?:argument|constant|starts)/.test(name))
    .toSorted(([a], [b]) => byCodeUnit(a, b))
    .map(([name, text]) => `${sha256(text)}  ${name}\n`);
  const digest = sha256(listing.join(''));
  return module(
    'union',
    [`syscall-tables/*.tsv, sha256 of their sums ${digest}`],
    [
      `export const digest = '${digest}';\n`,
      `export const release = { major: ${major}, minor: ${minor} };\n`,
      nameIndex(names),
    ],
  );
}

function callNameModule(names: readonly string[]): Output {
  const type = `export type CallName =\n${names.map((name) => `  | '${name}'\n`).join('')}`.trimEnd();
  return module('call-name', ['syscall-tables/*.tsv'], [`/** A call of any table. */\n${type};\n`]);
}

/** Linux release of the newest package any table was made from. */
function newestRelease(tables: readonly Table[]): [number, number] {
  const releases = tables.flatMap(({ tsv }) =>
    (tsv.values.get('source') ?? []).map((source): [number, number] => {
      if (/^\S+ [0-9.]+~rc/.test(source))
        throw new InputError(
          tsv.file,
          1,
          `made from a release candidate, whose numbers can change: ${source}`,
        );
      const version = /^\S+ ([0-9]+)\.([0-9]+)\./.exec(source);
      if (!version) throw new InputError(tsv.file, 1, `no version in "# source: ${source}"`);
      return [Number(version[1]), Number(version[2])];
    }),
  );
  const newest = releases.toSorted((a, b) => b[0] - a[0] || b[1] - a[1])[0];
  if (!newest) throw new Error('no table says which package it was made from');
  return newest;
}

function sinceModule(files: TableFiles, names: readonly string[]): Output {
  const { tsv, sum } = read(files, 'since.tsv', 4);
  const release = /^[0-9]+\.[0-9]+(\.[0-9]+)?$/;
  const general: string[] = [];
  const later: string[] = [];
  for (const [id, { line, columns }] of tsv.rows.entries()) {
    const [name, first, lists, evidence] = columns;
    if (name !== names[id])
      throw new InputError(tsv.file, line, `expected the row of ${names[id]}, not ${name}`);
    if (!release.test(first!)) throw new InputError(tsv.file, line, `not a Linux release: ${first}`);
    general.push(evidence === 'floor' ? `<=${first}` : first!);
    if (lists !== '-') later.push(`  ${name}: { ${releasesByTable(tsv, line, lists!)} },\n`);
  }
  if (tsv.rows.length !== names.length)
    throw new InputError(tsv.file, tsv.rows.length, `${names[tsv.rows.length]} has no row`);
  return module(
    'since',
    [`${tsv.file}, sha256 ${sum}`],
    [
      `import type { TableName } from '../../arch.ts';\n`,
      `/** By id. "<=" stands before a release where the true one is not known but older. */\n` +
        `export const general =\n  '${general.join(' ')}'.split(' ');\n`,
      `export const later: Readonly<Record<string, Partial<Record<TableName, string>>>> = {\n${later.join('')}};\n`,
      `export const start: Partial<Record<TableName, string>> = { ${releasesByTable(tsv, 1, onlyValue(tsv, 'start'))} };\n`,
    ],
  );
}

/** `x86=4.3,s390=6.4` as the inside of an object literal. */
function releasesByTable(tsv: Tsv, line: number, text: string): string {
  const entries = text.split(',').map((entry) => {
    const match = /^([a-z0-9_]+)=([0-9]+\.[0-9]+)$/.exec(entry);
    if (!match || !TABLES.some((table) => table === match[1]))
      throw new InputError(tsv.file, line, `not table=release: ${entry}`);
    return `${match[1]}: '${match[2]}'`;
  });
  return entries.join(', ');
}

function errnoModule(files: TableFiles): Output {
  const { tsv, sum } = read(files, 'errno.tsv', 1 + ERRNO_SETS.length);
  const sets = ERRNO_SETS.map((set, index) => {
    const cells = tsv.rows.map(({ line, columns }) => ({
      line,
      name: columns[0]!,
      value: columns[index + 1]!,
    }));
    const numbers = new Map(
      cells
        .filter(({ value }) => /^[0-9]+$/.test(value))
        .map(({ name, value }) => [name, Number(value)] as const),
    );
    if (new Set(numbers.values()).size !== numbers.size)
      throw new InputError(tsv.file, 1, `two names have one number in the ${set} set; write one as =NAME`);
    const aliases = cells.filter(({ value }) => value.startsWith('='));
    const ordered = [...numbers].toSorted((a, b) => a[1] - b[1]);
    for (const { line, name, value } of aliases) {
      const number = numbers.get(value.slice(1));
      if (number === undefined)
        throw new InputError(tsv.file, line, `no number for ${value.slice(1)} in the ${set} set`);
      ordered.push([name, number]);
    }
    if (cells.length !== ordered.length + cells.filter(({ value }) => value === '-').length)
      throw new InputError(tsv.file, 1, `a cell of the ${set} set is neither a number, nor =NAME, nor -`);
    const entries = ordered.map(([name, number]) => `${name}: ${number}`);
    return `  ${set}: {\n    ${wrap(entries, 4)},\n  },\n`;
  });
  return module(
    'errno',
    [`${tsv.file}, sha256 ${sum}`],
    [
      `import type { ErrnoSet } from '../../arch.ts';\n`,
      `/** Names with their numbers, ascending; other spellings stand after the name of the number. */\n` +
        `export const errnos: Readonly<Record<ErrnoSet, Readonly<Record<string, number>>>> = {\n${sets.join('')}};\n`,
    ],
  );
}

export function module(name: string, inputs: readonly string[], parts: readonly string[]): Output {
  const head = `// Generated by src/generate/syscall-modules.ts (npm run generate) from ${inputs.join(' and ')}\n`;
  return {
    path: `src/syscalls/generated/${name}.ts`,
    content: head + parts.map((part) => `\n${part}`).join(''),
  };
}

/** Names, one a line in the order of their positions, and their perfect hash. */
function nameIndex(names: readonly string[]): string {
  const list = `  names: \`\n${names.join('\n')}\n\`.slice(1, -1).split('\\n'),\n`;
  return `export const index = {\n${hashOf(names)}${list}};\n`;
}

/** The members of a perfect hash. */
function hashOf(names: readonly string[]): string {
  const { seed, displacements, slots } = buildPerfectHash(names);
  const longest = Math.max(...names.map((name) => name.length));
  return (
    `  longest: ${longest},\n  seed: ${seed},\n` +
    `  displacements: [\n    ${wrap(displacements, 4)},\n  ],\n  slots: [\n    ${wrap(slots, 4)},\n  ],\n`
  );
}

function arrayOf(name: string, values: readonly number[]): string {
  return `export const ${name} = [\n  ${wrap(values, 2)},\n];\n`;
}

/** Joins values by commas in lines of at most 110 columns. */
function wrap(values: readonly (string | number)[], indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const value of values) {
    if (line !== '' && line.length + String(value).length + 3 + indent > 110) {
      lines.push(`${line},`);
      line = '';
    }
    line = line === '' ? String(value) : `${line}, ${value}`;
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
