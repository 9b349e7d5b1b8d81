import type { Code, Diagnostic } from '../errors.ts';
import { CountedFindings } from './counted.ts';
import { itemsOf, membersOf } from './json.ts';
import type { JsonDocument, JsonMember, JsonNode } from './json.ts';
import { quote } from './json-text.ts';
import { Suggestions } from './nearest.ts';
import { escapeToken, foldKey } from './pointer.ts';

/** The members of an object or of its elements, at all levels; null for a plain value. */
export type Members = { members: Fields } | { items: Members | null };
type Fields = Record<string, Members | null>;

export interface KeyRules {
  known: Members;
  /**
   * `crun`: keys match exactly. `runc` and `engine`: keys match without case, as in Go. Two keys
   * for one member are merged as runc merges them, and are an error to an engine.
   */
  reader: 'engine' | 'crun' | 'runc';
  /** What the Docker dialect has, so that what only the engines read is named; not for `engine`. */
  dialect?: Members;
}

/** A value, and its pointer in the user's document. */
export interface Located {
  node: JsonNode;
  pointer: string;
}

/**
 * The document without the members that the reader ignores, and with proper names. Every key that
 * is left out or renamed is reported once for each kind of object, except comments.
 *
 * @param values What the reader puts into one variable, in order; more than one only for `runc`.
 */
export function knownMembers(
  values: readonly Located[],
  rules: KeyRules,
  document: JsonDocument,
): { node: JsonNode; diagnostics: Diagnostic[] } {
  const walk = new Walk(rules.reader, document);
  const node = walk.read(values, { known: rules.known, dialect: rules.dialect ?? null, level: '' });
  return { node, diagnostics: walk.findings.diagnostics() };
}

/**
 * The values that runc or crun reads into a member of an object that `objects` make up, in order.
 */
export function valuesOf(
  objects: readonly Located[],
  name: string,
  reader: 'crun' | 'runc',
): readonly Located[] {
  const isIt = reader === 'crun' ? (key: string) => key === name : (key: string) => foldKey(key) === name;
  return sinceNull(objects).flatMap(({ node, pointer }) =>
    membersOf(node).flatMap(({ key, value }) =>
      isIt(key) ? [{ node: value, pointer: `${pointer}/${escapeToken(key)}` }] : [],
    ),
  );
}

/** Keys of an object, at any level, that runc reads as a known member and crun does not know. */
export function otherCaseKeys(
  node: JsonNode,
  known: Members | null,
): { member: JsonMember; proper: string }[] {
  if (known === null) return [];
  if ('items' in known) return itemsOf(node).flatMap((item) => otherCaseKeys(item, known.items));
  const names = Object.keys(known.members);
  return membersOf(node).flatMap((member) => {
    const proper = properName(member.key, names);
    if (proper === undefined) return [];
    const inner = otherCaseKeys(member.value, known.members[proper] ?? null);
    return proper === member.key ? inner : [{ member, proper }, ...inner];
  });
}

/** The known name for a key, to a reader that ignores case. */
function properName(key: string, names: readonly string[]): string | undefined {
  return names.includes(key) ? key : names.find((name) => foldKey(name) === foldKey(key));
}

/** A null empties a pointer, a slice or a map of Go, so what was read into it before is lost. */
function sinceNull(values: readonly Located[]): readonly Located[] {
  return values.slice(values.findLastIndex(({ node }) => node.kind === 'null') + 1);
}

/**
 * Numbers that runc holds by pointer, which null clears. Null changes no other number or string.
 */
const POINTERS = /\/(defaultErrnoRet|errnoRet)$/;

/** The known members of a value, and its kind of place: a pointer without positions. */
interface Kind {
  known: Members | null;
  dialect: Members | null;
  level: string;
}

class Walk {
  readonly findings = new CountedFindings();
  private readonly reader: KeyRules['reader'];
  private readonly document: JsonDocument;
  private readonly suggestions = new Suggestions();

  constructor(reader: KeyRules['reader'], document: JsonDocument) {
    this.reader = reader;
    this.document = document;
  }

  /**
   * What a variable holds after these values were read into it in order. Go reads an object into
   * the one that is there, and an element of an array into the element that is there
   * (docs/semantics.md 1.8).
   */
  read(values: readonly Located[], { known, dialect, level }: Kind): JsonNode {
    const last = values.at(-1)!.node;
    if (known === null)
      return POINTERS.test(level)
        ? last
        : (values.findLast(({ node }) => node.kind !== 'null')?.node ?? last);
    const kind = 'items' in known ? 'array' : 'object';
    // Go refuses any value of another kind, also one that a later value replaces.
    const wrong = values.find(({ node }) => node.kind !== kind && node.kind !== 'null');
    // Elements are no pointers, so there a null changes nothing.
    const kept = level.endsWith('/-') ? values.filter(({ node }) => node.kind !== 'null') : sinceNull(values);
    if (wrong !== undefined || kept.length === 0) return wrong?.node ?? last;
    if ('items' in known) {
      const inner = dialect && 'items' in dialect ? dialect.items : null;
      return this.array(kept, last, { known: known.items, dialect: inner, level: `${level}/-` });
    }
    const inner = dialect && 'members' in dialect ? dialect.members : {};
    return this.object(kept, last, { known: known.members, dialect: inner, level });
  }

