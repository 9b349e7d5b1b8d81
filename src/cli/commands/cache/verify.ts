import { hotDirectory, verifyHot } from '../../../cache/hot/directory.ts';
import { removeFiles } from '../../../cache/plain-files.ts';
import { verifyStore } from '../../../cache/records/verify-store.ts';
import { EXIT } from '../../../errors.ts';
import { keysOf } from '../../options/cache-options.ts';
import { writeProduct } from '../../output/streams.ts';
import { writeStderr, table, toJson } from '../../output/report.ts';
import { open, use, watch } from './store-access.ts';
import type { CacheOptions } from './store-access.ts';

export interface VerifyOptions extends CacheOptions {
  remove?: true;
}

/** Checks every entry of both tiers. Exit code 1 if something was found, even if it was removed. */
export async function verify(options: VerifyOptions): Promise<number> {
  const { cache, remove = false, json, quiet } = options;
  const trusted = (await keysOf(options))?.trusted;
  const store = open(cache);
  const directory = hotDirectory(cache);
  const hot = verifyHot(directory);
  const bad = new Set(hot.findings.map(({ key }) => key));
  if (remove) removeFiles(directory, ({ name }) => bad.has(name));
  const { checked, signed, findings } = await use(store, async () => {
    const watched = watch(options);
    const verified = await verifyStore(store, trusted, watched.show);
    watched.end();
    if (remove) await store.remove(verified.findings.map(({ key }) => key));
    return verified;
  });
  const all = [...findings, ...hot.findings];
  const exitCode = all.length > 0 ? EXIT.no : EXIT.ok;
  if (json) {
    await writeProduct(
      toJson({ checked, hot: hot.checked, signed, findings: all, removed: remove ? all.length : 0 }),
    );
    return exitCode;
  }
  await writeProduct(table(all.map(({ key, kind, reason }) => [key, kind, reason])));
  if (quiet) return exitCode;
  const what = `checked ${checked} records and ${hot.checked} hot answers`;
  const bySigner = trusted === undefined ? '' : ` (${signed} signed by a trusted key)`;
  const found =
    all.length === 0 ? 'nothing is wrong' : `${all.length} ${remove ? 'removed' : 'are never used'}`;
  await writeStderr(`${what}${bySigner}: ${found}\n`);
  return exitCode;
}
