import type { JsonNode, JsonObject } from './json.ts';
import type { Located } from './schema-members.ts';

/** Another kind of document that is handed over as a profile: its name, and what to do with it. */
export interface Foreign {
  /** With article: "a YAML file". */
  what: string;
  hint?: string;
  /** RFC 6901 pointer of what gave it away. */
  pointer?: string;
}

const NEEDED = 'needed is an OCI seccomp object, a config.json or a Docker profile';

/** Bytes that are no text. */
export function foreignBytes(bytes: Uint8Array): Foreign | undefined {
  const starts = (...head: number[]) => head.every((byte, index) => bytes[index] === byte);
  if (starts(0xff, 0xfe) || starts(0xfe, 0xff))
    return { what: 'a UTF-16 file', hint: 'save it as UTF-8; JSON is never anything else' };
  if (starts(0x7f, 0x45, 0x4c, 0x46)) return { what: 'an ELF binary', hint: NEEDED };
  if (starts(0x1f, 0x8b)) return { what: 'a gzip file', hint: NEEDED };
  if (startsLikeFilter(bytes)) return COMPILED;
  return bytes.includes(0) ? { what: 'a binary file', hint: NEEDED } : undefined;
}

const COMPILED: Foreign = {
  what: 'a compiled filter',
  hint: '"seccompc disasm" shows what is in it; a profile cannot be had back from it',
};

/** Whole instructions, of which the first loads the number (offset 0) or the architecture (offset 4). */
function startsLikeFilter(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length % 8 !== 0) return false;
  const [a, b, jt, jf, ...k] = bytes.subarray(0, 8);
  const little = a === 0x20 && b === 0 && k[1] === 0 && k[2] === 0 && k[3] === 0;
  const big = a === 0 && b === 0x20 && k[0] === 0 && k[1] === 0 && k[2] === 0;
  const offset = little ? k[0] : k[3];
  return (little || big) && jt === 0 && jf === 0 && (offset === 0 || offset === 4);
}

/** The same first instructions in base64, little- and big-endian. */
const BASE64_FILTER = /^(IAAAAA[AQ]A|ACAAAAAAAA[AQ])[A-Za-z0-9+/=\s]*$/;