  private array(values: readonly Located[], { offset, end }: JsonNode, element: Kind): JsonNode {
    let elements: Located[][] = [];
    let length = 0;
    for (const { node, pointer } of values) {
      const items = itemsOf(node);
      // Go makes a new array only for an empty one. After a shorter one the old rest may come back.
      if (items.length === 0) elements = [];
      items.forEach((item, index) =>
        (elements[index] ??= []).push({ node: item, pointer: `${pointer}/${index}` }),
      );
      ({ length } = items);
    }
    const items = elements.slice(0, length).map((one) => this.read(one, element));
    return { kind: 'array', offset, end, items };
  }

  private object(
    values: readonly Located[],
    { offset, end }: JsonNode,
    { known, dialect, level }: { known: Fields; dialect: Fields; level: string },
  ): JsonNode {
    const [names, dialectNames] = [Object.keys(known), Object.keys(dialect)];
    const fields = new Map<string, { first: JsonMember; values: Located[] }>();
    for (const { node, pointer } of values)
      for (const member of membersOf(node)) {
        const where = { pointer: `${pointer}/${escapeToken(member.key)}`, offset: member.keyOffset, level };
        const key = this.properKey(member, names, dialectNames, where);
        if (key === undefined) continue;
        const field = fields.get(key);
        const value = { node: member.value, pointer: where.pointer };
        if (field === undefined) fields.set(key, { first: member, values: [value] });
        else if (this.reader === 'runc') field.values.push(value);
        else this.add('JSON_DUPLICATE_KEY', { key: quote(member.key) }, where);
      }
    const members = [...fields].map(([key, { first, values: all }]) => ({
      key,
      keyOffset: first.keyOffset,
      value: this.read(all, {
        known: known[key] ?? null,
        dialect: dialect[key] ?? null,
        level: `${level}/${key}`,
      }),
    }));
    return { kind: 'object', offset, end, members };
  }

  /** The name of the member for the reader; undefined after a report if it has none. */
  private properKey(
    { key, value }: JsonMember,
    known: readonly string[],
    dialect: readonly string[],
    where: Where,
  ): string | undefined {
    const proper = properName(key, known);
    if (proper === key) return key;
    const shown = quote(key);
    if (proper !== undefined && this.reader !== 'crun') {
      this.add(this.reader === 'runc' ? 'KEY_CASE_RUNC' : 'KEY_CASE', { key: shown, proper }, where);
      return proper;
    }
    if (isComment(key)) return undefined;
    const engine = properName(key, dialect);
    if (proper !== undefined) this.add('KEY_CASE_IGNORED', { key: shown, proper }, where);
    else if (engine !== undefined) {
      if (!isEmpty(value))
        this.add('ENGINE_KEY_IGNORED', { key: shown, effect: EFFECTS[engine] ?? '' }, where);
    } else {
      const code = holdsRules(key, value) ? 'RULES_IGNORED' : 'UNKNOWN_KEY';
      this.add(code, { key: shown }, where, () => this.suggestions.didYouMean(key, known));
    }
    return undefined;
  }

  private add(
    code: Code,
    values: Record<string, string>,
    { pointer, offset, level }: Where,
    hint?: () => string | undefined,
  ): void {
    // One warning is for all of its kind; every error is reported.
    const kind = `${code} ${code === 'JSON_DUPLICATE_KEY' ? pointer : level} ${values['key']}`;
    this.findings.add(kind, code, values, () => ({
      pointer,
      hint: hint?.(),
      ...this.document.positionAt(offset),
    }));
  }
}

interface Where {
  pointer: string;
  offset: number;
  level: string;
}

/** What it means for a container that an OCI runtime does not read a member of the dialect. */
const EFFECTS: Record<string, string> = {
  includes: 'the entry always applies',
  excludes: 'the entry always applies',
  archMap: 'its architectures are not in the filter',
  name: 'the entry has no names',
  errno: 'errnoRet decides, or EPERM',
  defaultErrno: 'defaultErrnoRet decides, or EPERM',
};

function isComment(key: string): boolean {
  return /^([_$#]|\/\/)/.test(key) || /^(comments?|description|notes?|title)$/i.test(key);
}

function isEmpty(node: JsonNode): boolean {
  if (node.kind === 'object') return node.members.every(({ value }) => isEmpty(value));
  if (node.kind === 'array') return node.items.length === 0;
  return node.kind === 'null' || (node.kind === 'string' && node.value === '');
}

/** Whether this looks as if it allowed or refused calls. */
function holdsRules(key: string, node: JsonNode): boolean {
  if (isEmpty(node) || (node.kind !== 'array' && node.kind !== 'object')) return false;
  if (/sys_?call|rule|den(y|ied)|allow|block|forbid|white_?list|black_?list/i.test(key)) return true;
  return itemsOf(node)
    .flatMap(membersOf)
    .some((member) => ['names', 'name', 'action', 'syscalls'].includes(foldKey(member.key)));
}
