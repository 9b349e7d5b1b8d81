/**
 * One sequence of bytes for one value: what keys and checksums are computed over.
 *
 * Every part is a tag, its length and its content, so no two values share an encoding, whatever strings
 * they hold; joining fields with a separator would not give that. Members of an object are sorted, so that
 * key order does not count, and a member that is undefined counts as absent. Strings, finite numbers, bigints, booleans,
 * null, bytes, arrays and plain objects have a canonical form.
 *
 * @throws TypeError on a value of another kind: left out, it would no longer tell two results apart.
 */
export function canonicalBytes(value: unknown): Uint8Array {
  const parts: Uint8Array[] = [];
  append(parts, value);
  return Buffer.concat(parts);
}

function append(parts: Uint8Array[], value: unknown): void {
  if (value === undefined) head(parts, 'u', 0);
  else if (value === null) head(parts, 'n', 0);
  else if (typeof value === 'boolean') head(parts, value ? 't' : 'f', 0);
  else if (typeof value === 'number' && Number.isFinite(value))
    content(parts, 'd', Buffer.from(String(value)));
  else if (typeof value === 'bigint') content(parts, 'i', Buffer.from(String(value)));
  // UTF-16, because UTF-8 turns every unpaired surrogate into the same three bytes.
  else if (typeof value === 'string') content(parts, 's', Buffer.from(value, 'utf16le'));
  else if (value instanceof Uint8Array) content(parts, 'b', value);
  else if (Array.isArray(value)) {
    head(parts, 'a', value.length);
    for (const item of value) append(parts, item);
  } else if (isPlainObject(value)) appendMembers(parts, value);
  else throw new TypeError(`a value of type ${typeof value} that has no canonical form`);
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function appendMembers(parts: Uint8Array[], value: object): void {
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  head(parts, 'o', members.length);
  for (const [name, member] of members) {
    append(parts, name);
    append(parts, member);
  }
}

function head(parts: Uint8Array[], tag: string, length: number): void {
  parts.push(Buffer.from(`${tag}${length}:`));
}

function content(parts: Uint8Array[], tag: string, bytes: Uint8Array): void {
  head(parts, tag, bytes.length);
  parts.push(bytes);
}
