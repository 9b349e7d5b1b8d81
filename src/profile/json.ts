import { createScanner } from './scanner.ts';
import { diagnostic } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import { byPlace, positionsIn, quote } from './json-text.ts';
import type { Position } from './types.ts';

/**
 * Strict JSON (RFC 8259) as a tree with what `JSON.parse` loses: positions, the text of numbers,
 * and duplicate keys. Comments and trailing commas are reported and skipped, so that one run finds
 * all of them. Strings that runtimes read differently are errors too (docs/semantics.md 1.9 and
 * 1.11).
 */

/** Where a value is: from `offset` up to `end`, in UTF-16 units from the start of the text. */
interface Extent {
  offset: number;
  end: number;
}

export type JsonNode =
  | JsonObject
  | (Extent & { kind: 'array'; items: JsonNode[] })
  | (Extent & { kind: 'string'; value: string })
  /** `text` as written: numbers above 2^53 would not survive a conversion. */
  | (Extent & { kind: 'number'; text: string })
  | (Extent & { kind: 'boolean'; value: boolean })
  | (Extent & { kind: 'null' });

export interface JsonObject extends Extent {
  kind: 'object';
  /** In the order of the document; of a duplicate key, the first. */
  members: JsonMember[];
}

export interface JsonMember {
  key: string;
  keyOffset: number;
  value: JsonNode;
}

export interface JsonDocument {
  /** Undefined if a fault left no tree. */
  root: JsonNode | undefined;
  /** Faults of the syntax, with line and column, in the order of the text. */
  diagnostics: Diagnostic[];
  readonly positionAt: (offset: number) => Position;
}

/** A config.json needs about 10 levels; the limit keeps hostile input from exhausting the stack. */
export const MAX_DEPTH = 100;
/** In UTF-16 units. A profile that names every system call with its arguments has about 100 KiB. */
export const MAX_LENGTH = 4 * 1024 * 1024;
/** More bytes are a longer text in any case: UTF-8 has at most three for a unit. */
export const MAX_BYTES = 3 * MAX_LENGTH;

/** After so many faults the text is not JSON, and more of them do not help. */
const MAX_FAULTS = 100;

// The scanner declares its tokens and faults as `const enum`s, which do not exist at run time.
const TOKEN = {
  openBrace: 1, closeBrace: 2, openBracket: 3, closeBracket: 4, comma: 5, colon: 6, null: 7, true: 8,
  false: 9, string: 10, number: 11, lineComment: 12, blockComment: 13, lineBreak: 14, space: 15, unknown: 16,
  end: 17,
} as const; // prettier-ignore
const STARTS: ReadonlySet<number> = new Set([
  TOKEN.openBrace, TOKEN.openBracket, TOKEN.string, TOKEN.number, TOKEN.true, TOKEN.false, TOKEN.null,
]); // prettier-ignore
const SCAN_FAULTS: Record<number, { reason: string; fatal?: true }> = {
  1: { reason: 'a comment that is not closed', fatal: true },
  2: { reason: 'a string that is not closed on its line', fatal: true },
  3: { reason: 'a number that is not finished', fatal: true },
  4: { reason: 'a \\u escape that is not followed by four hexadecimal digits' },
  5: { reason: 'an escape that JSON does not have' },
  6: { reason: 'a control character in a string, which must be escaped' },
};

/** Characters of word processors and web pages that look like those of JSON. */
const LOOKALIKES: Record<string, string> = {
  '\u00a0': 'U+00A0 (a no-break space)',
  '\u202f': 'U+202F (a narrow no-break space)',
  '\u2003': 'U+2003 (an em space)',
  '\u200b': 'U+200B (a zero width space)',
  '\u2028': 'U+2028 (a line separator)',
  '\u3000': 'U+3000 (an ideographic space)',
  '\ufeff': 'U+FEFF (a byte order mark)',
  '\u201c': 'U+201C (a curly quote)',
  '\u201d': 'U+201D (a curly quote)',
  '\u2018': 'U+2018 (a curly quote)',
  '\u2019': 'U+2019 (a curly quote)',
};

/** With the flag `u` a pair is one character, so this finds only halves. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Ends the parse after a reported fault without a sensible way to go on. */
class Stop extends Error {}

