/** Records on their way between a cache and another one, or a file. */
import { readArchive, spool, writeArchive } from '../../../cache/records/archive.ts';
import { faultOf } from '../../../cache/tiers.ts';
import type { Keys } from '../../../signature.ts';
import type { CacheStore } from '../../../cache/stores/store.ts';
import type { Source } from '../../../cache/stores/store.ts';
import { mustBeSigned, transfer } from '../../../cache/records/transfer.ts';
import type { Destination, Terms, Transferred } from '../../../cache/records/transfer.ts';
import { diagnostic, fail, SeccompcError, diagnosticJson } from '../../../errors.ts';
import type { Diagnostic } from '../../../errors.ts';
import { keysOf } from '../../options/cache-options.ts';
import { openTemporaryFile } from '../../../fs/temporary.ts';
import { trustedFile, UntrustedPath } from '../../../fs/trust.ts';
import { openInput } from '../../options/input-file.ts';
import { writeParts, writeProduct } from '../../output/streams.ts';
import { printDiagnostics, writeStderr, toJson } from '../../output/report.ts';
import { open, use, watch } from './store-access.ts';
import type { CacheOptions } from './store-access.ts';

export interface TransferOptions extends CacheOptions {
  /** Take aliases that no trusted key has signed. */
  unsigned?: true;
}

/** Far above the default limit of a store. */
const LARGEST_ARCHIVE = 1024 ** 3;

export async function push(url: string, options: TransferOptions): Promise<void> {
  const keys = await keysOf(options);
  const [from, to] = [open(options.cache), open(url)];
  const signedOnly = mustBeSigned(from, to.shared ? 'shared' : 'own', keys?.signer !== undefined);
  await between(from, to, termsOf(signedOnly, keys, options), options);
}

/** Naming a source does not make its records trusted. */
export async function pull(url: string, options: TransferOptions): Promise<void> {
  const keys = await keysOf(options);
  await between(open(url), open(options.cache), termsOf(true, keys, options), options);
}

async function between(
  from: CacheStore,
  to: CacheStore,
  terms: Terms,
  options: TransferOptions,
): Promise<void> {
  const result = await use(from, () => use(to, () => watched(from, to, terms, options)));
  if (result.fault !== undefined) throw broken(result, result.fault.side === 'source' ? from : to);
  await report(result, 'sent', options);
}

export async function exportTo(file: string, options: TransferOptions): Promise<void> {
  if (file === '-' && options.json)
    fail('USAGE', { reason: 'the export goes to standard output, so there can be no --json' });
  const keys = await keysOf(options);
  const store = open(options.cache);
  const signedOnly = mustBeSigned(store, 'file', keys?.signer !== undefined);
  const terms = termsOf(signedOnly, keys, options);
  // Records come objects first, and go by their keys.
  const temporary = openTemporaryFile();
  try {
    const records = spool(temporary.fd);
    const result = await use(store, () => watched(store, records, terms, options));
    if (result.fault !== undefined) throw broken({ ...result, sent: 0 }, store);
    await writeParts(writeArchive(records.records()), file);
    await report(result, 'exported', options);
  } finally {
    temporary.close();
  }
}

export async function importFrom(file: string, options: TransferOptions): Promise<void> {
  const keys = await keysOf(options);
  const opened = await openInput(options.unsigned && file !== '-' ? ownFile(file) : file, LARGEST_ARCHIVE);
  try {
    const archive = readArchive(opened.fd, keys?.trusted);
    if ('refused' in archive) {
      const found = diagnostic('CACHE_ARCHIVE_INVALID', { reason: archive.refused });
      throw new SeccompcError([{ ...found, file }]);
    }
    const store = open(options.cache);
    const terms = termsOf(true, keys, options);
    const result = await use(store, () => watched(archive, store, terms, options));
    if (result.fault !== undefined) throw broken(result, store);
    await report(result, 'imported', options);
  } finally {
    opened.close();
  }
}

/**
 * A file that only the caller and root can change or replace.
 * @throws SeccompcError CACHE_EXPORT_UNSAFE
 */
function ownFile(file: string): string {
  try {
    return trustedFile(file);
  } catch (error) {
    if (!(error instanceof UntrustedPath)) return file; // opening it reports the fault
    const { path, reason } = error;
    fail('CACHE_EXPORT_UNSAFE', { path, reason }, { file });
  }
}

function termsOf(signedOnly: boolean, keys: Keys | undefined, { unsigned }: TransferOptions): Terms {
  return {
    signedOnly: signedOnly && unsigned !== true,
    trusted: keys?.trusted,
    signer: keys?.signer,
  };
}

async function watched(
  from: Source,
  to: Destination,
  terms: Terms,
  options: TransferOptions,
): Promise<Transferred> {
  const { show, end } = watch(options);
  const result = await transfer(from, to, { ...terms, progress: show });
  end();
  return result;
}

function broken({ sent, fault }: Transferred, store: CacheStore): SeccompcError {
  const { message } = faultOf(fault?.cause, store);
  return new SeccompcError([diagnostic('CACHE_TRANSFER_BROKEN', { sent, reason: message })], {
    cause: fault?.cause,
  });
}

async function report(
  { sent, present, unsigned, refused }: Transferred,
  verb: 'sent' | 'exported' | 'imported',
  options: TransferOptions,
): Promise<void> {
  const skipped = unsigned + refused.length;
  const diagnostics: Diagnostic[] = [];
  const [first] = refused;
  if (first !== undefined)
    diagnostics.push(diagnostic('CACHE_RECORDS_LEFT_OUT', { count: refused.length, ...first }));
  if (unsigned > 0) diagnostics.push(diagnostic('CACHE_ALIASES_UNSIGNED', { count: unsigned }));
  if (options.json) {
    const counts = { [verb]: sent, present, skipped };
    return writeProduct(toJson({ ...counts, diagnostics: diagnostics.map(diagnosticJson) }));
  }
  await printDiagnostics(diagnostics, options);
  const there = verb === 'exported' ? '' : `, already there ${present}`;
  if (!options.quiet) await writeStderr(`${verb} ${sent}${there}, skipped ${skipped}\n`);
}
