import { itemsOf, valueOf } from './json.ts';
import type { JsonNode, JsonObject } from './json.ts';
import type { Located } from './schema-members.ts';

/** Another kind of document that is handed over as a profile: its name, and what to do with it. */
export interface Foreign {
  /** With article: "a YAML file". */
  what: string;
  hint?: string;
  /** RFC 6901 pointer of what gave it away. */
  pointer?: string;
  /** A way of writing a profile down that commands decode (src/input); `parseProfile` does not. */
  coded?: 'base64' | 'data' | 'yaml';
  /** Set for a program that may make what is needed. */
  program?: true;
}

const NEEDED = 'needed is an OCI seccomp object, a config.json or a Docker profile';

const RESOLVE = '"seccompc resolve" writes the profile in it as JSON';
const importFrom = (kind: string) => `"seccompc import --from ${kind} FILE" makes a profile of it`;

const PROGRAM = {
  hint: 'if this program makes the profile or the filter, run it and give what it writes',
  program: true,
} as const;

const COMPILED: Foreign = {
  what: 'a compiled filter',
  hint: '"seccompc disasm" shows what is in it; a profile cannot be had back from it',
};
const SECCOMP_PROFILE_RESOURCE: Foreign = {
  what: 'a Kubernetes SeccompProfile resource',
  hint: `its "spec" is a profile; ${RESOLVE}`,
};
const GO_SECCOMP_BPF: Foreign = {
  what: 'a policy of go-seccomp-bpf',
  hint: 'write it as an OCI seccomp object; its actions lack SCMP_ACT_',
};
const FEATURES: Foreign = {
  what: 'an OCI features document, which lists what a runtime can do',
  hint: NEEDED,
};
const SCHEMA: Foreign = {
  what: 'a JSON Schema',
  hint: 'it describes profiles; hand over a profile itself',
};
/** Keywords that describe other documents: JSON Schema draft 2020-12, and `definitions`. */
const SCHEMA_MEMBERS = ['properties', 'definitions', '$defs', 'allOf', 'anyOf', 'oneOf'];

/** Packed files by their first bytes, with the command that unpacks them. */
const PACKED: readonly (readonly [what: string, unpack: string, ...head: number[]])[] = [
  ['a gzip file', 'unpack it: "zcat FILE | seccompc compile -"', 0x1f, 0x8b],
  ['an xz file', 'unpack it: "xzcat FILE | seccompc compile -"', 0xfd, 0x37, 0x7a, 0x58, 0x5a],
  ['a zstd file', 'unpack it: "zstdcat FILE | seccompc compile -"', 0x28, 0xb5, 0x2f, 0xfd],
  ['a zip archive', 'unpack it: "unzip -p FILE NAME | seccompc compile -"', 0x50, 0x4b, 0x03, 0x04],
];

export function foreignBytes(bytes: Uint8Array): Foreign | undefined {
  const starts = (...head: number[]) => head.every((byte, index) => bytes[index] === byte);
  if (starts(0xff, 0xfe) || starts(0xfe, 0xff))
    return { what: 'a UTF-16 file', hint: 'save it as UTF-8; JSON is never anything else' };
  if (starts(0x7f, 0x45, 0x4c, 0x46)) return { what: 'an ELF binary', ...PROGRAM };
  for (const [what, unpack, ...head] of PACKED) if (starts(...head)) return { what, hint: unpack };
  if (startsLikeFilter(bytes)) return COMPILED;
  return bytes.includes(0) ? { what: 'a binary file', hint: NEEDED } : undefined;
}

/** Whole instructions; the first loads the number (offset 0) or the architecture (offset 4). */
function startsLikeFilter(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length % 8 !== 0) return false;
  const [a, b, jt, jf, ...k] = bytes.subarray(0, 8);
  const little = a === 0x20 && b === 0 && k[1] === 0 && k[2] === 0 && k[3] === 0;
  const big = a === 0 && b === 0x20 && k[0] === 0 && k[1] === 0 && k[2] === 0;
  const offset = little ? k[0] : k[3];
  return (little || big) && jt === 0 && jf === 0 && (offset === 0 || offset === 4);
}

