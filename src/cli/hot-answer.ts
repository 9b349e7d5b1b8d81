import { findAnswer, HOT_TIER } from '../cache/hot/hot-tier.ts';
import type { HotAnswer } from '../cache/hot/entry.ts';
import { BUILD } from '../cache/hot/build.ts';
import { hotRequest } from '../cache/hot/hot-request.ts';
import type { HotRequest } from '../cache/hot/hot-request.ts';
import { EXIT } from '../errors.ts';
import { isTerminal, writeProduct, writeStandard } from './output/streams.ts';

/**
 * Answers a command line by what an equal one printed and produced before, and gives its exit code; undefined where the
 * whole program has to run. Only complete answers are kept, so nothing is printed before one is found.
 *
 * @throws as {@link writeProduct}
 */
export async function answerHot(args: readonly string[]): Promise<number | undefined> {
  const begin = Date.now();
  const request = BUILD === undefined ? undefined : hotRequest(args, BUILD);
  const answer = request && find(request);
  if (answer === undefined) return undefined;
  // A terminal gets colours, and is refused the raw program: the command decides.
  if ((answer.diagnostics !== '' && isTerminal(2)) || (request!.output === undefined && isTerminal(1)))
    return undefined;
  if (answer.diagnostics !== '') await writeStandard(2, answer.diagnostics).catch(() => {});
  await writeProduct(Buffer.from(answer.product, 'base64'), request!.output);
  if (answer.summary !== '') {
    const origin = `from the cache (${HOT_TIER}) in ${Date.now() - begin} ms\n`;
    await writeStandard(2, answer.summary + origin).catch(() => {});
  }
  return EXIT.ok;
}

function find(request: HotRequest): HotAnswer | undefined {
  try {
    return findAnswer(request);
  } catch {
    return undefined; // The command finds the same fault, and says so.
  }
}
