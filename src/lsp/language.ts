/** Diagnostics, hover, completion and fixes of one document. */
import { findNodeAtLocation, getLocation, parseTree } from 'jsonc-parser';
import type { Location } from 'jsonc-parser';
import type {
  CodeAction, CompletionItem, Diagnostic as LspDiagnostic, Hover, Position, Range,
} from 'vscode-languageserver-types'; // prettier-ignore
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { lowerProfile } from '../compile.ts';
import { SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { decisionOn } from '../explain/explain.ts';
import { describeDecision } from '../explain/text.ts';
import { applyFix } from '../lint/fix.ts';
import { lint } from '../lint/lint.ts';
import { parseJson } from '../profile/json.ts';
import type { JsonNode } from '../profile/json.ts';
import { find } from '../profile/pointer.ts';
import { constantsOf, loadCallFacts } from '../syscalls/constants.ts';
import type { Target } from '../target.ts';
import { wordsOf } from './schema.ts';
import type { Schema } from './schema.ts';

export interface Language {
  target: Target;
  schemas: { docker: Schema; oci: Schema };
}

/** Requests have one of the last two. */
export interface Asked extends Language {
  document: TextDocument;
  position: Position;
  range: Range;
}

/** What every profile and configuration with a filter has; other documents are passed over. */
const PROFILE = /"(defaultAction|syscalls|seccomp)"/i;
/** Members of the Docker dialect alone. */
const DIALECT = /"(archMap|includes|excludes|comment|name)"/;
/** An editor shows no more, and a text can have 100,000 faults. */
const MOST = 1000;
/** Numbers of LSP; a note is information. */
const SEVERITIES = { error: 1, warning: 2, note: 3 } as const;

export async function findingsOf({ document, target }: Pick<Asked, 'document' | 'target'>) {
  const text = document.getText();
  if (!PROFILE.test(text)) return [];
  const { findings } = await lint(new TextEncoder().encode(text), { file: document.uri, target, all: true });
  if (findings.some(({ diagnostic: { code } }) => code === 'NOT_A_PROFILE')) return [];
  const mark = text.startsWith('\uFEFF') ? 1 : 0;
  const { root } = parseJson(text.slice(mark));
  // The reader ends lines at \n alone, and does not count a byte order mark.
  const starts = [mark, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  return findings.slice(0, MOST).map(({ diagnostic: found, fix }) => {
    const { severity, code, message, hint } = found;
    const shown: LspDiagnostic = {
      range: rangeOf(found, document, starts, root && find(root, found.pointer ?? '').node),
      severity: SEVERITIES[severity],
      code,
      source: 'seccompc',
      message: hint === undefined ? message : `${message}\n${hint}`,
    };
    return { shown, hint, fix };
  });
}

/** The value that is meant, or the key or word at the place. */
function rangeOf(
  { line = 1, column = 1 }: Diagnostic,
  document: TextDocument,
  starts: readonly number[],
  node?: JsonNode,
): Range {
  const offset = starts[line - 1]! + column - 1;
  const [mark] = starts as [number];
  if (node !== undefined && node.offset + mark === offset)
    return extent({ offset, length: node.end - node.offset }, document);
  const [word] = /^(?:"(?:[^"\\\n]|\\.)*"?|[^\s,\]}]*)/.exec(
    document.getText().slice(offset, offset + 1000),
  )!;
  return extent({ offset, length: word.length }, document);
}

/** Words that may stand at a place of the document. */
function wordsAt({ path, isAtPropertyKey }: Location, text: string, { schemas }: Language) {
  const isConfig = path[0] === 'linux';
  if (isConfig && path[1] !== 'seccomp') return [];
  const schema = isConfig || !DIALECT.test(text) ? schemas.oci : schemas.docker;
  const inside = isConfig ? path.slice(2) : path;
  return isAtPropertyKey ? wordsOf(schema, inside.slice(0, -1), 'keys') : wordsOf(schema, inside, 'values');
}

export async function completionsAt(asked: Asked): Promise<CompletionItem[]> {
  const { document, position } = asked;
  const text = document.getText();
  const location = getLocation(text, document.offsetAt(position));
  const { previousNode, isAtPropertyKey } = location;
  const range =
    previousNode === undefined ? { start: position, end: position } : extent(previousNode, document);
  const item = (label: string, newText: string, filterText: string, documentation = ''): CompletionItem => ({
    label,
    filterText,
    documentation,
    textEdit: { range, newText },
  });
  const colon = isAtPropertyKey && !/^\s*:/.test(text.slice(document.offsetAt(range.end))) ? ': ' : '';
  return [
    ...wordsAt(location, text, asked).map(({ word, text: meaning }) =>
      item(word, `"${word}"${colon}`, `"${word}"`, meaning),
    ),
    // What is typed is the name, and what stands in the profile the number.
    ...(await constantsAt(location, text, asked)).map(([name, value]) =>
      item(name, String(value), name, `0x${value.toString(16)}`),
    ),
  ];
}

