import { atOnce } from '../at-once.ts';
import { signEnvelope } from './envelope.ts';
import { plainLabel, readRecord } from './record.ts';
import type { Signer, TrustedKeys } from '../../signature.ts';
import { peek } from '../stores/store.ts';
import type { CacheStore, Source, StoredRecord } from '../stores/store.ts';

/** Where records go. */
export type Destination = Source & Pick<CacheStore, 'set' | 'remove'>;

export interface Terms {
  /** Whether only aliases are sent that a trusted key has signed. */
  signedOnly: boolean;
  trusted?: TrustedKeys | undefined;
  /** Signs every alias that goes. */
  signer?: Signer | undefined;
  /** Called after each record. */
  progress?: (done: number, total: number) => void;
}

/**
 * Whether only signed aliases may be sent: aliases that others wrote would be trusted without a
 * signature in a store of one's own, and with a signature anywhere.
 */
export function mustBeSigned(
  from: Pick<CacheStore, 'shared'>,
  into: 'own' | 'shared' | 'file',
  signs: boolean,
): boolean {
  return from.shared && (into === 'own' || signs);
}

export interface Transferred {
  sent: number;
  /** The destination had them already. */
  present: number;
  /** Aliases that no trusted key has signed. */
  unsigned: number;
  /** Records that did not pass their checks, by ascending key. */
  refused: { key: string; reason: string }[];
  /** What ended it before all was sent. */
  fault?: { side: 'source' | 'destination'; cause: unknown };
}

/**
 * Sends the records that the destination lacks, by its list. Each is checked after it was read, and
 * again after it was written. Objects go before the aliases that lead to them, and no alias goes
 * without its object, so an interrupted transfer leaves something usable, and the next run sends
 * the rest. Never rejects because of a store.
 */
export async function transfer(from: Source, to: Destination, terms: Terms): Promise<Transferred> {
  const result: Transferred = { sent: 0, present: 0, unsigned: 0, refused: [] };
  try {
    const [offered, there] = await Promise.all([ask('source', from.list()), ask('destination', to.list())]);
    const known = new Map(there.map(({ key, kind }) => [key, kind]));
    const missing = offered.filter(({ key }) => !known.has(key));
    result.present = offered.length - missing.length;
    let done = 0;
    const sendAll = (objects: boolean) =>
      atOnce(
        missing.filter(({ kind }) => (kind === 'object') === objects),
        async (record) => {
          const verdict = await send(record, from, to, terms, known);
          if (verdict === 'sent') {
            known.set(record.key, record.kind);
            result.sent += 1;
          } else if (verdict === 'unsigned') result.unsigned += 1;
          else if (verdict !== 'gone') result.refused.push({ key: record.key, reason: verdict.refused });
          terms.progress?.((done += 1), missing.length);
        },
      );
    await sendAll(true);
    await sendAll(false);
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    result.fault = { side: error.side, cause: error.cause };
  }
  result.refused.sort((a, b) => (a.key < b.key ? -1 : 1));
  return result;
}

/** Sends one record; says why not, if it is not to be sent. */
async function send(
  record: StoredRecord,
  from: Source,
  to: Destination,
  { signedOnly, trusted, signer }: Terms,
  known: ReadonlyMap<string, string>,
): Promise<'sent' | 'unsigned' | 'gone' | { refused: string }> {
  const { key, kind, label } = record;
  const text = await ask('source', peek(from, key));
  // Others remove records while we read.
  if (text === undefined) return 'gone';
  const read = readRecord(record, text, trusted);
  if ('refused' in read) return read;
  if (read.kind === 'alias') {
    if (signedOnly && !read.signed) return 'unsigned';
    const { object } = read.alias;
    if (object !== null && known.get(object) !== 'object')
      return { refused: 'it leads to an object that is not there' };
  }
  const outgoing = read.kind === 'alias' && signer !== undefined ? signEnvelope(text, key, signer) : text;
  if (typeof outgoing !== 'string') return outgoing;
  await ask('destination', to.set(key, outgoing, { kind, label: plainLabel(label) }));
  await checkArrival(record, to);
  return 'sent';
}

/** Removes what arrived damaged, so that the next run sends it again. */
async function checkArrival(record: StoredRecord, to: Destination): Promise<void> {
  const { key } = record;
  const kept = await ask('destination', peek(to, key));
  const read = kept === undefined ? { refused: 'it is not there' } : readRecord(record, kept);
  if (!('refused' in read)) return;
  await ask('destination', to.remove([key]));
  throw new StoreFault('destination', new Error(`it did not keep ${key}: ${read.refused}`));
}

class StoreFault extends Error {
  readonly side: 'source' | 'destination';

  constructor(side: 'source' | 'destination', cause: unknown) {
    super('a store failed', { cause });
    this.side = side;
  }
}

async function ask<T>(side: 'source' | 'destination', work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new StoreFault(side, cause);
  }
}
