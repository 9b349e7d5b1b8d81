import type { Diagnostic } from '../errors.ts';
import type { Position } from './types.ts';

/** Undefined for bytes that are not UTF-8. A byte order mark stays in the text. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Gives the position of each offset of a text. A line ends with LF or CRLF. */
export function positionsIn(source: string): (offset: number) => Position {
  // Offset of the first unit of each line; made when the first position is asked for.
  let starts: number[] | undefined;
  return (offset) => {
    starts ??= lineStarts(source);
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  };
}

function lineStarts(source: string): number[] {
  const starts = [0];
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Diagnostics in the order of the text; those without a place come last. */
export function byPlace(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const lineOf = ({ line = Number.MAX_SAFE_INTEGER }: Diagnostic) => line;
  return diagnostics.toSorted((a, b) => lineOf(a) - lineOf(b) || (a.column ?? 0) - (b.column ?? 0));
}

const LONGEST_QUOTE = 60;

/** Text of the user for a message: in double quotes, cut if long, without control characters. */
export function quote(text: string): string {
  const cut = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
  return JSON.stringify(cut).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
