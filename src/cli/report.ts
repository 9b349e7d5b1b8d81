import type { Command } from 'commander';
import { diagnosticJson } from '../errors.ts';
import type { Diagnostic, Severity } from '../errors.ts';
import { optionsIn } from '../options/table.ts';
import { addOptions } from './options.ts';
import { isTerminal, writeStandard } from './output.ts';
import { printable, table, toJson } from './text.ts';

export { diagnosticJson, printable, table, toJson };

/** How a command speaks besides its product. */
export interface Voice {
  /** -q: no warnings, notes or summaries; what makes the command fail is still said. */
  quiet?: boolean;
  /** --json: diagnostics are members of the product instead of words. */
  json?: boolean;
}

/** `-q` and `--json`, which every command has. */
export function addVoiceOptions<C extends Command>(command: C): C {
  return addOptions(command, optionsIn('messages'));
}

/** Warnings and notes of a command that goes on. */
export async function printWarnings(diagnostics: readonly Diagnostic[], voice: Voice): Promise<void> {
  if (voice.quiet || voice.json || diagnostics.length === 0) return;
  await say(diagnostics.map((found) => formatDiagnostic(found, usesColour())).join(''));
}

/** What ended a command: as text on stderr, or as the one JSON document on stdout. */
export async function printFailure(diagnostics: readonly Diagnostic[], json: boolean): Promise<void> {
  if (json) await writeStandard(1, toJson({ diagnostics: diagnostics.map(diagnosticJson) }));
  else await say(diagnostics.map((found) => formatDiagnostic(found, usesColour())).join(''));
}

/** Writes a message to standard error. */
export async function say(text: string): Promise<void> {
  // A message that cannot be written is no reason to fail.
  await writeStandard(2, text).catch(() => {});
}

/** `file:line:column: severity: message [CODE]`, then the hint on an indented line. */
export function formatDiagnostic(found: Diagnostic, colour: boolean): string {
  const { file, line, column, severity, message, code, hint } = found;
  const place = [file ?? 'seccompc', ...(line === undefined ? [] : [line, column ?? 1])].join(':');
  const word = colour ? `\u001b[${COLOURS[severity]}m${severity}\u001b[39m` : severity;
  const text = `${printable(place)}: ${word}: ${printable(message)} [${code}]\n`;
  return hint === undefined ? text : `${text}    ${printable(hint)}\n`;
}

/** Red, yellow, cyan: SGR numbers (ECMA-48 8.3.117); node:util, which knows them too, would have to be loaded. */
const COLOURS = { error: 31, warning: 33, note: 36 } as const satisfies Record<Severity, number>;

function usesColour(): boolean {
  // no-color.org: any value that is not empty.
  return isTerminal(2) && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}
