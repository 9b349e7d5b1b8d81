import { appendFile } from 'node:fs/promises';
import type { Diagnostic } from '../errors.ts';
import { formatDiagnostic, say } from './report.ts';

/**
 * Tells of a hook's doings on standard error, which most callers throw away, and in a file, line by line with the time.
 * Never fails: a full disk must not decide whether a container starts.
 */
export async function logHook(
  hook: string,
  diagnostics: readonly Diagnostic[],
  file: string | undefined,
): Promise<void> {
  if (diagnostics.length === 0) return;
  const texts = diagnostics.map((found) => formatDiagnostic(found, false));
  await say(texts.join(''));
  if (file === undefined) return;
  const time = new Date().toISOString();
  const lines = texts.map((text) => `${time} ${hook}: ${text}`);
  await appendFile(file, lines.join(''), { mode: 0o600 }).catch(() => {});
}
