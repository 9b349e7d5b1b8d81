/**
 * Reads a container configuration, and changes its filter annotation in the text itself: no value
 * is parsed and written again, so 64-bit numbers, unknown members and white space stay.
 */
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { ociSeccompMembers } from '../profile/generated/members.ts';
import { MAX_BYTES, MAX_LENGTH, parseJson, valueOf } from '../profile/json.ts';
import type { JsonDocument, JsonNode, JsonObject } from '../profile/json.ts';
import { decodeUtf8, quote } from '../profile/json-text.ts';
import { otherCaseKeys } from '../profile/schema-members.ts';
import type { Members } from '../profile/schema-members.ts';

/** The annotation in which crun takes a compiled filter: base64, padded, of the raw program. */
export const FILTER_ANNOTATION = 'run.oci.seccomp_bpf_data';

/** With any value but "0" crun refuses profiles that name calls it does not know. */
const FAIL_UNKNOWN_ANNOTATION = 'run.oci.seccomp_fail_unknown_syscall';

/** A config.json that every runtime reads the same. */
export interface RuntimeConfig {
  file: string;
  /** The whole file; encoded in UTF-8 it is the same bytes again. */
  text: string;
  root: JsonObject;
  /** The value of linux.seccomp; undefined where it is absent or null. */
  seccomp: JsonNode | undefined;
  /** The filter annotation, if there is one. A value that is not a string counts as empty. */
  annotation: string | undefined;
  failUnknown: boolean;
  positionAt: JsonDocument['positionAt'];
}

/** The members of a config.json that decide about the filter, without single annotations. */
const CONFIG_MEMBERS: Members = {
  members: { ociVersion: null, annotations: null, linux: { members: { seccomp: ociSeccompMembers } } },
};

/**
 * Strict reading: accepts only what crun and runc of all releases read alike (docs/semantics.md
 * 1.12). Every part that adds or checks a filter of a configuration reads it here.
 *
 * @param file Name of the input for messages.
 * @throws SeccompcError if it is not JSON, not a configuration, or if runtimes read it differently
 */
export function readConfig(input: Uint8Array, file: string): RuntimeConfig {
  const refuse = (faults: readonly Diagnostic[]): never => {
    throw new SeccompcError(faults.map((found) => ({ ...found, file })));
  };
  const notAConfig = (reason: string) => diagnostic('NOT_A_CONFIG', { reason });
  if (input.length > MAX_BYTES) return refuse([diagnostic('JSON_TOO_LARGE', { limit: MAX_LENGTH })]);
  const text = decodeUtf8(input);
  if (text === undefined) return refuse([notAConfig('it is not UTF-8')]);
  const { root, diagnostics, positionAt } = parseJson(text);
  if (diagnostics.length > 0) return refuse(diagnostics);
  const faults: Diagnostic[] = [];
  if (!isConfig(root)) faults.push(notAConfig('it has neither "ociVersion" nor "linux"'));
  const annotations = valueOf(root, 'annotations');
  if (annotations !== undefined && annotations.kind !== 'object' && annotations.kind !== 'null')
    faults.push(notAConfig('its "annotations" are no object'));
  if (root?.kind !== 'object' || faults.length > 0) return refuse(faults);
  const ambiguous = otherCaseKeys(root, CONFIG_MEMBERS).map(({ member: { key, keyOffset }, proper }) => ({
    ...diagnostic('CONFIG_KEY_CASE', { key: quote(key), proper }),
    ...positionAt(keyOffset),
  }));
  if (ambiguous.length > 0) return refuse(ambiguous);

  const seccomp = valueOf(valueOf(root, 'linux'), 'seccomp');
  return {
    file,
    text,
    root,
    seccomp: seccomp?.kind === 'null' ? undefined : seccomp,
    annotation: annotationOf(annotations, FILTER_ANNOTATION),
    failUnknown: (annotationOf(annotations, FAIL_UNKNOWN_ANNOTATION) ?? '0') !== '0',
    positionAt,
  };
}

export function textOf({ text }: RuntimeConfig, { offset, end }: JsonNode): string {
  return text.slice(offset, end);
}

/** The text with the filter annotation set to a value, which must need no escapes. */
export function withAnnotation({ text, root }: RuntimeConfig, value: string): string {
  const annotations = valueOf(root, 'annotations');
  const object = `{"${FILTER_ANNOTATION}":"${value}"}`;
  if (annotations === undefined) return insertFirst(text, root, 'annotations', object);
  if (annotations.kind !== 'object') return replace(text, annotations, object);
  const present = valueOf(annotations, FILTER_ANNOTATION);
  if (present !== undefined) return replace(text, present, `"${value}"`);
  return insertFirst(text, annotations, FILTER_ANNOTATION, `"${value}"`);
}

/** The text without the annotation: exactly what it was before {@link withAnnotation} added it. */
export function withoutAnnotation({ text, root }: RuntimeConfig): string {
  const annotations = valueOf(root, 'annotations');
  if (annotations?.kind !== 'object' || valueOf(annotations, FILTER_ANNOTATION) === undefined) return text;
  // An object that comes first and has no other member was made for the annotation.
  const made = root.members[0]?.value === annotations && annotations.members.length === 1;
  return made ? removeMember(text, root, 'annotations') : removeMember(text, annotations, FILTER_ANNOTATION);
}

function isConfig(root: JsonNode | undefined): boolean {
  return valueOf(root, 'ociVersion')?.kind === 'string' || valueOf(root, 'linux')?.kind === 'object';
}

function annotationOf(annotations: JsonNode | undefined, key: string): string | undefined {
  const value = valueOf(annotations, key);
  return value?.kind === 'string' ? value.value : value && '';
}

function replace(text: string, node: JsonNode, by: string): string {
  return text.slice(0, node.offset) + by + text.slice(node.end);
}

/** Inserts a member with the white space of the one that was first. */
function insertFirst(text: string, object: JsonObject, key: string, value: string): string {
  const first = object.members[0];
  const at = object.offset + 1;
  if (first === undefined) return `${text.slice(0, at)}"${key}":${value}${text.slice(at)}`;
  const gap = text.slice(at, first.keyOffset);
  const colon = /[^"]*$/.exec(text.slice(first.keyOffset, first.value.offset))![0];
  return `${text.slice(0, at)}${gap}"${key}"${colon}${value},${text.slice(at)}`;
}

function removeMember(text: string, object: JsonObject, key: string): string {
  const index = object.members.findIndex((member) => member.key === key);
  const { keyOffset, value } = object.members[index]!;
  const begin = object.offset + 1;
  if (object.members.length === 1)
    return text.slice(0, begin) + text.slice(keyOffset === begin ? value.end : object.end - 1);
  if (index === 0) return text.slice(0, begin) + text.slice(text.indexOf(',', value.end) + 1);
  return text.slice(0, object.members[index - 1]!.value.end) + text.slice(value.end);
}