/** Texts that are not JSON, told by how they begin. Undefined for whatever might be JSON with a fault. */
export function foreignText(text: string): Foreign | undefined {
  const start = text.trimStart();
  if (start === '') return { what: 'an empty file', hint: 'an empty file confines nothing' };
  if (text.includes('\0')) return { what: 'a binary file', hint: NEEDED };
  if (BASE64_FILTER.test(start)) return { ...COMPILED, what: 'a compiled filter in base64' };
  if (start.startsWith('<')) return { what: 'an HTML or XML page', hint: 'download the raw file' };
  if (/^404\b/.test(start)) return { what: 'an error page', hint: 'download the file again' };
  if (start.startsWith('version https://git-lfs'))
    return { what: 'a Git LFS pointer', hint: 'get the file itself by "git lfs pull"' };
  const line = firstLine(text);
  if (line === undefined || /^["{[]/.test(line)) return undefined;
  if (/^#\s*pseudo filter code/im.test(text))
    return { what: "libseccomp's pseudo filter code", hint: NEEDED };
  if (/^[ \t]*line +CODE +JT +JF +K/m.test(text)) return { what: 'a disassembled filter', hint: NEEDED };
  if (/^\d+$/.test(line) && /^[ \t]*(allow|deny|white|black)list/m.test(text))
    return { what: 'an LXC seccomp profile', hint: NEEDED };
  if (/^(POLICY|USE|#define|#use)\b/.test(line) && text.includes('{'))
    return { what: 'a Kafel policy', hint: NEEDED };
  if (/^(@\w+ |[a-z_]\w*\s*:\s*(1|allow|kill\S*|trap|return|log|trace|user-notify|\{?\s*arg\d)\b)/.test(line))
    return { what: 'a minijail policy', hint: NEEDED };
  return isYaml(line) ? foreignYaml(text) : undefined;
}

/** The first line that is neither blank nor a `#` comment. */
function firstLine(text: string): string | undefined {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? undefined : end).trim();
    if (line !== '' && !line.startsWith('#')) return line;
    at = end < 0 ? text.length : end + 1;
  }
  return undefined;
}

function isYaml(line: string): boolean {
  return /^(---|%YAML\b|- |[\w.$/-]+:(\s|$))/.test(line);
}

function foreignYaml(text: string): Foreign {
  if (/^kind:\s*["']?SeccompProfile\b/m.test(text)) return SECCOMP_PROFILE_RESOURCE;
  if (/^apiVersion:/m.test(text)) return { what: 'a Kubernetes resource in YAML', hint: NEEDED };
  if (/^[ \t]*default_action:/m.test(text)) return GO_SECCOMP_BPF;
  return {
    what: 'a YAML file',
    hint: 'profiles are JSON; if it holds one, convert it (yq -o json)',
  };
}

const SECCOMP_PROFILE_RESOURCE: Foreign = {
  what: 'a Kubernetes SeccompProfile resource',
  hint: 'its "spec", as JSON, is a profile',
};
const GO_SECCOMP_BPF: Foreign = {
  what: 'a policy of go-seccomp-bpf',
  hint: 'write it as an OCI seccomp object; its actions lack SCMP_ACT_',
};

/** JSON documents of other kinds. `isProfile` tells whether the object has members of a profile. */
export function foreignObject(root: JsonObject, isProfile: boolean): Foreign | undefined {
  const has = (key: string) => root.members.some((member) => member.key === key);
  const get = (key: string) => root.members.find((member) => member.key === key)?.value;
  if (has('apiVersion') && has('kind'))
    return isString(get('kind'), 'SeccompProfile')
      ? SECCOMP_PROFILE_RESOURCE
      : { what: 'a Kubernetes resource', hint: NEEDED };
  if (has('ociVersionMin') || has('ociVersionMax')) return FEATURES;
  if (has('ociVersion') && ['id', 'status', 'pid', 'bundle'].filter(has).length >= 2)
    return {
      what: 'the state of a container',
      hint: 'the profile stands in the config.json of the bundle it names',
    };
  if (has('schemaVersion') && (has('layers') || has('manifests') || has('config') || has('fsLayers')))
    return { what: 'an image manifest', hint: NEEDED };
  if (has('rootfs') && has('history') && has('architecture'))
    return { what: 'an image configuration', hint: NEEDED };
  if (isProfile) return undefined;
  if (SCHEMA_MEMBERS.some(has)) return SCHEMA;
  const seccomp = get('seccomp');
  if (seccomp?.kind === 'object' && seccomp.members.some(({ key }) => key === 'default_action'))
    return { ...GO_SECCOMP_BPF, pointer: '/seccomp' };
  const thread = root.members.find(({ value }) => isThreadFilter(value));
  if (thread)
    return {
      what: 'a filter of seccompiler (Firecracker)',
      hint: 'its per-thread filters have no counterpart in a container; compile it with seccompiler-bin',
      pointer: `/${thread.key}`,
    };
  return undefined;
}

const FEATURES: Foreign = {
  what: 'an OCI features document, which lists what a runtime can do',
  hint: NEEDED,
};

const SCHEMA: Foreign = {
  what: 'a JSON Schema',
  hint: 'it describes profiles; hand over a profile itself',
};

/** Keywords by which an object tells what other documents may hold (JSON Schema draft 2020-12, and definitions). */
const SCHEMA_MEMBERS = ['properties', 'definitions', '$defs', 'allOf', 'anyOf', 'oneOf'];

/**
 * What has a `linux` as a config.json has it, and no profile there: such a document would count as one that asks for no
 * filter. `seccomp` is its linux.seccomp, if there is any.
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
  const namespaces = get('namespaces');
  const listsNames = namespaces?.kind === 'array' && namespaces.items.some(({ kind }) => kind === 'string');
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

/** What seccompiler's object for a thread has and a profile has not. */
export const FILTER_MEMBER = 'filter';

function isThreadFilter(node: JsonNode): boolean {
  if (node.kind !== 'object') return false;
  const keys = new Set(node.members.map(({ key }) => key));
  return keys.has(FILTER_MEMBER) && (keys.has('default_action') || keys.has('mismatch_action'));
}

function isString(node: JsonNode | undefined, value: string): boolean {
  return node?.kind === 'string' && node.value === value;
}

/** For JSON that is no object, and for objects that show no sign of what they are. */
export function unknownDocument(root: JsonNode): Foreign {
  switch (root.kind) {
    case 'object':
      return unknownObject(root);
    case 'array':
      return { what: 'a JSON array', hint: NEEDED };
    default:
      return { what: `a JSON ${root.kind === 'null' ? 'null' : root.kind}`, hint: NEEDED };
  }
}

function unknownObject(root: JsonObject): Foreign {
  if (root.members.length === 0)
    return { what: 'an empty object', hint: 'runtimes would start a container without any filter for it' };
  const inner = root.members.find(
    ({ value }) => value.kind === 'object' && value.members.some(({ key }) => key === 'defaultAction'),
  );
  return {
    what: 'a JSON object without any member of a profile',
    hint: inner ? `the object at "${inner.key}" looks like one: put it into a file of its own` : NEEDED,
  };
}