/** A kind of text: what it matches, and what the first line that is not a comment matches. */
interface TextRule extends Foreign {
  text?: RegExp;
  line?: RegExp;
  /** What every line must match. */
  all?: RegExp;
}

const TEXTS: readonly TextRule[] = [
  { text: /^\s*$/, what: 'an empty file', hint: 'an empty file confines nothing' },
  { text: /\0/, what: 'a binary file', hint: NEEDED },
  {
    // The first instructions of `startsLikeFilter` in base64, little- and big-endian.
    text: /^\s*(IAAAAA[AQ]A|ACAAAAAAAA[AQ])[A-Za-z0-9+/=\s]*$/,
    ...COMPILED,
    what: 'a compiled filter in base64',
  },
  {
    // The same in hex.
    text: /^\s*(200000000[04]000000|002000000000000[04])[\da-fA-F\s]*$/,
    ...COMPILED,
    what: 'a compiled filter in hex',
  },
  {
    text: /^<{7}(?: |$)/m,
    what: 'a file with conflict markers of Git',
    hint: 'resolve the conflict; the markers begin with <<<<<<<, ======= and >>>>>>>',
  },
  {
    // Outside strings: a line of JSON never begins inside one.
    text: /^(?:[^"\\\n]|"(?:[^"\\\n]|\\.)*")*?\{\{(?:-|\s|\.|\$|\w)/m,
    what: 'a template',
    hint: 'render it first, such as with "helm template", and give what that writes',
  },
  { text: /^\s*</, what: 'an HTML or XML page', hint: 'download the raw file' },
  {
    text: /^\s*(?:404\b|(?:not found|forbidden|unauthorized|access denied|bad gateway|too many requests)\b)/i,
    what: 'an error page',
    hint: 'download the file again',
  },
  {
    text: /^\s*(?:error|fatal|usage)\b[^\n"{]*(?:\n|$)/i,
    what: 'a message of a command',
    hint: 'the command that should write the profile failed: run it alone to see why',
  },
  {
    text: /^\s*version https:\/\/git-lfs/,
    what: 'a Git LFS pointer',
    hint: 'get the file itself by "git lfs pull"',
  },
  { text: /^\s*data:[^,\n]*,/i, what: 'a data: URL', hint: RESOLVE, coded: 'data' },
  {
    // "{" and a character below 0x40.
    text: /^\s*e[w-z][A-Za-z0-9+/]{14}[A-Za-z0-9+/=\s]*$/,
    what: 'JSON in base64',
    hint: RESOLVE,
    coded: 'base64',
  },
  {
    text: /^[^\n{"]*\btype=(SECCOMP|1326)\b/,
    what: 'a log of the kernel with audit records',
    hint: '"seccompc audit FILE" reads it; give it the profile with --profile',
  },
  {
    text: /^(?:[ \t]*(?:[#;][^\n]*)?\r?\n)*\[[A-Z][A-Za-z-]*\][ \t]*\r?(?:\n|$)/,
    what: 'a systemd unit',
    hint: importFrom('systemd'),
  },
  {
    text: /^(?:\[pid +\d+\] |\d+ +)?(?:[\d:.]+ )?(?:\[ *[\da-f?]+\] )*[a-z_]\w*\([^\n]*(?:\) += |<unfinished)/,
    what: 'a log of strace',
    hint: importFrom('strace'),
  },
  { text: /^#!/, what: 'a script', ...PROGRAM },
  { text: /^#\s*include\b/m, what: 'a C source file', ...PROGRAM },
];

const YAML = /^(---|%YAML\b|- |[\w.$/-]+:(\s|$))/;

/** For texts whose first line does not begin like JSON. */
const LINES: readonly TextRule[] = [
  {
    line: /^l?\d+:\s+((ldx?|ret|ja|j\w+|\.insn) |(0x)?[\da-f]{2,4}\s+(0x)?[\da-f]{2}\s)/,
    what: 'a disassembled filter',
    hint: NEEDED,
  },
  { text: /^#\s*pseudo filter code/im, what: "libseccomp's pseudo filter code", hint: NEEDED },
  { text: /^[ \t]*line +(CODE|OP) +JT +JF +K/m, what: 'a disassembled filter', hint: NEEDED },
  {
    line: /^\d+$/,
    text: /^[ \t]*(allow|deny|white|black)list/m,
    what: 'an LXC seccomp profile',
    hint: importFrom('lxc'),
  },
  { line: /^SystemCallFilter\s*=/, what: 'a part of a systemd unit', hint: importFrom('systemd') },
  { line: /^(POLICY|USE|#define|#use)\b/, text: /\{/, what: 'a Kafel policy', hint: NEEDED },
  {
    line: /^(@\w+ |[a-z_]\w*\s*:\s*(1|allow|kill\S*|trap|return|log|trace|user-notify|\{?\s*arg\d)\b)/,
    what: 'a minijail policy',
    hint: NEEDED,
  },
  {
    text: /^(include \S+\.(inc|local|profile)\b|caps\.drop |seccomp(\.\w+)* +\S|noblacklist |nonewprivs$)/m,
    what: 'a firejail profile',
    hint: 'give the names that it refuses to "seccompc import --deny NAMES --allow-rest"',
  },
  {
    text: /^(@(unrestricted|complain)\b|~?[a-z_]\w*[ \t]+([-!<>=|\d]|[A-Z][A-Z_]))/m,
    what: 'a seccomp template of snapd',
    hint: 'its lines with a name only are a list for "seccompc import --from names"; rewrite the others',
  },
  {
    line: /^(?!(true|false|null)\b)[a-z]/,
    all: /^(#.*|[a-z_]\w*(\s*,\s*[a-z_]\w*)*\s*,?)?$/,
    what: 'a list of names',
    hint: importFrom('names'),
  },
  { line: YAML, text: /^kind:\s*["']?SeccompProfile\b/m, ...SECCOMP_PROFILE_RESOURCE, coded: 'yaml' },
  { line: YAML, text: /^apiVersion:/m, what: 'a Kubernetes resource in YAML', hint: NEEDED, coded: 'yaml' },
  { line: YAML, text: /^[ \t]*default_action:/m, ...GO_SECCOMP_BPF, coded: 'yaml' },
  {
    line: YAML,
    what: 'a YAML file',
    hint: 'profiles are JSON; "seccompc resolve FILE" or "yq . FILE" converts it',
    coded: 'yaml',
  },
];

/** Tells what a text is that cannot be JSON. Undefined for what may be JSON with a fault. */
export function foreignText(source: string): Foreign | undefined {
  const firstLine = /^[^\S\n]*([^\s#].*)/m.exec(source)?.[1]?.trim() ?? '"';
  const rules = /^["{[]/.test(firstLine) ? TEXTS : [...TEXTS, ...LINES];
  return rules.find(
    ({ text, line, all }) =>
      (text?.test(source) ?? true) &&
      (line?.test(firstLine) ?? true) &&
      (all === undefined || source.split('\n').every((each) => all.test(each.trim()))),
  );
}

/** JSON documents of other kinds. `isProfile` tells whether the object has members of a profile. */
export function foreignObject(root: JsonObject, isProfile: boolean): Foreign | undefined {
  const has = (key: string) => valueOf(root, key) !== undefined;
  if (has('apiVersion') && has('kind'))
    return isString(valueOf(root, 'kind'), 'SeccompProfile')
      ? SECCOMP_PROFILE_RESOURCE
      : { what: 'a Kubernetes resource', hint: NEEDED };
  if (has('ociVersionMin') || has('ociVersionMax')) return FEATURES;
  if (has('ociVersion') && ['id', 'status', 'pid', 'bundle'].filter(has).length >= 2)
    return {
      what: 'the state of a container',
      hint: 'the profile stands in the config.json of the bundle it names',
    };
  if (has('schemaVersion') && ['layers', 'manifests', 'config', 'fsLayers'].some(has))
    return { what: 'an image manifest', hint: NEEDED };
  if (['rootfs', 'history', 'architecture'].every(has))
    return { what: 'an image configuration', hint: NEEDED };
  if (isProfile) return undefined;
  if (SCHEMA_MEMBERS.some(has)) return SCHEMA;
  if (valueOf(valueOf(root, 'seccomp'), 'default_action') !== undefined)
    return { ...GO_SECCOMP_BPF, pointer: '/seccomp' };
  const thread = root.members.find(({ value }) => isThreadFilter(value));
  return (
    thread && {
      what: 'a filter of seccompiler (Firecracker)',
      hint: 'its per-thread filters have no counterpart in a container; compile it with seccompiler-bin',
      pointer: `/${thread.key}`,
    }
  );
}

/**
 * For documents with a `linux` member but no profile in it: each would count as a configuration
 * that asks for no filter. `seccomp` is linux.seccomp, if present.
 */
export function foreignLinux(linux: Located, seccomp: Located | undefined): Foreign | undefined {
  const profile = seccomp?.node;
  if (profile?.kind === 'object') {
    const has = (...keys: string[]) => profile.members.some(({ key }) => keys.includes(key));
    if (has('defaultAction', 'syscalls')) return undefined;
    // A features document lists names here.
    if (has('enabled', 'knownFlags', 'supportedFlags', 'operators', 'archs')) return FEATURES;
    return isSchema(profile) ? { ...SCHEMA, pointer: seccomp!.pointer } : undefined;
  }
  const { node, pointer } = linux;
  if (node.kind !== 'object' || (profile !== undefined && profile.kind !== 'null')) return undefined;
  if (isSchema(node)) return { ...SCHEMA, pointer };
  const get = (...keys: string[]) => node.members.find(({ key }) => keys.includes(key))?.value;
  if (get('security_context') !== undefined)
    return { what: 'a container or pod of the Kubernetes CRI', hint: NEEDED, pointer };
  const listsNames = itemsOf(get('namespaces')).some(({ kind }) => kind === 'string');
  return listsNames || get('capabilities', 'cgroup', 'apparmor', 'selinux') ? FEATURES : undefined;
}

function isSchema(object: JsonObject): boolean {
  return object.members.some(
    ({ key, value }) =>
      SCHEMA_MEMBERS.includes(key) ||
      key === '$ref' ||
      key === '$schema' ||
      (key === 'type' && isString(value, 'object')),
  );
}

function isInspected(node: JsonNode): boolean {
  const config = valueOf(node, 'Spec') ?? valueOf(valueOf(node, 'info'), 'runtimeSpec');
  return valueOf(config, 'ociVersion') !== undefined || valueOf(node, 'HostConfig') !== undefined;
}

function isRule(node: JsonNode): boolean {
  return (
    (valueOf(node, 'names') ?? valueOf(node, 'name')) !== undefined && valueOf(node, 'action') !== undefined
  );
}

function isThreadFilter(node: JsonNode): boolean {
  const has = (key: string) => valueOf(node, key) !== undefined;
  return has('filter') && (has('default_action') || has('mismatch_action'));
}

function isString(node: JsonNode | undefined, value: string): boolean {
  return node?.kind === 'string' && node.value === value;
}

const ERROR_MEMBERS = ['message', 'error', 'errors', 'code', 'status', 'documentation_url', 'request_id'];

/** For JSON that is not an object, and for objects that show no sign of what they are. */
export function unknownDocument(root: JsonNode): Foreign {
  if ([root, ...itemsOf(root)].some(isInspected))
    return { what: 'the output of a command that shows a container', hint: RESOLVE };
  if (isRule(root) || itemsOf(root).some(isRule))
    return {
      what: 'a set of rules without a profile around them',
      hint: 'put them into the "syscalls" of a profile that has a "defaultAction"',
    };
  if (root.kind === 'array') return { what: 'a JSON array', hint: NEEDED };
  if (root.kind !== 'object') return { what: `a JSON ${root.kind}`, hint: NEEDED };
  if (root.members.length === 0)
    return { what: 'an empty object', hint: 'runtimes would start a container without any filter for it' };
  if (root.members.every(({ key }) => ERROR_MEMBERS.includes(key)))
    return { what: 'an error message in JSON', hint: 'download the file again' };
  const inner = root.members.find(({ value }) => valueOf(value, 'defaultAction') !== undefined);
  return {
    what: 'a JSON object without any member of a profile',
    hint: inner ? `the object at "${inner.key}" looks like one: put it into a file of its own` : NEEDED,
  };
}
