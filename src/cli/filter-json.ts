import { createHash } from 'node:crypto';
import { encodeBase64 } from '../format/text.ts';
import { diagnostic } from '../errors.ts';
import type { Compiled } from './commands/compile.ts';
import { diagnosticJson, toJson } from './report.ts';

/** The document of `compile --json`: the program, what a runtime must know beside it, and how it was made. */
export function filterJson({ filter, tier, key, warnings }: Compiled): string {
  const { bytes, target } = filter;
  const unconfined = filter.confined ? [] : [diagnostic('NOT_CONFINED')];
  return toJson({
    bytes: encodeBase64(bytes),
    /** How many. */
    instructions: filter.instructions.length,
    convertedLength: filter.convertedLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    confined: filter.confined,
    endian: filter.endian,
    arches: filter.arches,
    target,
    /** null: the profile has none, and runtimes take SECCOMP_FILTER_FLAG_SPEC_ALLOW. */
    flags: filter.flags ?? null,
    listenerPath: filter.listenerPath ?? null,
    proved: filter.proved,
    cache: { tier, key },
    diagnostics: [...warnings, ...unconfined, ...filter.diagnostics].map(diagnosticJson),
  });
}
