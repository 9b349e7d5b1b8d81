/**
 * A container configuration as text: where its seccomp profile and its annotation stand, and the text with another
 * annotation in it. Nothing is ever written anew from parsed values: 64-bit numbers, members that nobody here knows and
 * the layout all stay, because every byte outside the annotation does.
 */
import { diagnostic, SeccompcError } from '../errors.ts';
import { ociSeccompMembers } from '../profile/generated/members.ts';
import { MAX_BYTES, MAX_LENGTH, parseJson } from '../profile/json.ts';
import type { JsonDocument, JsonMember, JsonNode, JsonObject } from '../profile/json.ts';
import { decodeUtf8, quote } from '../profile/json-text.ts';
import { otherCaseKeys } from '../profile/schema-members.ts';
import type { Members } from '../profile/schema-members.ts';

/** The annotation in which crun takes a compiled filter: base64, padded, of the raw program. */
export const FILTER_ANNOTATION = 'run.oci.seccomp_bpf_data';

/** With any value but "0" crun refuses profiles that name calls it does not know. */
const FAIL_UNKNOWN_ANNOTATION = 'run.oci.seccomp_fail_unknown_syscall';

/** Part of a text. */
export interface Span {
  text: string;
  offset: number;
}

/** A config.json that every runtime reads the same. */
export interface RuntimeConfig {
  /** The whole file; encoded in UTF-8 it is the same bytes again. */
  text: string;
  root: JsonObject;
  /** The value of linux.seccomp; undefined where it is absent or null. */
  seccomp: Span | undefined;
  /** The filter annotation as it is; undefined without one. A value that is no string counts as empty. */
  annotation: string | undefined;
  failUnknown: boolean;
  positionAt: JsonDocument['positionAt'];
}

/** What of a config.json decides about the filter, apart from the entries of `annotations`. */
const CONFIG_MEMBERS: Members = {
  members: { ociVersion: null, annotations: null, linux: { members: { seccomp: ociSeccompMembers } } },
};

/**
 * Strict reading: accepts only what crun and runc of all releases read alike (docs/semantics.md 1.12). Everything that
 * hands over a filter for a configuration, or judges one, reads it here.
 *
 * @param file Name of the input for messages.
 * @throws SeccompcError for what is not JSON, is no container configuration, or is read differently by some runtime
 */
export function readConfig(input: Uint8Array, file: string): RuntimeConfig {
  if (input.length > MAX_BYTES)
    throw new SeccompcError([{ ...diagnostic('JSON_TOO_LARGE', { limit: MAX_LENGTH }), file }]);
  const text = decodeUtf8(input);
  if (text === undefined)
    throw new SeccompcError([{ ...diagnostic('NOT_A_CONFIG', { reason: 'it is not UTF-8' }), file }]);
  const { root, diagnostics, positionAt } = parseJson(text);
  if (diagnostics.length > 0 || root === undefined)
    throw new SeccompcError(diagnostics.map((found) => ({ ...found, file })));
  const faults: string[] = [];
  if (root.kind !== 'object' || !isConfig(root)) faults.push('it has neither "ociVersion" nor "linux"');
  const annotations = root.kind === 'object' ? valueOf(root, 'annotations') : undefined;
  if (annotations !== undefined && annotations.kind !== 'object' && annotations.kind !== 'null')
    faults.push('its "annotations" are no object');
  if (root.kind !== 'object' || faults.length > 0)
    throw new SeccompcError(faults.map((reason) => ({ ...diagnostic('NOT_A_CONFIG', { reason }), file })));

  const ambiguous = otherCaseKeys(root, CONFIG_MEMBERS);
  if (ambiguous.length > 0)
    throw new SeccompcError(
      ambiguous.map(({ member: { key, keyOffset }, proper }) => ({
        ...diagnostic('CONFIG_KEY_CASE', { key: quote(key), proper }),
        ...positionAt(keyOffset),
        file,
      })),
    );

  const linux = valueOf(root, 'linux');
  const seccomp = linux?.kind === 'object' ? valueOf(linux, 'seccomp') : undefined;
  return {
    text,
    root,
    seccomp: seccomp === undefined || seccomp.kind === 'null' ? undefined : spanOf(text, seccomp),
    annotation: annotationOf(annotations, FILTER_ANNOTATION),
    failUnknown: (annotationOf(annotations, FAIL_UNKNOWN_ANNOTATION) ?? '0') !== '0',
    positionAt,
  };
}

