/**
 * Databases as somebody would make them who wants a reader to hang, to crash, or to write where it
 * should not.
 */
import { openSync, readFileSync, statSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { DatabaseSync } from '@photostructure/sqlite';

/**
 * Runs statements on a database, also those that only somebody who edits the schema by hand can
 * run.
 */
export function edit(file: string, ...statements: string[]): void {
  const database = new DatabaseSync(file);
  try {
    database.enableDefensive(false);
    // A process that was told to end can have the file open still.
    database.exec('PRAGMA busy_timeout = 30000');
    // The log goes into the file, which is then all that there is.
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA writable_schema = ON');
    for (const statement of statements) database.exec(statement);
  } finally {
    database.close();
  }
}

/**
 * Schemas with the names and columns of ours, each with something that SQLite would run or that
 * ours does not have.
 */
export const SCHEMAS: Record<string, string[]> = {
  'a view that never ends': [
    'ALTER TABLE records RENAME TO r2',
    `CREATE VIEW records AS WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x)
      SELECT key, kind, label, bytes, made, used FROM r2, x WHERE n < 0`,
  ],
  'a view in the place of the texts': [
    'ALTER TABLE filters RENAME TO f2',
    `CREATE VIEW filters AS WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x)
      SELECT key, value FROM f2, x WHERE n < 0`,
  ],
  'a view beside the tables': ['CREATE VIEW other AS SELECT 1'],
  'a trigger': [
    `CREATE TRIGGER t AFTER INSERT ON records BEGIN
      UPDATE filters SET value = (WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x)
        SELECT max(n) FROM x); END`,
  ],
  'a trigger in the place of the texts': [
    'ALTER TABLE filters RENAME TO f2',
    'CREATE VIEW filters AS SELECT key, value FROM f2',
    `CREATE TRIGGER t INSTEAD OF INSERT ON filters BEGIN DELETE FROM records; END`,
  ],
  'another table': ['CREATE TABLE other (a)'],
  'a virtual table': ['CREATE VIRTUAL TABLE other USING fts5(a)'],
  'an index on an expression': ['CREATE INDEX i ON records (length(label))'],
  'a generated column': [
    'DROP TABLE records',
    `CREATE TABLE records (key TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, bytes INTEGER NOT NULL,
      made INTEGER NOT NULL, used INTEGER AS (abs(bytes)) NOT NULL) WITHOUT ROWID`,
  ],
  'a check': [
    'DROP TABLE filters',
    'CREATE TABLE filters(key VARCHAR(255) PRIMARY KEY, value TEXT CHECK (length(value) > 0))',
  ],
  'a default that is an expression': [
    'DROP TABLE filters',
    'CREATE TABLE filters(key VARCHAR(255) PRIMARY KEY, value TEXT DEFAULT (zeroblob(1e9)))',
  ],
  'a collation': [
    'DROP TABLE filters',
    'CREATE TABLE filters(key VARCHAR(255) COLLATE NOCASE PRIMARY KEY, value TEXT )',
  ],
  'rows with a rowid': [
    'DROP TABLE records',
    `CREATE TABLE records (key TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, bytes INTEGER NOT NULL,
      made INTEGER NOT NULL, used INTEGER NOT NULL)`,
  ],
  'a text that is no statement': ["UPDATE sqlite_schema SET sql = sql || ' -- ' WHERE name = 'records'"],
  statistics: ['ANALYZE'],
};

/** Interior pages, one above the other; SQLite refuses a tree of more than 20 levels. */
const LEVELS = 15;
/**
 * Of the header of a database file and of its pages: sqlite.org/fileformat2.html, sections 1.3 and
 * 1.6.
 */
const PAGE_SIZE = 4096;
const INTERIOR_INDEX = 0x02;
const LEAF_INDEX = 0x0a;

/**
 * Makes the rows of a table without rowid endless: the root leads to a page that leads, several
 * times, to one that leads, several times, to one ... that has the rows. The schema stays as it is.
 */
export function makeEndless(file: string, table: string): void {
  const database = new DatabaseSync(file);
  const [found] = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').all(table);
  database.close();
  const root = Number(found?.['rootpage']);
  const bytes = readFileSync(file);
  const pages = statSync(file).size / PAGE_SIZE;
  const leaf = bytes.subarray((root - 1) * PAGE_SIZE, root * PAGE_SIZE);
  if (leaf[0] !== LEAF_INDEX) throw new Error('the rows of the table have to fit into one page');
  const cells = Array.from({ length: leaf.readUInt16BE(3) }, (_, at) => {
    const begin = leaf.readUInt16BE(8 + 2 * at);
    // A length of one or two bytes, then so many bytes.
    const [first, second] = [leaf[begin]!, leaf[begin + 1]!];
    const [length, digits] = first < 0x80 ? [first, 1] : [((first & 0x7f) << 7) | second, 2];
    return leaf.subarray(begin, begin + digits + length);
  });
  const added = Array.from({ length: LEVELS - 1 }, (_, level) => interiorPage(cells, pages + level + 2));
  const fd = openSync(file, 'r+');
  writeSync(fd, interiorPage(cells, pages + 1), 0, PAGE_SIZE, (root - 1) * PAGE_SIZE);
  writeSync(fd, Buffer.concat([...added, leaf]), 0, PAGE_SIZE * LEVELS, pages * PAGE_SIZE);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(pages + LEVELS);
  writeSync(fd, size, 0, 4, 28);
  closeSync(fd);
}

/** A page with these cells, each of which leads to one other page. */
function interiorPage(cells: readonly Buffer[], child: number): Buffer {
  const page = Buffer.alloc(PAGE_SIZE);
  page[0] = INTERIOR_INDEX;
  page.writeUInt16BE(cells.length, 3);
  page.writeUInt32BE(child, 8);
  let end = PAGE_SIZE;
  for (const [at, cell] of cells.entries()) {
    end -= 4 + cell.length;
    page.writeUInt32BE(child, end);
    cell.copy(page, end + 4);
    page.writeUInt16BE(end, 12 + 2 * at);
  }
  page.writeUInt16BE(end, 5);
  return page;
}

/**
 * A rollback journal that tells SQLite to delete the journal of a transaction over several files:
 * `other`.
 */
export function putJournal(file: string, other: string): void {
  const magic = Buffer.from('d9d505f920a163d7', 'hex');
  const header = Buffer.alloc(512);
  magic.copy(header);
  // No pages to put back, and the size that the file has: sqlite.org/fileformat2.html, section 3.
  header.writeUInt32BE(statSync(file).size / PAGE_SIZE, 16);
  header.writeUInt32BE(512, 20);
  header.writeUInt32BE(PAGE_SIZE, 24);
  const name = Buffer.from(other);
  const footer = Buffer.alloc(4 + name.length + 16);
  footer.writeUInt32BE(0x4000_0000 / PAGE_SIZE + 1, 0);
  name.copy(footer, 4);
  footer.writeUInt32BE(name.length, 4 + name.length);
  footer.writeUInt32BE(
    name.reduce((sum, byte) => sum + byte, 0),
    8 + name.length,
  );
  magic.copy(footer, 12 + name.length);
  writeFileSync(`${file}-journal`, Buffer.concat([header, footer]), { mode: 0o600 });
}

/** Numbers that look like chance, and are the same in each run. */
export function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const STATEMENTS = [
  ...Object.values(SCHEMAS).flat(),
  "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema WHERE name = 'records'",
  'UPDATE sqlite_schema SET rootpage = rootpage + 1',
  'UPDATE sqlite_schema SET rootpage = 1',
  'UPDATE sqlite_schema SET rootpage = 1000000',
  'UPDATE sqlite_schema SET sql = NULL',
  "UPDATE sqlite_schema SET type = 'view'",
  "UPDATE sqlite_schema SET sql = replace(sql, 'TEXT', 'BLOB')",
  "UPDATE sqlite_schema SET sql = replace(sql, ' WITHOUT ROWID', '')",
  'DELETE FROM sqlite_schema WHERE rowid = 2',
  'UPDATE filters SET value = zeroblob(40000000)',
  "UPDATE filters SET value = replace(hex(zeroblob(5000000)), '0', '[')",
  'UPDATE filters SET value = 7',
  'UPDATE filters SET value = (SELECT value FROM filters ORDER BY random() LIMIT 1)',
  'UPDATE filters SET key = rowid',
  'DELETE FROM filters WHERE rowid % 2',
  'DELETE FROM records',
  "UPDATE records SET label = replace(hex(zeroblob(5000000)), '0', 'x')",
  "UPDATE records SET bytes = 'many', used = -1",
  'UPDATE records SET bytes = 9223372036854775807',
  "UPDATE records SET kind = CASE kind WHEN 'alias' THEN 'object' ELSE 'alias' END",
  `INSERT INTO records WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < 50000)
    SELECT printf('%064x', n), 'object', '', 1, 1, 1 FROM x`,
  'PRAGMA auto_vacuum = FULL; VACUUM',
  'PRAGMA page_size = 512; VACUUM',
  'PRAGMA page_size = 65536; VACUUM',
  'PRAGMA user_version = 77',
  'PRAGMA application_id = 77',
];

/** Changes a database at random, by statements or by bytes, and says how. */
export function mutate(file: string, seed: number): string {
  const below = numbersFrom(seed);
  if (below(3) === 0) {
    const statement = STATEMENTS[below(STATEMENTS.length)]!;
    try {
      edit(file, statement);
    } catch {
      // Not every statement is possible after every other one.
    }
    return statement;
  }
  const bytes = readFileSync(file);
  const pages = bytes.length / PAGE_SIZE;
  const kind = below(5);
  if (kind === 0) {
    const length = below(bytes.length);
    writeFileSync(file, bytes.subarray(0, length));
    return `${length} bytes`;
  }
  if (kind === 1) {
    const [from, to] = [below(pages), below(pages)];
    bytes.copy(bytes, to * PAGE_SIZE, from * PAGE_SIZE, (from + 1) * PAGE_SIZE);
    writeFileSync(file, bytes);
    return `page ${from} in the place of page ${to}`;
  }
  const changes = Array.from({ length: 1 + below(20) }, () => {
    // The first bytes of a page say how it is read.
    const offset = kind === 2 ? below(bytes.length) : below(pages) * PAGE_SIZE + below(kind === 3 ? 100 : 20);
    return [offset, below(256)] as const;
  });
  for (const [offset, value] of changes) bytes[offset] = value;
  writeFileSync(file, bytes);
  return changes.map(([offset, value]) => `${offset}: ${value}`).join(', ');
}
