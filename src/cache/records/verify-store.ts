import type { Endian } from '../../bpf/instruction.ts';
import type { Alias } from './alias.ts';
import { atOnce } from '../at-once.ts';
import { readRecord } from './record.ts';
import type { TrustedKeys } from '../../signature.ts';
import { peek } from '../stores/store.ts';
import type { RecordKind, Source, StoredRecord } from '../stores/store.ts';

/** Something that is wrong with a record. */
export interface Finding {
  key: string;
  kind: RecordKind;
  reason: string;
}

export interface Verified {
  checked: number;
  /** Aliases that a trusted key has signed. */
  signed: number;
  /** By ascending key. */
  findings: Finding[];
}

/**
 * Reads every record and checks all that can be checked without the profile: key, checksum, digest,
 * form, the kernel's rules for programs, the signatures that claim a trusted key, and that an alias
 * leads to a program of its byte order.
 * @throws whatever the store rejects with
 */
export async function verifyStore(
  store: Source,
  trusted?: TrustedKeys,
  progress?: (done: number, total: number) => void,
): Promise<Verified> {
  const list = await store.list();
  const { objects, aliases, findings } = await readAll(store, list, trusted, progress);
  let signed = 0;
  for (const [key, found] of aliases) {
    const reason = faultOfTarget(found.alias, objects);
    if (reason !== undefined) findings.push({ key, kind: 'alias', reason });
    if (found.signed) signed += 1;
  }
  return { checked: list.length, signed, findings: findings.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}

/** The listed records that pass their own checks, and what is wrong with the others. */
export async function readAll(
  store: Source,
  list: readonly StoredRecord[],
  trusted?: TrustedKeys,
  progress?: (done: number, total: number) => void,
) {
  const objects = new Map<string, readonly Endian[]>();
  const aliases = new Map<string, { alias: Alias; signed: boolean }>();
  const findings: Finding[] = [];
  let done = 0;
  await atOnce(list, async (record) => {
    const { key, kind } = record;
    const text = await peek(store, key);
    const read = text === undefined ? { refused: 'it is not there' } : readRecord(record, text, trusted);
    if ('refused' in read) findings.push({ key, kind, reason: read.refused });
    else if (read.kind === 'object') objects.set(key, read.endians);
    else aliases.set(key, read);
    progress?.((done += 1), list.length);
  });
  return { objects, aliases, findings };
}

function faultOfTarget(alias: Alias, objects: ReadonlyMap<string, readonly Endian[]>): string | undefined {
  if (alias.object === null) return undefined;
  const endians = objects.get(alias.object);
  if (endians === undefined) return 'it leads to an object that is not there, or is damaged';
  return alias.of === 'input' && !endians.includes(alias.endian)
    ? 'its program is for another architecture'
    : undefined;
}
