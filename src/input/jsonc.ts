import { createScanner } from '../profile/scanner.ts';

// The scanner declares its tokens as a `const enum`, which does not exist at run time.
const CLOSE = new Set([2, 4]);
const COMMA = 5;
const COMMENTS = new Set([12, 13]);
const BLANKS = new Set([14, 15]);
const END = 17;

/** The same text with blanks for comments and trailing commas, so that every position stays. */
export function blankComments(text: string): string {
  const scanner = createScanner(text, false);
  const parts: string[] = [];
  let comma = -1;
  for (let token: number = scanner.scan(); token !== END; token = scanner.scan()) {
    const value = text.slice(scanner.getTokenOffset(), scanner.getTokenOffset() + scanner.getTokenLength());
    if (CLOSE.has(token) && comma >= 0) parts[comma] = ' ';
    // An open comment stays, and is a fault.
    const error: number = scanner.getTokenError();
    const isComment = COMMENTS.has(token) && error === 0;
    parts.push(isComment ? value.replaceAll(/[^\r\n]/g, ' ') : value);
    if (token === COMMA) comma = parts.length - 1;
    else if (!isComment && !BLANKS.has(token)) comma = -1;
  }
  return parts.join('');
}
