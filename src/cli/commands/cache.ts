import { Command } from 'commander';
import { withDeadline } from '../../cache/deadline.ts';
import { clearHot, countAnswers, hotStats } from '../../cache/hot/folder.ts';
import { cacheFolderOf } from '../../cache/hot/serve.ts';
import { CacheFault, closeStore, faultOf, openStore, STORE_DEADLINE } from '../../cache/index.ts';
import type { CacheStore } from '../../cache/index.ts';
import { diagnostic, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { writeProduct } from '../output.ts';
import { addVoiceOptions, say, toJson } from '../report.ts';
import type { Voice } from '../report.ts';

interface Options extends Voice {
  cache?: string;
}

const HELP = `
The cache only saves time: a filter from it is the same as a fresh one, and every entry is checked before use.

Examples:
  seccompc cache path
  seccompc cache stats --json
  seccompc cache clear`;

export function makeCommand(): Command {
  const command = new Command('cache')
    .usage('path|stats|clear [OPTION...]')
    .description('Shows or empties the cache of compiled filters.')
    .addHelpText('after', HELP);
  const add = (name: string, description: string, run: (options: Options) => Promise<void>) =>
    addVoiceOptions(
      command
        .command(name)
        .description(description)
        .option('--cache <DIR|URL>', "another cache than the user's own: a folder, or sqlite:FILE")
        .action(run),
    );
  add('path', 'print the file that the cache is in', async ({ cache, json }) => {
    const { location } = open(cache);
    await writeProduct(json ? toJson({ path: location }) : `${location}\n`);
  });
  add('stats', 'print how many entries there are, and their size', async ({ cache, json }) => {
    const store = open(cache);
    const { entries, bytes } = await ask(store, () => store.stats());
    const { tier, location } = store;
    const folder = cacheFolderOf({ cache });
    const hot = folder === undefined ? { entries: 0, bytes: 0 } : hotStats(folder);
    const answers = folder === undefined ? {} : countAnswers(folder);
    if (json) return writeProduct(toJson({ tier, path: location, entries, bytes, hot, answers }));
    const rows = {
      tier,
      path: location,
      entries,
      bytes,
      'hot entries': hot.entries,
      'hot bytes': hot.bytes,
      ...Object.fromEntries(Object.entries(answers).map(([name, count]) => [`answers ${name}`, count])),
    };
    await writeProduct(
      Object.entries(rows)
        .map(([name, value]) => `${name}\t${value}\n`)
        .join(''),
    );
  });
  add('clear', 'remove every entry; a damaged cache is made anew', async ({ cache, json, quiet }) => {
    const store = open(cache);
    // First what answers first: nothing that is being cleared is given out any more.
    const folder = cacheFolderOf({ cache });
    if (folder !== undefined) clearHot(folder);
    await ask(store, () => store.clear());
    if (json) await writeProduct(toJson({ tier: store.tier, path: store.location, cleared: true }));
    else if (!quiet) await say(`cleared ${store.location}\n`);
  });
  return command;
}

function open(location: string | undefined): CacheStore {
  try {
    return openStore(location);
  } catch (cause) {
    throw cause instanceof CacheFault ? failure(cause.diagnostic, cause) : cause;
  }
}

/** Here the cache is the subject, so its faults end the command. */
function failure({ message, hint }: Diagnostic, cause: unknown): SeccompcError {
  const found = diagnostic('CACHE_FAILED', { reason: message }, hint === undefined ? {} : { hint });
  return new SeccompcError([found], { cause });
}

async function ask<T>(store: CacheStore, work: () => Promise<T>): Promise<T> {
  try {
    return await withDeadline(work(), STORE_DEADLINE);
  } catch (cause) {
    throw failure(faultOf(cause, store), cause);
  } finally {
    await closeStore(store);
  }
}
