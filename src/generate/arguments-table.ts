import type { TableName } from '../arch.ts';
import { type HeaderFolders, KERNEL, KERNEL_ROOT, readHeader } from './headers.ts';
import type { Output } from './output.ts';
import { codeOf, type Parameter, parseParameters, parsePrototypes, type Prototypes } from './prototypes.ts';
import { TABLES } from './syscall-modules.ts';
import { byCodeUnit, formatTsv, parseTsv } from './tsv.ts';

/** Tables whose calls have their prototype in headers of their own. The later ones win. */
const HEADERS: readonly (readonly [file: string, tables: readonly TableName[] | '*'])[] = [
  ['include/linux/compat.h', '*'],
  ['include/asm-generic/syscalls.h', '*'],
  ['include/linux/syscalls.h', '*'],
  ['arch/arm/include/asm/syscalls.h', ['arm']],
  ['arch/m68k/include/asm/syscalls.h', ['m68k']],
  ['arch/powerpc/include/asm/syscalls.h', ['ppc', 'ppc64']],
  ['arch/sh/include/asm/syscalls.h', ['sh']],
  ['arch/sh/include/asm/syscalls_32.h', ['sh']],
];

/** 32 bits are a word of these in the kernel. x32 and n32 are called through 64-bit registers. */
const SHORT: ReadonlySet<TableName> = new Set(['x86', 'arm', 'mips', 'ppc', 's390', 'parisc', 'm68k', 'sh']);
/** 64-bit arguments begin at an even register of these. */
const PAIRED: ReadonlySet<TableName> = new Set(['arm', 'mips', 'ppc']);
/** Registers that a filter sees. */
const ARGUMENTS = 6;

/** Name, table and number of every call. */
export type CallList = ReadonlyMap<TableName, ReadonlySet<string>>;

/** Makes arguments.tsv from the kernel's prototypes and what arguments-by-hand.tsv adds to them. */
export function argumentsTable(folders: HeaderFolders, calls: CallList, byHand: string): Output {
  const sources: string[] = [];
  const general: Prototypes = new Map();
  const own = new Map<TableName, Prototypes>();
  for (const [file, tables] of HEADERS) {
    const header = readHeader(folders, KERNEL, `${KERNEL_ROOT}${file}`);
    sources.push(header.source);
    const parsed = parsePrototypes(file, header.text);
    if (tables === '*') for (const [name, list] of parsed) general.set(name, list);
    else for (const table of tables) own.set(table, new Map([...(own.get(table) ?? []), ...parsed]));
  }
  const facts = handFacts(byHand);
  const rows: string[][] = [];
  const none: string[] = [];
  for (const call of [...new Set([...calls.values()].flatMap((set) => [...set]))].toSorted(byCodeUnit)) {
    const having = TABLES.filter((table) => calls.get(table)!.has(call));
    const byText = new Map<string, TableName[]>();
    for (const table of having) {
      const text = describe(call, table, { calls, facts, prototypes: [own.get(table), general] });
      if (text !== undefined) byText.set(text, [...(byText.get(text) ?? []), table]);
    }
    if (byText.size === 0) none.push(call);
    for (const [text, tables] of byText)
      rows.push([call, tables.length === having.length ? '*' : tables.join(','), ...text.split('\t')]);
  }
  const comments = [
    'Arguments of system calls: name, tables that it is so on ("*": all), arguments, form.',
    'An argument: C type, name and, after the colon, what the kernel keeps of the 64 bits that a filter sees: bits with',
    's or u for signed or unsigned, sw or uw for a word of the kernel, p for a pointer, - for nothing, h1 and h2 for the',
    'halves of a 64-bit value in the order of the byte order. A word has 64 bits on x32 and mips64n32 too.',
    'Form: "struct NAME MEMBER...": the arguments are in a struct. "carries N=CALL...": the first argument selects a call.',
    ...sources.map((source) => `source: ${source}`),
    'source: syscall-tables/arguments-by-hand.tsv',
    `none: ${none.join(' ')}`,
    `count: ${rows.length}`,
  ];
  return { path: 'syscall-tables/arguments.tsv', content: formatTsv(comments, rows) };
}

/** Facts kept by hand: by kind, call and table; "*" where no row names the table. */
type Facts = (kind: string, call: string, table: TableName) => string | undefined;

const KINDS = ['entry', 'names', 'prototype', 'kept', 'struct', 'carries'];

