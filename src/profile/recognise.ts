import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { foreignLinux, foreignObject, unknownDocument } from './foreign.ts';
import type { Foreign } from './foreign.ts';
import { ociSeccompMembers } from './generated/members.ts';
import { quote } from './json-text.ts';
import { itemsOf, membersOf, valueOf } from './json.ts';
import type { JsonNode, JsonObject } from './json.ts';
import { valuesOf } from './schema-members.ts';
import type { Located, Members } from './schema-members.ts';
import { escapeToken, foldKey } from './pointer.ts';

/** What a document is by its shape, and where its profile is. */
export type Recognised =
  | { form: 'seccomp' | 'docker'; seccomp: JsonObject }
  /** The values that make up linux.seccomp, in this order; empty if it asks for no filter. */
  | { form: 'config'; seccomp: readonly Located[] }
  | { form: 'foreign'; foreign: Foreign };

/** Members that make an object a profile; `flags` is in many documents. */
const PROFILE_MEMBERS = [
  'defaultAction', 'syscalls', 'architectures', 'archMap', 'defaultErrnoRet', 'defaultErrno', 'listenerPath',
  'listenerMetadata',
]; // prettier-ignore

/** Members that only the Docker dialect has; `name` and the others are in an entry. */
const DIALECT_MEMBERS = ['archMap', 'defaultErrno'];
const DIALECT_ENTRY_MEMBERS = ['name', 'comment', 'includes', 'excludes', 'errno'];

/**
 * docs/semantics.md sections 1.1, 1.8 and 11.
 * @param reader The runtime whose reading of a config.json counts.
 */
export function recognise(root: JsonNode, reader: 'crun' | 'runc'): Recognised {
  if (root.kind !== 'object') return foreign(unknownDocument(root));
  const isProfile = root.members.some(({ key }) => isOneOf(key, PROFILE_MEMBERS));
  const known = foreignObject(root, isProfile);
  if (known) return foreign(known);
  // Members of a profile at the top make it one, unless there is also a `linux`.
  const linux = valuesOf([{ node: root, pointer: '' }], 'linux', reader);
  if (linux.some(({ node }) => node.kind === 'object')) return recogniseConfig(linux, reader);
  if (!isProfile && valueOf(root, 'ociVersion')?.kind === 'string') return recogniseConfig(linux, reader);
  const dialect = ownDialect(root);
  if (dialect) return foreign(dialect);
  if (!isProfile) return foreign(unknownDocument(root));
  return { form: isDockerDialect(root) ? 'docker' : 'seccomp', seccomp: root };
}

function foreign(what: Foreign): Recognised {
  return { form: 'foreign', foreign: what };
}

function recogniseConfig(linux: readonly Located[], reader: 'crun' | 'runc'): Recognised {
  const seccomp = valuesOf(linux, 'seccomp', reader);
  const last = seccomp.at(-1);
  const known = linux.length > 0 ? foreignLinux(linux.at(-1)!, last) : undefined;
  if (known) return foreign(known);
  if (last === undefined || last.node.kind === 'null') return { form: 'config', seccomp: [] };
  return { form: 'config', seccomp };
}

/** Keys of a config.json that look like a profile and that not every runtime reads. */
export function strayKeys(root: JsonNode, reader: 'crun' | 'runc'): Diagnostic[] {
  const stray: Diagnostic[] = [];
  for (const { key, value } of membersOf(root)) {
    const pointer = `/${escapeToken(key)}`;
    if (foldKey(key) === 'seccomp' || isOneOf(key, PROFILE_MEMBERS))
      stray.push(
        diagnostic('RULES_IGNORED', { key: quote(key) }, { pointer, hint: 'it belongs into linux.seccomp' }),
      );
    if (foldKey(key) !== 'linux') continue;
    if (key !== 'linux') stray.push(otherCase(key, 'linux', pointer, reader));
    for (const member of membersOf(value))
      if (foldKey(member.key) === 'seccomp' && member.key !== 'seccomp')
        stray.push(otherCase(member.key, 'seccomp', `${pointer}/${escapeToken(member.key)}`, reader));
  }
  return stray;
}

function otherCase(key: string, proper: string, pointer: string, reader: 'crun' | 'runc'): Diagnostic {
  const code = reader === 'runc' ? 'KEY_CASE_RUNC' : 'KEY_CASE_IGNORED';
  return diagnostic(code, { key: quote(key), proper }, { pointer });
}

/** A profile with other keys: `default_action` or the like instead of `defaultAction`. */
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
 * Whether the profile is for an engine only: it has a member of the dialect, or a key in another
 * case, which only engines read.
 */
function isDockerDialect(root: JsonObject): boolean {
  if (root.members.some(({ key }) => isOneOf(key, DIALECT_MEMBERS))) return true;
  if (misspelt(root, ociSeccompMembers)) return true;
  const entryMembers = elementMembers(ociSeccompMembers, 'syscalls');
  const argMembers = elementMembers(entryMembers, 'args');
  return itemsOf(valueOf(root, 'syscalls')).some(
    (entry) =>
      membersOf(entry).some(({ key }) => isOneOf(key, DIALECT_ENTRY_MEMBERS)) ||
      misspelt(entry, entryMembers) ||
      itemsOf(valueOf(entry, 'args')).some((arg) => misspelt(arg, argMembers)),
  );
}

/** Whether an object has a known member in another case. */
function misspelt(node: JsonNode, members: Members | null): boolean {
  if (members === null || !('members' in members)) return false;
  const names = Object.keys(members.members);
  return membersOf(node).some(({ key }) => !names.includes(key) && isOneOf(key, names));
}

function elementMembers(members: Members | null, key: string): Members | null {
  const list = members && 'members' in members ? members.members[key] : null;
  return list && 'items' in list ? list.items : null;
}

function isOneOf(key: string, names: readonly string[]): boolean {
  return names.some((name) => foldKey(name) === foldKey(key));
}
