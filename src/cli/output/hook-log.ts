import { closeSync, constants, writeFileSync } from 'node:fs';
import type { Diagnostic } from '../../errors.ts';
import { openTrusted } from '../../fs/trust.ts';
import { formatDiagnostic, PLAIN, writeStderr } from './report.ts';

/**
 * Logs a hook's diagnostics to standard error, which most callers discard, and to a file, one line
 * each with the time. Never fails: a full disk must not decide whether a container starts.
 */
export async function logHook(
  hook: string,
  diagnostics: readonly Diagnostic[],
  file: string | undefined,
): Promise<void> {
  if (diagnostics.length === 0) return;
  await writeStderr(diagnostics.map((found) => formatDiagnostic(found, PLAIN)).join(''));
  if (file !== undefined) appendLog(hook, diagnostics, file);
}

/** Only to the file. */
export function appendLog(hook: string, diagnostics: readonly Diagnostic[], file: string): void {
  const time = new Date().toISOString();
  const lines = diagnostics.map((found) => `${time} ${hook}: ${formatDiagnostic(found, PLAIN)}`);
  try {
    // Only a file of the caller's, not through a link: a hook often runs as root.
    const fd = openTrusted(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
    writeFileSync(fd, lines.join(''));
    closeSync(fd);
  } catch {}
}
