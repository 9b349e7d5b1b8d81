import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { FEATURES, foreignObject, isFeatures, unknownDocument } from './foreign.ts';
import type { Foreign } from './foreign.ts';
import { ociSeccompMembers } from './generated/members.ts';
import { quote } from './json-text.ts';
import type { JsonNode, JsonObject } from './json.ts';
import type { Members } from './members.ts';
import { escapeToken, foldKey } from './pointer.ts';

/** What a document is, told by its shape, and where its profile stands. */
export type Recognised =
  | { form: 'seccomp' | 'docker'; seccomp: JsonObject }
  | { form: 'config'; seccomp: JsonNode | null }
  | { form: 'foreign'; foreign: Foreign };

/** Members that make an object a profile; `flags` alone stands in many documents. */
const PROFILE_MEMBERS = [
  'defaultAction', 'syscalls', 'architectures', 'archMap', 'defaultErrnoRet', 'defaultErrno', 'listenerPath',
  'listenerMetadata',
]; // prettier-ignore

/** Members that only the Docker dialect has; `name` and the rest stand in an entry. */
export const DIALECT_MEMBERS = ['archMap', 'defaultErrno'];
export const DIALECT_ENTRY_MEMBERS = ['name', 'comment', 'includes', 'excludes', 'errno'];

/** docs/semantics.md sections 1.1 and 11. */
export function recognise(root: JsonNode): Recognised {
  if (root.kind !== 'object') return foreign(unknownDocument(root));
  const isProfile = root.members.some(({ key }) => isOneOf(key, PROFILE_MEMBERS));
  const known = foreignObject(root, isProfile);
  if (known) return foreign(known);
  if (isConfig(root, isProfile)) return recogniseConfig(root);
  const dialect = ownDialect(root);
  if (dialect) return foreign(dialect);
  if (!isProfile) return foreign(unknownDocument(root));
  return { form: isDockerDialect(root) ? 'docker' : 'seccomp', seccomp: root };
}

function foreign(what: Foreign): Recognised {
  return { form: 'foreign', foreign: what };
}

/** The members of a profile at the top are one, unless there is a `linux` beside them. */
function isConfig(root: JsonObject, isProfile: boolean): boolean {
  if (isProfile) return valueOf(root, 'linux')?.kind === 'object';
  return root.members.some(
    ({ key, value }) =>
      (key === 'ociVersion' && value.kind === 'string') || (key === 'linux' && value.kind === 'object'),
  );
}

function recogniseConfig(root: JsonObject): Recognised {
  const linux = valueOf(root, 'linux');
  const seccomp = linux?.kind === 'object' ? valueOf(linux, 'seccomp') : undefined;
  if (seccomp === undefined || seccomp.kind === 'null') return { form: 'config', seccomp: null };
  if (seccomp.kind === 'object' && isFeatures(seccomp)) return foreign(FEATURES);
  return { form: 'config', seccomp };
}

/** Profiles in a config.json that stand where not every runtime looks, or none. */
export function strayKeys(root: JsonNode): Diagnostic[] {
  if (root.kind !== 'object') return [];
  const stray: Diagnostic[] = [];
  for (const { key, value } of root.members) {
    const pointer = `/${escapeToken(key)}`;
    if (foldKey(key) === 'seccomp' || isOneOf(key, PROFILE_MEMBERS))
      stray.push(
        diagnostic('RULES_IGNORED', { key: quote(key) }, { pointer, hint: 'it belongs into linux.seccomp' }),
      );
    else if (foldKey(key) === 'linux' && key !== 'linux') stray.push(ignoredCase(key, 'linux', pointer));
    if (foldKey(key) !== 'linux' || value.kind !== 'object') continue;
    for (const member of value.members)
      if (foldKey(member.key) === 'seccomp' && member.key !== 'seccomp')
        stray.push(ignoredCase(member.key, 'seccomp', `${pointer}/${escapeToken(member.key)}`));
  }
  return stray;
}

function ignoredCase(key: string, proper: string, pointer: string): Diagnostic {
  return diagnostic('KEY_CASE_IGNORED', { key: quote(key), proper }, { pointer });
}

function valueOf(object: JsonObject, key: string): JsonNode | undefined {
  return object.members.find((member) => member.key === key)?.value;
}

/** A profile in somebody's own words: `default_action` or the like in place of `defaultAction`. */
function ownDialect(root: JsonObject): Foreign | undefined {
  if (root.members.some(({ key }) => foldKey(key) === 'defaultaction')) return undefined;
  const member = root.members.find(({ key }) => /^default[_-]?(action|policy)?$/i.test(key));
  return (
    member && {
      what: `a profile in a dialect of its own, with ${JSON.stringify(member.key)} instead of "defaultAction"`,
      hint: 'write it as an OCI seccomp object: "defaultAction", "syscalls", actions such as "SCMP_ACT_ERRNO"',
      pointer: `/${member.key}`,
    }
  );
}

/**
 * Whether only an engine can have been meant to read it: it has a member of the dialect, or one in another case,
 * which means something to the engines alone.
 */
function isDockerDialect(root: JsonObject): boolean {
  if (root.members.some(({ key }) => isOneOf(key, DIALECT_MEMBERS))) return true;
  if (misspelt(root, ociSeccompMembers)) return true;
  const entryMembers = elementMembers(ociSeccompMembers, 'syscalls');
  const argMembers = elementMembers(entryMembers, 'args');
  return objectsIn(valueOf(root, 'syscalls')).some(
    (entry) =>
      entry.members.some(({ key }) => isOneOf(key, DIALECT_ENTRY_MEMBERS)) ||
      misspelt(entry, entryMembers) ||
      objectsIn(valueOf(entry, 'args')).some((arg) => misspelt(arg, argMembers)),
  );
}

/** Whether a member is one that the form knows, but in another case. */
function misspelt(object: JsonObject, members: Members | null): boolean {
  if (members === null || !('members' in members)) return false;
  const names = Object.keys(members.members);
  return object.members.some(({ key }) => !names.includes(key) && isOneOf(key, names));
}

function elementMembers(members: Members | null, key: string): Members | null {
  const list = members && 'members' in members ? members.members[key] : null;
  return list && 'items' in list ? list.items : null;
}

function objectsIn(node: JsonNode | undefined): JsonObject[] {
  return node?.kind === 'array' ? node.items.filter((item) => item.kind === 'object') : [];
}

function isOneOf(key: string, names: readonly string[]): boolean {
  return names.some((name) => foldKey(name) === foldKey(key));
}