function handFacts(text: string): Facts {
  const tsv = parseTsv('syscall-tables/arguments-by-hand.tsv', text, 5);
  const found = new Map<string, string>();
  for (const { line, columns } of tsv.rows) {
    const [call, tables, kind, value] = columns as [string, string, string, string];
    if (!KINDS.includes(kind)) throw new Error(`${tsv.file}:${line}: unknown kind ${kind}`);
    for (const table of tables.split(',')) {
      if (table !== '*' && !TABLES.some((known) => known === table))
        throw new Error(`${tsv.file}:${line}: unknown table ${table}`);
      const key = `${kind} ${call} ${table}`;
      if (found.has(key)) throw new Error(`${tsv.file}:${line}: ${key} stands here twice`);
      found.set(key, value);
    }
  }
  return (kind, call, table) => found.get(`${kind} ${call} ${table}`) ?? found.get(`${kind} ${call} *`);
}

interface Context {
  calls: CallList;
  facts: Facts;
  prototypes: readonly (Prototypes | undefined)[];
}

/** The last two columns of a row; undefined without a prototype. */
function describe(call: string, table: TableName, context: Context): string | undefined {
  const { facts } = context;
  const listed = prototypeOf(call, table, context);
  if (listed === undefined) return undefined;
  const parameters = withNames(call, listed, facts('names', call, table)?.split(' '));
  const kept = new Map(
    facts('kept', call, table)
      ?.split(' ')
      .map((text) => text.split(':') as [string, string]),
  );
  const cells: string[] = [];
  for (const { type, name } of parameters) {
    const code = kept.get(name) ?? codeOf(type);
    kept.delete(name);
    if (!SHORT.has(table) || !code.endsWith('64')) cells.push(`${type} ${name}:${code}`);
    else {
      if (PAIRED.has(table) && cells.length % 2 === 1) cells.push('int unused:-');
      cells.push(`${type} ${name}:h1`, `${type} ${name}:h2`);
    }
  }
  if (kept.size > 0) throw new Error(`${call} on ${table} has no argument ${[...kept.keys()].join(', ')}`);
  const struct = facts('struct', call, table);
  const carries = facts('carries', call, table);
  const form = struct ? `struct ${struct.replace(':', '')}` : carries ? `carries ${carries}` : '-';
  const shown = cells.slice(0, ARGUMENTS).map((cell) => cell.replace(/\* (?=\w+:)/, '*'));
  return `${shown.join('; ') || '-'}\t${form}`;
}

/**
 * The prototype that serves a call: by hand, by its entry, by width of time and of user ids, or by
 * its own name.
 */
function prototypeOf(
  call: string,
  table: TableName,
  { calls, facts, prototypes }: Context,
): readonly Parameter[] | undefined {
  const written = facts('prototype', call, table);
  if (written !== undefined) return parseParameters(written);
  const find = (name: string) => prototypes.find((each) => each?.has(name))?.get(name);
  const entry = facts('entry', call, table);
  if (entry !== undefined) {
    const key =
      [...(prototypes[1]?.keys() ?? [])].find((each) => each === entry || isUnder(each, entry)) ?? entry;
    const found = find(key);
    if (found === undefined) throw new Error(`no header has a prototype of ${entry}, the entry of ${call}`);
    return found;
  }
  const candidates = [call];
  // A call of 32-bit time beside one of 64-bit time, of 16-bit ids beside one of 32-bit ids.
  if (SHORT.has(table) || table === 'mips64n32') candidates.unshift(`${call}_time32`, `${call}32`);
  if (calls.get(table)!.has(`${call}32`)) candidates.unshift(`${call}16`);
  candidates.push(call.replace(/_time64$|64$|32$/, ''));
  return candidates.map(find).find((found) => found !== undefined);
}

/** Whether a key is `NAME if ... CONDITION` for an entry `NAME if CONDITION`. */
function isUnder(key: string, entry: string): boolean {
  const [name, condition] = entry.split(' if ');
  return condition !== undefined && key.startsWith(`${name} if `) && key.endsWith(` ${condition}`);
}

function withNames(
  call: string,
  parameters: readonly Parameter[],
  names: readonly string[] | undefined,
): { type: string; name: string }[] {
  return parameters.map(({ type, name }, index) => {
    const known = name ?? (names?.length === parameters.length ? names[index] : undefined);
    if (known === undefined) throw new Error(`no name for argument ${index} of ${call}`);
    return { type, name: known };
  });
}