/** The constants of the argument that a condition is about. */
async function constantsAt({ path }: Location, text: string, { target }: Language) {
  if (!/^value(Two)?$/.test(String(path.at(-1))) || path.at(-3) !== 'args') return [];
  await loadCallFacts();
  // The tolerant parser: the document is being typed.
  const root = parseTree(text);
  const entry = (...tokens: (string | number)[]): unknown =>
    root && findNodeAtLocation(root, [...path.slice(0, -3), ...tokens])?.value;
  const call = entry('names', 0) ?? entry('name');
  const index = entry('args', path.at(-2)!, 'index');
  if (typeof call !== 'string' || typeof index !== 'number') return [];
  return [...(constantsOf(target.arch, call, index)?.entries ?? [])];
}

export async function hoverAt(asked: Asked): Promise<Hover | null> {
  const { document, position } = asked;
  const text = document.getText();
  const location = getLocation(text, document.offsetAt(position));
  const { previousNode: node, path } = location;
  const found = wordsAt(location, text, asked).find(({ word }) => word === node?.value);
  if (node === undefined || found === undefined) return null;
  const { word, text: meaning = word } = found;
  const isCall = path.includes('names') || path.at(-1) === 'name';
  const lines = [meaning, ...(isCall ? await decisionsOn(word, text, asked) : [])];
  return { contents: { kind: 'plaintext', value: lines.join('\n') }, range: extent(node, document) };
}

/** What the profile decides for a call, by architecture; nothing for a profile with errors. */
async function decisionsOn(call: string, text: string, { target }: Language): Promise<string[]> {
  try {
    const [lowered] = await Promise.all([lowerProfile(text, { target }), loadCallFacts()]);
    if (!lowered.confined) return [];
    const arches = new Map<string, string[]>();
    for (const { name, auditArch } of lowered.arches) {
      const nr = lowered.reference.tables.of(name).numberOf(call);
      if (nr === undefined) continue;
      const decided = describeDecision(decisionOn(lowered.policy, { arch: auditArch, nr }), name, call);
      arches.set(decided, [...(arches.get(decided) ?? []), name]);
    }
    return [...arches].map(
      ([decided, names]) => `${names.join(', ')}: ${decided.replace(/^otherwise /, '')}`,
    );
  } catch (error) {
    if (error instanceof SeccompcError) return [];
    throw error;
  }
}

/** Suggested words, and the fixes of lint that are proved. */
export async function actionsIn(asked: Asked): Promise<CodeAction[]> {
  const { document, range, target } = asked;
  const text = document.getText();
  const [from, to] = [document.offsetAt(range.start), document.offsetAt(range.end)];
  const actions: CodeAction[] = [];
  for (const { shown, hint = '', fix } of await findingsOf(asked)) {
    const [first, last] = [document.offsetAt(shown.range.start), document.offsetAt(shown.range.end)];
    if (first > to || last < from) continue;
    const add = (title: string, edited: Range, newText: string) => {
      const edit = { changes: { [document.uri]: [{ range: edited, newText }] } };
      actions.push({ title, kind: 'quickfix', diagnostics: [shown], edit });
    };
    const meant = /^(?:did you mean|write) "(.*?)"\??$/.exec(hint)?.[1];
    if (meant !== undefined && text[first] === '"')
      add(`Write "${meant}"`, shown.range, JSON.stringify(meant));
    const fixed = fix && (await applyFix(text, fix, { file: document.uri, target }));
    if (fixed === undefined) continue;
    const proof = fixed.changed.length === 0 ? 'every call gets the same answer' : 'stricter, never laxer';
    const [offset, length, by] = changedPart(text, fixed.text);
    add(`${shown.code}: ${hint} (proved: ${proof})`, extent({ offset, length }, document), by);
  }
  return actions;
}

/** Where two texts differ in the first, and what the second has there. */
function changedPart(before: string, after: string): [offset: number, length: number, by: string] {
  const least = Math.min(before.length, after.length);
  let head = 0;
  while (head < least && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < least - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  return [head, before.length - tail - head, after.slice(head, after.length - tail)];
}

function extent({ offset, length }: { offset: number; length: number }, document: TextDocument): Range {
  return { start: document.positionAt(offset), end: document.positionAt(offset + length) };
}