/** Reads one JSON document. Never throws; a byte order mark must have been taken off. */
export function parseJson(source: string): JsonDocument {
  const parser = new Parser(source);
  let root: JsonNode | undefined;
  try {
    root = parser.document();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  const diagnostics = byPlace(parser.diagnostics);
  return { root, diagnostics, positionAt: parser.positionAt };
}

/** The members of an object; none of any other value. */
export function membersOf(node: JsonNode | undefined): readonly JsonMember[] {
  return node?.kind === 'object' ? node.members : [];
}

/** The value of a key; undefined also if the node is not an object. */
export function valueOf(node: JsonNode | undefined, key: string): JsonNode | undefined {
  return membersOf(node).find((member) => member.key === key)?.value;
}

/** The elements of an array; none of any other value. */
export function itemsOf(node: JsonNode | undefined): readonly JsonNode[] {
  return node?.kind === 'array' ? node.items : [];
}

class Parser {
  readonly diagnostics: Diagnostic[] = [];
  readonly positionAt: (offset: number) => Position;
  private readonly source: string;
  private readonly scanner: ReturnType<typeof createScanner>;
  /** The token to be read next, without spaces and comments. */
  private token: number = TOKEN.end;
  /** Where the token before it ends. */
  private end = 0;
  private depth = 0;

  constructor(source: string) {
    this.source = source;
    this.positionAt = positionsIn(source);
    this.scanner = createScanner(source, false);
  }

  document(): JsonNode {
    if (this.source.length > MAX_LENGTH) this.stop('JSON_TOO_LARGE', 0, { limit: MAX_LENGTH });
    this.next();
    const root = this.value();
    if (!this.is(TOKEN.end)) this.stop('JSON_AFTER_END', this.offset(), { found: this.found() });
    return root;
  }

  private value(): JsonNode {
    const offset = this.offset();
    const token = this.token;
    switch (token) {
      case TOKEN.openBrace: {
        const members = this.nested(() => this.members());
        return { kind: 'object', offset, end: this.end, members };
      }
      case TOKEN.openBracket: {
        const items = this.nested(() => this.items());
        return { kind: 'array', offset, end: this.end, items };
      }
      case TOKEN.string: {
        const value = this.string();
        return { kind: 'string', offset, end: this.end, value };
      }
      case TOKEN.number:
        this.next();
        return { kind: 'number', offset, end: this.end, text: this.source.slice(offset, this.end) };
      case TOKEN.true:
      case TOKEN.false:
        this.next();
        return { kind: 'boolean', offset, end: this.end, value: token === TOKEN.true };
      case TOKEN.null:
        this.next();
        return { kind: 'null', offset, end: this.end };
      default:
        return this.expected('a value');
    }
  }

  /** Reads a string. Reports what is valid JSON but not the same string to all runtimes. */
  private string(): string {
    const value = this.scanner.getTokenValue();
    if (value.includes('\0')) this.report('JSON_NUL', this.offset(), { value: quote(value) });
    else if (LONE_SURROGATE.test(value))
      this.report('JSON_SURROGATE', this.offset(), { value: quote(value) });
    this.next();
    return value;
  }

  private nested<T>(read: () => T): T {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) this.stop('JSON_TOO_DEEP', this.offset(), { limit: MAX_DEPTH });
    this.next();
    const result = read();
    this.depth -= 1;
    return result;
  }

  private members(): JsonMember[] {
    const members: JsonMember[] = [];
    const keys = new Set<string>();
    this.list(TOKEN.closeBrace, '"}"', () => {
      const keyOffset = this.offset();
      if (!this.is(TOKEN.string)) this.expected('a key in double quotes');
      const key = this.string();
      if (!this.is(TOKEN.colon)) this.expected('":" after the key');
      this.next();
      const value = this.value();
      if (keys.has(key)) this.report('JSON_DUPLICATE_KEY', keyOffset, { key: quote(key) });
      else members.push({ key, keyOffset, value });
      keys.add(key);
    });
    return members;
  }

  private items(): JsonNode[] {
    const items: JsonNode[] = [];
    this.list(TOKEN.closeBracket, '"]"', () => items.push(this.value()));
    return items;
  }

  /** Comma-separated elements up to and with the closing token. */
  private list(close: number, closeText: string, element: () => void): void {
    while (!this.is(close)) {
      element();
      if (this.is(close)) break;
      const separator = this.offset();
      if (!this.is(TOKEN.comma)) {
        // Before another value a comma is probably missing, which is no reason to stop.
        const reason = `expected "," or ${closeText}, found ${this.found()}`;
        if (!STARTS.has(this.token)) this.stop('JSON_SYNTAX', separator, { reason });
        this.report('JSON_SYNTAX', separator, { reason });
        continue;
      }
      this.next();
      if (this.is(close)) this.report('JSON_TRAILING_COMMA', separator);
    }
    this.next();
  }

  /** Goes to the next token; reports comments, and what the scanner finds wrong within a token. */
  private next(): void {
    this.end = this.offset() + this.scanner.getTokenLength();
    for (;;) {
      this.token = this.scanner.scan();
      // Half of the tokens of an indented file.
      if (this.token === TOKEN.space || this.token === TOKEN.lineBreak) continue;
      const offset = this.offset();
      const fault = SCAN_FAULTS[this.scanner.getTokenError()];
      if (fault?.fatal) this.stop('JSON_SYNTAX', offset, { reason: fault.reason });
      // A raw NUL in a string gets a message of its own.
      if (fault && !this.scanner.getTokenValue().includes('\0'))
        this.report('JSON_SYNTAX', offset, { reason: fault.reason });
      if (this.is(TOKEN.lineComment) || this.is(TOKEN.blockComment)) this.report('JSON_COMMENT', offset);
      else if (this.is(TOKEN.unknown) && this.source[offset] === '#') {
        this.report('JSON_COMMENT', offset);
        const end = this.source.indexOf('\n', offset);
        this.scanner.setPosition(end < 0 ? this.source.length : end);
      } else return;
    }
  }

  private is(token: number): boolean {
    return this.token === token;
  }

  private offset(): number {
    return this.scanner.getTokenOffset();
  }

  private found(): string {
    if (this.is(TOKEN.end)) return 'the end of the file';
    const text = this.source.slice(this.offset(), this.offset() + this.scanner.getTokenLength());
    return LOOKALIKES[text[0]!] ?? quote(text);
  }

  private expected(what: string): never {
    const at = this.source[this.offset()] ?? '';
    const lookalike = at in LOOKALIKES ? 'type an ordinary space or double quote in its place' : undefined;
    const hint = at === "'" ? 'JSON has double quotes only' : lookalike;
    return this.stop(
      'JSON_SYNTAX',
      this.offset(),
      { reason: `expected ${what}, found ${this.found()}` },
      hint,
    );
  }

  private report(
    code: Code,
    offset: number,
    values: Record<string, string | number> = {},
    hint?: string,
  ): void {
    this.diagnostics.push({ ...diagnostic(code, values, { hint }), ...this.positionAt(offset) });
    if (this.diagnostics.length >= MAX_FAULTS) throw new Stop(code);
  }

  private stop(code: Code, offset: number, values: Record<string, string | number>, hint?: string): never {
    this.report(code, offset, values, hint);
    throw new Stop(code);
  }
}
