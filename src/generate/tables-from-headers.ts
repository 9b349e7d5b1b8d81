import { basename } from 'node:path';
import type { TableName } from '../arch.ts';
import { argumentsTable } from './arguments-table.ts';
import { constantsTable } from './constants-table.ts';
import { errnoTable } from './errno-table.ts';
import {
  type Header,
  type HeaderFolders,
  NEWEST,
  readHeader,
  TABLE_HEADERS,
  type TableHeader,
} from './headers.ts';
import type { Output } from './output.ts';
import type { TableFiles } from './syscall-modules.ts';
import { formatTsv } from './tsv.ts';
import { type Call, parseArmPrivate, parseUnistd, readBase } from './unistd.ts';

/** What 31-bit s390 got in Linux 6.13 to 6.18, after the headers its table is made from. */
const S390_LATE: Readonly<Record<string, number>> = {
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
};

/**
 * Makes `syscall-tables/*.tsv` from the unpacked header packages and those that are kept by hand.
 */
export function tablesFromHeaders(folders: HeaderFolders, files: TableFiles): Output[] {
  const calls = new Map<TableName, ReadonlySet<string>>();
  const s390x = readTable(
    folders,
    TABLE_HEADERS.find((h) => h.table === 's390x')!,
  );
  const tables = TABLE_HEADERS.map((header) => {
    const table = readTable(folders, header);
    if (header.table === 'arm') addArmPrivate(table, folders);
    if (header.table === 's390') addLateS390(table, s390x);
    calls.set(header.table, new Set(table.calls.map((call) => call.name)));
    return tableOutput(header.table, table);
  });
  return [
    ...tables,
    errnoTable(folders),
    argumentsTable(folders, calls, files.get('arguments-by-hand.tsv')!),
    constantsTable(folders, calls, files.get('constant-sets.tsv')!),
  ];
}

interface Table {
  base: number;
  calls: Call[];
  /** The headers the calls stand in. */
  sources: Header[];
}

function readTable(folders: HeaderFolders, { file, from, base }: TableHeader): Table {
  const header = readHeader(folders, from, file);
  if (!base) return { base: 0, calls: parseUnistd(file, header.text), sources: [header] };
  const baseHeader = readHeader(folders, from, base.file);
  const value = readBase(base.file, baseHeader.text, base.macro, basename(file));
  return { base: value.value, calls: parseUnistd(file, header.text, value), sources: [header, baseHeader] };
}

function addArmPrivate(table: Table, folders: HeaderFolders): void {
  const header = readHeader(folders, NEWEST, 'usr/lib/linux/uapi/arm/asm/unistd.h');
  table.calls.push(...parseArmPrivate(header.file, header.text));
}

function addLateS390(table: Table, s390x: Table): void {
  const late = s390x.calls.filter((call) => S390_LATE[call.name] === call.nr);
  if (late.length !== Object.keys(S390_LATE).length)
    throw new Error('the s390x table does not have the calls that 31-bit s390 got last');
  table.calls.push(...late);
  table.sources.push(...s390x.sources);
}

function tableOutput(name: TableName, { base, calls, sources }: Table): Output {
  const rows = calls.toSorted((a, b) => a.nr - b.nr).map((call) => [call.nr, call.name]);
  const comments = [
    `System calls of the ${name} table: number, name. Numbers as seccomp_data.nr shows them, base included.`,
    ...sources.map((header) => `source: ${header.source}`),
    `base: ${base}`,
    `count: ${rows.length}`,
  ];
  return { path: `syscall-tables/${name}.tsv`, content: formatTsv(comments, rows) };
}
