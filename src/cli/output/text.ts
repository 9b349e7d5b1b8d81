/**
 * Text for terminals and line-based tools. File names, labels and names in profiles are untrusted:
 * a line break in one must not start a line, a tab must not start a cell, and escape sequences and
 * bidirectional marks must have no effect.
 */

/** Characters that are never shown: C0, DEL, C1, Unicode's direction marks and line separators. */
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** The same without C0, which JSON itself escapes, and of which its layout consists. */
const HIDDEN_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A name, with `\uXXXX` in place of each such character. */
export function printable(text: string): string {
  return text.replaceAll(HIDDEN, escape);
}

/** One line for each row, with a tab between two cells. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((cells) => `${cells.map((cell) => printable(String(cell))).join('\t')}\n`).join('');
}

/** One document, indented for people; ends with a newline. */
export function toJson(document: unknown): string {
  return printableJson(`${JSON.stringify(document, null, 2)}\n`);
}

/** The same document without characters that control a terminal, except its layout. */
export function printableJson(json: string): string {
  return json.replaceAll(HIDDEN_IN_JSON, escape);
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
