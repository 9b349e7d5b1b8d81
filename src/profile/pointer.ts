import type { JsonNode } from './json.ts';

/** RFC 6901 pointers, and what they point at. */

export function escapeToken(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}

export function tokensOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * A key as Go's encoding/json compares it with an ASCII name: in lower case, with the two other
 * characters that fold to ASCII, U+212A (by `toLowerCase`) and U+017F. docs/semantics.md 1.8.
 */
export function foldKey(key: string): string {
  return key.toLowerCase().replaceAll('\u017f', 's');
}

/**
 * The node of a pointer, or its nearest existing ancestor, with its pointer in the document. A key
 * in another case is found too: Docker, Podman and runc read it.
 */
export function find(root: JsonNode, pointer: string): { node: JsonNode; pointer: string } {
  let found = { node: root, pointer: '' };
  for (const token of tokensOf(pointer)) {
    const next = step(found.node, token);
    if (next === undefined) break;
    found = { node: next.node, pointer: `${found.pointer}/${escapeToken(next.token)}` };
  }
  return found;
}

function step(node: JsonNode, token: string): { node: JsonNode; token: string } | undefined {
  if (node.kind === 'array') {
    const item = /^(0|[1-9]\d*)$/.test(token) ? node.items[Number(token)] : undefined;
    return item && { node: item, token };
  }
  if (node.kind !== 'object') return undefined;
  const member =
    node.members.find(({ key }) => key === token) ??
    node.members.find(({ key }) => foldKey(key) === foldKey(token));
  return member && { node: member.value, token: member.key };
}
