import { findAnswer, HOT_TIER } from '../cache/hot/hot-tier.ts';
import type { HotAnswer } from '../cache/hot/entry.ts';
import { hotRequest } from '../cache/hot/hot-request.ts';
import type { HotRequest } from '../cache/hot/hot-request.ts';
import { EXIT } from '../errors.ts';
import { isTerminal, writeProduct, writeStandard } from './output/streams.ts';

/**
 * Repeats the output of an earlier run with the same command line and input, or runs a command
 * under the filter of one. Returns its exit code, or undefined on a miss. Only complete results are
 * stored, so nothing is printed before the entry was found valid.
 *
 * @throws as {@link writeProduct}
 */
export async function answerHot(args: readonly string[]): Promise<number | undefined> {
  const begin = Date.now();
  const request = hotRequest(args);
  const answer = request && find(request);
  if (answer === undefined) return undefined;
  const { command, output, file, executable, words } = request!;
  const isRun = command === 'exec';
  // Terminals get colours and no raw program; the full command handles that.
  if ((answer.diagnostics !== '' && isTerminal(2)) || (!isRun && output === undefined && isTerminal(1)))
    return undefined;
  if (answer.diagnostics !== '') await writeStandard(2, answer.diagnostics).catch(() => {});
  const product = Buffer.from(answer.product, 'base64');
  if (isRun) {
    const { runKept } = await import('./run-filtered.ts');
    return runKept(product, { words, input: answer.input, file });
  }
  await writeProduct(product, output, { executable });
  if (answer.summary !== '') {
    const origin = `from the cache (${HOT_TIER}) in ${Date.now() - begin} ms\n`;
    await writeStandard(2, answer.summary + origin).catch(() => {});
  }
  return EXIT.ok;
}

function find(request: HotRequest): (HotAnswer & { input: Buffer }) | undefined {
  try {
    return findAnswer(request);
  } catch {
    return undefined; // The full command finds the same fault and reports it.
  }
}
