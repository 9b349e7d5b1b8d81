import { hotRequest } from '../cache/hot/hot-request.ts';
import type { HotRequest } from '../cache/hot/hot-request.ts';
import { keepAnswer } from '../cache/hot/hot-tier.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { formatDiagnostics, PLAIN } from './output/report.ts';
import type { OutputOptions } from './output/report.ts';

/** What a run has made. */
export interface Made {
  input: Uint8Array;
  /** Those about the cache hold for this run only: with one, nothing is kept. */
  warnings: readonly Diagnostic[];
  /** Those that the next run prints again. */
  diagnostics: readonly Diagnostic[];
  output: OutputOptions;
  summary?: string;
  product: (request: HotRequest) => Promise<string | Uint8Array>;
}

/**
 * Stores the output for the next run of the same command line, unless it has --no-cache. Returns
 * warnings.
 */
export async function keepHot(args: readonly string[], made: Made): Promise<Diagnostic[]> {
  const { input, warnings, diagnostics, output, summary = '', product } = made;
  const request = hotRequest(args);
  if (request === undefined || warnings.length > 0) return [];
  const isQuiet = output.quiet || output.json;
  const namesFile = diagnostics.length > 0 && (!isQuiet || request.json);
  const refused = keepAnswer(request, input, {
    diagnostics: isQuiet ? '' : formatDiagnostics(diagnostics, PLAIN),
    summary,
    product: Buffer.from(await product(request)).toString('base64'),
    file: namesFile ? request.file : null,
  });
  return refused === undefined ? [] : [diagnostic('CACHE_ENTRY_REFUSED', { reason: refused })];
}
