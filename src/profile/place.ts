import { foldKey, tokensOf } from './pointer.ts';

/**
 * Where the value that a pointer names begins in a text, or else its nearest existing ancestor: what `find` says of
 * the exact reader's tree, without a tree. The text must be JSON in which no key stands twice.
 */
export function offsetOf(source: string, pointer: string): number {
  let offset = startOfValue(source, 0);
  for (const token of tokensOf(pointer)) {
    const inner = source[offset] === '{' ? ofMember(source, offset, token) : ofItem(source, offset, token);
    if (inner === undefined) break;
    offset = inner;
  }
  return offset;
}

/** A string; an array or object with no other in it; a bracket; or a number or a word. */
const PIECE = (() => {
  const string = String.raw`"[^"\\]*(?:\\.[^"\\]*)*"`;
  const flat = String.raw`[^[\]{}"]*(?:${string}[^[\]{}"]*)*`;
  return new RegExp(String.raw`${string}|\[${flat}\]|\{${flat}\}|[[\]{}]|[^\s,:"[\]{}]+`, 'g');
})();
const BLANKS = /[ \t\r\n]*/y;

/** The offset behind the value that begins at an offset. */
function endOfValue(source: string, offset: number): number {
  let depth = 0;
  PIECE.lastIndex = offset;
  do {
    const piece = PIECE.exec(source)![0];
    if (piece === '[' || piece === '{') depth += 1;
    else if (piece === ']' || piece === '}') depth -= 1;
  } while (depth > 0);
  return PIECE.lastIndex;
}

function startOfValue(source: string, offset: number): number {
  BLANKS.lastIndex = offset;
  BLANKS.exec(source);
  return BLANKS.lastIndex;
}

function ofItem(source: string, array: number, token: string): number | undefined {
  if (source[array] !== '[' || !/^(0|[1-9]\d*)$/.test(token)) return undefined;
  let offset = startOfValue(source, array + 1);
  if (source[offset] === ']') return undefined;
  for (let index = 0; index < Number(token); index++) {
    const comma = startOfValue(source, endOfValue(source, offset));
    if (source[comma] !== ',') return undefined;
    offset = startOfValue(source, comma + 1);
  }
  return offset;
}

/** A key in another case is taken where there is none in the right one. */
function ofMember(source: string, object: number, token: string): number | undefined {
  let folded: number | undefined;
  let offset = startOfValue(source, object + 1);
  while (source[offset] === '"') {
    const end = endOfValue(source, offset);
    const key: unknown = JSON.parse(source.slice(offset, end));
    const value = startOfValue(source, startOfValue(source, end) + 1);
    if (key === token) return value;
    if (folded === undefined && foldKey(String(key)) === foldKey(token)) folded = value;
    offset = startOfValue(source, startOfValue(source, endOfValue(source, value)) + 1);
  }
  return folded;
}
