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
  const parts: string[] = [];
  append(parts, value);
  return Buffer.from(parts.join(''), 'latin1');
}

/** The parts are bytes as characters of latin1: joining those once is quicker than a buffer for each. */
function append(parts: string[], value: unknown): void {
  if (value === undefined) parts.push('u0:');
  else if (value === null) parts.push('n0:');
  else if (typeof value === 'boolean') parts.push(value ? 't0:' : 'f0:');
  else if (typeof value === 'number' && Number.isFinite(value)) content(parts, 'd', String(value));
  else if (typeof value === 'bigint') content(parts, 'i', String(value));
  else if (typeof value === 'string') appendText(parts, value);
  else if (value instanceof Uint8Array) content(parts, 'b', bytesOf(value).toString('latin1'));
  else if (Array.isArray(value)) {
    parts.push(`a${value.length}:`);
    for (const item of value) append(parts, item);
  } else if (isPlainObject(value)) appendMembers(parts, value);
  else throw new TypeError(`a value of type ${typeof value} that has no canonical form`);
}

function appendText(parts: string[], text: string): void {
  if (ASCII.test(text)) content(parts, 's', text);
  // UTF-16, because UTF-8 turns every unpaired surrogate into the same three bytes.
  else content(parts, 'w', Buffer.from(text, 'utf16le').toString('latin1'));
}

// oxlint-disable-next-line no-control-regex -- all of ASCII
const ASCII = /^[\0-\x7f]*$/;

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function appendMembers(parts: string[], value: object): void {
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  parts.push(`o${members.length}:`);
  for (const [name, member] of members) {
    append(parts, name);
    append(parts, member);
  }
}

function content(parts: string[], tag: string, bytes: string): void {
  parts.push(tag, String(bytes.length), ':', bytes);
}

function bytesOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
