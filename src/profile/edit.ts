import { parseJson } from './json.ts';
import type { JsonNode } from './json.ts';
import { formatJson, formatLine } from './oci-text.ts';
import { escapeToken, find, tokensOf } from './pointer.ts';

/** Operations of a JSON Patch (RFC 6902). Integers may be bigints. */
export type Change = { op: 'add'; path: string; value: unknown } | { op: 'remove'; path: string };

/**
 * Applies the changes one after another and leaves every other character as it is. What is added
 * looks like what is beside it: that is why no formatter does it.
 *
 * @param text a JSON document, with or without a byte order mark
 * @throws Error for a path that does not exist
 */
export function editJson(text: string, changes: readonly Change[]): string {
  const mark = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  return mark + changes.reduce((edited, change) => applied(edited, change), text.slice(mark.length));
}

/** How many elements the list at a pointer has; undefined where there is no list. */
export function countItems(text: string, pointer: string): number | undefined {
  const { root } = parseJson(text.replace(/^\uFEFF/, ''));
  const found = root && find(root, pointer);
  const isThere = found !== undefined && tokensOf(found.pointer).length === tokensOf(pointer).length;
  return isThere && found.node.kind === 'array' ? found.node.items.length : undefined;
}

function applied(text: string, change: Change): string {
  const { root } = parseJson(text);
  const tokens = tokensOf(change.path);
  const last = tokens.pop();
  const pointer = tokens.map((token) => `/${escapeToken(token)}`).join('');
  const found = root && find(root, pointer);
  if (found === undefined || last === undefined || tokensOf(found.pointer).length !== tokens.length)
    throw new Error(`no place ${change.path}`);
  const { node } = found;
  const children = childrenOf(node);
  const index = node.kind === 'object' ? children.findIndex(({ key }) => key === last) : Number(last);
  const splice = (from: number, to: number, by: string) => text.slice(0, from) + by + text.slice(to);
  if (change.op === 'remove') {
    const [before, child, after] = [children[index - 1], children[index], children[index + 1]];
    if (child === undefined) throw new Error(`no place ${change.path}`);
    if (before) return splice(before.end, child.end, '');
    return after ? splice(child.offset, after.offset, '') : splice(node.offset + 1, node.end - 1, '');
  }
  if (node.kind === 'object' && index >= 0) {
    const { value } = node.members[index]!;
    return splice(value.offset, value.end, formatLine(change.value, ' '));
  }
  const at = index < 0 ? children.length : index;
  const neighbour = children[Math.min(at, children.length - 1)];
  const value = formatted(text, change.value, neighbour ?? node);
  const added = node.kind === 'object' ? `${JSON.stringify(last)}: ${value}` : value;
  if (neighbour === undefined) return splice(node.offset + 1, node.end - 1, added);
  const separator = separatorIn(text, node, children, at);
  return at === 0
    ? splice(neighbour.offset, neighbour.offset, `${added}${separator}`)
    : splice(children[at - 1]!.end, children[at - 1]!.end, `${separator}${added}`);
}

interface Child {
  key?: string;
  offset: number;
  end: number;
}

function childrenOf(node: JsonNode): Child[] {
  if (node.kind === 'array') return node.items;
  if (node.kind !== 'object') return [];
  return node.members.map(({ key, keyOffset, value }) => ({ key, offset: keyOffset, end: value.end }));
}

/** The text between two children near a position, or like that before the only one. */
function separatorIn(text: string, node: JsonNode, children: readonly Child[], at: number): string {
  const second = Math.max(1, Math.min(at, children.length - 1));
  const [before, after] = [children[second - 1]!, children[second]];
  if (after) return text.slice(before.end, after.offset);
  return `,${text.slice(node.offset + 1, before.offset) || ' '}`;
}

/** On as many lines as the neighbour has, with its indentation. */
function formatted(text: string, value: unknown, { offset, end }: Child): string {
  const neighbour = text.slice(offset, end);
  if (!neighbour.includes('\n')) return formatLine(value, /^\{\S/.test(neighbour) ? '' : ' ');
  const indentBefore = (position: number) =>
    /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', position - 1) + 1))![0];
  const indent = indentBefore(offset);
  const inner = /\n([ \t]*)\S/.exec(neighbour)?.[1] ?? '';
  const unit = inner.startsWith(indent) && inner !== indent ? inner.slice(indent.length) : '  ';
  return formatJson(value, indent, unit);
}
