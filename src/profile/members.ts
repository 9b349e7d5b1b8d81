import { diagnostic } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import type { JsonDocument, JsonMember, JsonNode } from './json.ts';
import { quote } from './json-text.ts';
import { Suggestions } from './nearest.ts';
import { escapeToken, foldKey } from './pointer.ts';

/** Which members a schema gives an object, or its elements, all the way down; null for a plain value. */
export type Members = { members: Record<string, Members | null> } | { items: Members | null };

export interface KeyRules {
  /** What the form at hand has. */
  known: Members;
  /**
   * `engine`: keys match without case, as in Go. `runtime`: exactly, as in crun, and what only the engines
   * read is named.
   */
  reader: 'engine' | 'runtime';
  /** What the Docker dialect has; for `runtime`. */
  dialect?: Members;
}

/**
 * The document without the members that nobody reads, and with the others under their proper names. Every key
 * that is left out or renamed is reported once for each kind of object, except comments.
 */
export function knownMembers(
  root: JsonNode,
  rules: KeyRules,
  at: { document: JsonDocument; pointer: string },
): { node: JsonNode; diagnostics: Diagnostic[] } {
  const walk = new Walk(rules.reader);
  const node = walk.node(root, rules.known, rules.dialect ?? null, at.pointer, '');
  return { node, diagnostics: walk.diagnostics(at.document) };
}

interface Finding {
  code: Code;
  values: Record<string, string>;
  hint: string | undefined;
  pointer: string;
  offset: number;
  count: number;
}

class Walk {
  private readonly reader: KeyRules['reader'];
  private readonly findings = new Map<string, Finding>();
  private readonly suggestions = new Suggestions();

  constructor(reader: KeyRules['reader']) {
    this.reader = reader;
  }

  node(
    node: JsonNode,
    known: Members | null,
    dialect: Members | null,
    pointer: string,
    level: string,
  ): JsonNode {
    if (node.kind === 'array' && known && 'items' in known) {
      const other = dialect && 'items' in dialect ? dialect.items : null;
      const items = node.items.map((item, index) =>
        this.node(item, known.items, other, `${pointer}/${index}`, `${level}/-`),
      );
      return { ...node, items };
    }
    if (node.kind !== 'object' || !known || !('members' in known)) return node;
    const other = dialect && 'members' in dialect ? dialect.members : {};
    const members: JsonMember[] = [];
    const seen = new Set<string>();
    for (const member of node.members) {
      const where = { pointer: `${pointer}/${escapeToken(member.key)}`, offset: member.keyOffset, level };
      const key = this.properKey(member, Object.keys(known.members), Object.keys(other), where);
      if (key === undefined) continue;
      if (seen.has(key)) this.add('JSON_DUPLICATE_KEY', { key: quote(member.key) }, where);
      else {
        const value = this.node(
          member.value,
          known.members[key] ?? null,
          other[key] ?? null,
          where.pointer,
          `${level}/${key}`,
        );
        members.push({ ...member, key, value });
      }
      seen.add(key);
    }
    return { ...node, members };
  }

  /** The name under which a reader knows the member; undefined, and a report, when it knows none. */
  private properKey(
    { key, value }: JsonMember,
    known: readonly string[],
    dialect: readonly string[],
    where: Where,
  ): string | undefined {
    if (known.includes(key)) return key;
    const shown = quote(key);
    const proper = known.find((name) => foldKey(name) === foldKey(key));
    if (proper !== undefined && this.reader === 'engine') {
      this.add('KEY_CASE', { key: shown, proper }, where);
      return proper;
    }
    if (isComment(key)) return undefined;
    const engine = dialect.find((name) => foldKey(name) === foldKey(key));
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
    // A warning stands for all of its kind; of an error every place counts.
    const id = `${code} ${code === 'JSON_DUPLICATE_KEY' ? pointer : level} ${values['key']}`;
    const before = this.findings.get(id);
    if (before) before.count += 1;
    else this.findings.set(id, { code, values, hint: hint?.(), pointer, offset, count: 1 });
  }

  diagnostics(document: JsonDocument): Diagnostic[] {
    return [...this.findings.values()].map(({ code, values, hint, pointer, offset, count }) => ({
      ...diagnostic(
        code,
        { ...values, more: more(count) },
        { pointer, ...(hint === undefined ? {} : { hint }) },
      ),
      ...document.positionAt(offset),
    }));
  }
}

interface Where {
  pointer: string;
  offset: number;
  level: string;
}

/** For a message that stands for several places. */
export function more(count: number): string {
  if (count < 2) return '';
  return count === 2 ? ' (and once more)' : ` (and ${count - 1} more times)`;
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

/** Whether somebody who wrote this will believe that it allows or refuses calls. */
function holdsRules(key: string, node: JsonNode): boolean {
  if (isEmpty(node) || (node.kind !== 'array' && node.kind !== 'object')) return false;
  if (/sys_?call|rule|den(y|ied)|allow|block|forbid|white_?list|black_?list/i.test(key)) return true;
  const keys =
    node.kind === 'object' ? [] : node.items.flatMap((item) => (item.kind === 'object' ? item.members : []));
  return keys.some((member) => ['names', 'name', 'action', 'syscalls'].includes(foldKey(member.key)));
}
