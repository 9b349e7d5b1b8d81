import { diagnosticJson } from '../../errors.ts';
import type { Diagnostic, Severity } from '../../errors.ts';
import { excerpt } from './excerpt.ts';
import { isTerminal, writeStandard } from './streams.ts';
import { printable, table, toJson } from './text.ts';

export { diagnosticJson, printable, table, toJson };

/** What a command prints besides its product. */
export interface OutputOptions {
  /** -q: no warnings, notes or summaries; errors are still printed. */
  quiet?: boolean;
  /** --json: diagnostics are members of the product instead of words. */
  json?: boolean;
}

/** How diagnostics are shown: on a terminal with colours, and with the line of the profile. */
export interface Style {
  colour: boolean;
  excerpts: boolean;
}

export const PLAIN: Style = { colour: false, excerpts: false };

/**
 * Diagnostics on standard error. Not with --json, where they are part of the product; with -q only
 * errors.
 */
export async function printDiagnostics(
  diagnostics: readonly Diagnostic[],
  { quiet, json }: OutputOptions,
): Promise<void> {
  const shown = diagnostics.filter(({ severity }) => !quiet || severity === 'error');
  if (json || shown.length === 0) return;
  await writeStderr(formatDiagnostics(shown, styleFor(2)));
}

/**
 * The reasons why a command failed: on standard error, or as the JSON document on standard output.
 */
export async function printFailure(diagnostics: readonly Diagnostic[], output: OutputOptions): Promise<void> {
  if (output.json) await writeStandard(1, toJson({ diagnostics: diagnostics.map(diagnosticJson) }));
  else await printDiagnostics(diagnostics, output);
}

/** Writes a message to standard error. */
export async function writeStderr(text: string): Promise<void> {
  // A message that cannot be written is no reason to fail.
  await writeStandard(2, text).catch(() => {});
}

/** Places of equal messages that are named; the others are counted. */
const MOST_PLACES = 3;

/** Every message once, with the places where it applies too. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], style: Style): string {
  const equal = new Map<string, Diagnostic[]>();
  for (const found of diagnostics) {
    const { file, severity, code, message, line } = found;
    const key = JSON.stringify([file, severity, code, message, line === undefined]);
    equal.set(key, [...(equal.get(key) ?? []), found]);
  }
  return [...equal.values()]
    .map(([first, ...others]) =>
      formatDiagnostic({ ...first!, message: `${first!.message}${alsoAt(others)}` }, style),
    )
    .join('');
}

function alsoAt(others: readonly Diagnostic[]): string {
  const places = others.flatMap(({ line, column }) => (line === undefined ? [] : [`${line}:${column}`]));
  if (places.length === 0) return '';
  const more = places.length > MOST_PLACES ? ` and ${places.length - MOST_PLACES} more places` : '';
  return `; also at ${places.slice(0, MOST_PLACES).join(', ')}${more}`;
}

/**
 * `file:line:column: severity: message [CODE]`, the line itself on a terminal, then the hint on an
 * indented line.
 */
export function formatDiagnostic(found: Diagnostic, { colour, excerpts }: Style): string {
  const { file, line, column, severity, message, code, hint } = found;
  const place = [
    file === '-' ? '<stdin>' : (file ?? 'seccompc'),
    ...(line === undefined ? [] : [line, column ?? 1]),
  ].join(':');
  const word = colour ? `\u001b[${COLOURS[severity]}m${severity}\u001b[39m` : severity;
  const text = `${printable(place)}: ${word}: ${printable(message)} [${code}]\n${excerpts ? excerpt(found) : ''}`;
  return hint === undefined ? text : `${text}    ${printable(hint)}\n`;
}

/**
 * Red, yellow, cyan: SGR numbers (ECMA-48 8.3.117); node:util, which knows them too, would have to
 * be loaded.
 */
const COLOURS = { error: 31, warning: 33, note: 36 } as const satisfies Record<Severity, number>;

/** For standard output (1) or standard error (2). */
export function styleFor(fd: 1 | 2): Style {
  const excerpts = isTerminal(fd);
  // no-color.org: any value that is not empty.
  return { excerpts, colour: excerpts && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb' };
}
