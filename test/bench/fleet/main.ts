/**
 * `npm run simulate:fleet`: simulates a fleet, and writes the tables and pictures of docs/scale.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { valueOf } from './parameters.ts';
import { picturesOf, runsOf, tablesOf, withTables } from './scale.ts';

const docs = join(process.cwd(), 'docs');
const runs = runsOf(valueOf('hosts'));
const tables = tablesOf(runs);
const page = join(docs, 'scale.md');
writeFileSync(page, withTables(readFileSync(page, 'utf8'), tables));
for (const [name, picture] of Object.entries(picturesOf(runs))) writeFileSync(join(docs, name), picture);
for (const [name, table] of Object.entries(tables)) process.stdout.write(`${name}\n\n${table}\n`);