/** The text with the filter annotation set to a value, which must need no escapes. */
export function withAnnotation({ text, root }: RuntimeConfig, value: string): string {
  const quoted = `"${value}"`;
  const annotations = memberOf(root, 'annotations');
  if (annotations === undefined)
    return insertFirst(text, root, 'annotations', `{"${FILTER_ANNOTATION}":${quoted}}`);
  if (annotations.value.kind !== 'object')
    return replace(text, annotations.value, `{"${FILTER_ANNOTATION}":${quoted}}`);
  const present = memberOf(annotations.value, FILTER_ANNOTATION);
  if (present !== undefined) return replace(text, present.value, quoted);
  return insertFirst(text, annotations.value, FILTER_ANNOTATION, quoted);
}

/** The text without the filter annotation: to the byte what it was before {@link withAnnotation} added it. */
export function withoutAnnotation({ text, root }: RuntimeConfig): string {
  const annotations = valueOf(root, 'annotations');
  if (annotations?.kind !== 'object' || memberOf(annotations, FILTER_ANNOTATION) === undefined) return text;
  // An object that stands first and holds nothing else is one that was made for the annotation.
  const made = root.members[0]?.value === annotations && annotations.members.length === 1;
  return made ? removeMember(text, root, 'annotations') : removeMember(text, annotations, FILTER_ANNOTATION);
}

function isConfig(root: JsonObject): boolean {
  return valueOf(root, 'ociVersion')?.kind === 'string' || valueOf(root, 'linux')?.kind === 'object';
}

function annotationOf(annotations: JsonNode | undefined, key: string): string | undefined {
  const value = annotations?.kind === 'object' ? valueOf(annotations, key) : undefined;
  if (value === undefined) return undefined;
  return value.kind === 'string' ? value.value : '';
}

function memberOf(object: JsonObject, key: string): JsonMember | undefined {
  return object.members.find((member) => member.key === key);
}

export function valueOf(object: JsonObject, key: string): JsonNode | undefined {
  return memberOf(object, key)?.value;
}

function spanOf(text: string, node: JsonNode): Span {
  return { text: text.slice(node.offset, endOf(text, node)), offset: node.offset };
}

function replace(text: string, node: JsonNode, by: string): string {
  return text.slice(0, node.offset) + by + text.slice(endOf(text, node));
}

/** A new first member, laid out as the one that was first until now. */
function insertFirst(text: string, object: JsonObject, key: string, value: string): string {
  const first = object.members[0];
  const at = object.offset + 1;
  if (first === undefined) return `${text.slice(0, at)}"${key}":${value}${text.slice(at)}`;
  const gap = text.slice(at, first.keyOffset);
  const colon = text.slice(endOfString(text, first.keyOffset), first.value.offset);
  return `${text.slice(0, at)}${gap}"${key}"${colon}${value},${text.slice(at)}`;
}

function removeMember(text: string, object: JsonObject, key: string): string {
  const index = object.members.findIndex((member) => member.key === key);
  const member = object.members[index]!;
  const begin = object.offset + 1;
  const end = endOf(text, member.value);
  if (object.members.length === 1) {
    const close = member.keyOffset === begin ? end : text.indexOf('}', end);
    return text.slice(0, begin) + text.slice(close);
  }
  if (index === 0) return text.slice(0, begin) + text.slice(text.indexOf(',', end) + 1);
  const before = endOf(text, object.members[index - 1]!.value);
  return text.slice(0, before) + text.slice(end);
}

/** Where a value ends. Between the last element and its closing bracket there is only white space. */
function endOf(text: string, node: JsonNode): number {
  switch (node.kind) {
    case 'object': {
      const last = node.members.at(-1);
      return text.indexOf('}', last === undefined ? node.offset : endOf(text, last.value)) + 1;
    }
    case 'array': {
      const last = node.items.at(-1);
      return text.indexOf(']', last === undefined ? node.offset : endOf(text, last)) + 1;
    }
    case 'string':
      return endOfString(text, node.offset);
    case 'number':
      return node.offset + node.text.length;
    case 'boolean':
      return node.offset + String(node.value).length;
    case 'null':
      return node.offset + 'null'.length;
  }
}

function endOfString(text: string, offset: number): number {
  let at = offset + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
