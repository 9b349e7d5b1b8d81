/** Exports as bytes, for tests of what works on open files. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { readArchive, spool, writeArchive } from '../../src/cache/records/archive.ts';
import type { TrustedKeys } from '../../src/signature.ts';
import type { Source } from '../../src/cache/stores/store.ts';
import type { NewRecord } from '../../src/cache/stores/store.ts';
import { transfer } from '../../src/cache/records/transfer.ts';

const folder = mkdtempSync(join(tmpdir(), 'seccompc-archive-'));
const opened: number[] = [];
afterAll(() => {
  for (const fd of opened) closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

/** An open file with this content. */
function openFile(content: string | Uint8Array): number {
  const path = join(folder, `${opened.length}`);
  writeFileSync(path, content);
  const fd = openSync(path, 'r+');
  opened.push(fd);
  return fd;
}

export function archiveOf(records: readonly NewRecord[]): Buffer {
  return Buffer.concat([...writeArchive(records.toSorted((a, b) => (a.key < b.key ? -1 : 1)))]);
}

export const read = (file: string | Uint8Array, trusted?: TrustedKeys) =>
  readArchive(openFile(file), trusted);

export async function recordsOf(file: string | Uint8Array, trusted?: TrustedKeys): Promise<NewRecord[]> {
  const source = read(file, trusted);
  if ('refused' in source) throw new Error(source.refused);
  const list = await source.list();
  return Promise.all(
    list.map(async ({ kind, key, label }) => ({ kind, key, label, text: (await source.get(key))! })),
  );
}

/** What an export of a source is. */
export async function exportOf(source: Source): Promise<Buffer> {
  const spooled = spool(openFile(''));
  await transfer(source, spooled, { signedOnly: false });
  return Buffer.concat([...writeArchive(spooled.records())]);
}
