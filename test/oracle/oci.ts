/**
 * The OCI seccomp object as the oracles see it: plain data, every integer a bigint.
 *
 * The reader and the writer are a few lines each and lose no digit; neither knows what the members
 * mean.
 */

export interface OciArg {
  index: bigint;
  value: bigint;
  valueTwo?: bigint;
  op: string;
}

export interface OciEntry {
  names?: string[];
  action: string;
  errnoRet?: bigint;
  args?: OciArg[] | null;
}

export interface OciProfile {
  defaultAction?: string;
  defaultErrnoRet?: bigint;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  syscalls?: OciEntry[];
}

/** JSON text with bigints written as plain integers. */
export function toJson(value: unknown): string {
  const marked = JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `\u0001${v}` : v), 1);
  return marked.replaceAll(/"\\u0001(-?\d+)"/g, '$1');
}

/** Reads JSON, integers as bigints. Fractions and exponents stay numbers. */
export function fromJson(text: string): unknown {
  const marked = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    /^-?\d+$/.test(token) ? `"\\u0001${token}"` : token,
  );
  return JSON.parse(marked, (_, v: unknown) =>
    typeof v === 'string' && v.startsWith('\u0001') ? BigInt(v.slice(1)) : v,
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Only that it is an object: the evaluator itself says what is wrong inside. */
const isProfile = (value: unknown): value is OciProfile => isObject(value);

/**
 * The seccomp object in a text: itself, or `linux.seccomp` of a config.json (undefined when it has
 * none). Whether the text is one of the Docker dialect is for the caller to know.
 */
export function seccompOf(text: string): OciProfile | undefined {
  const value = fromJson(text);
  if (!isObject(value)) throw new Error('no JSON object');
  const isConfig = 'linux' in value || 'ociVersion' in value;
  const linux = isObject(value['linux']) ? value['linux'] : {};
  const seccomp = isConfig ? linux['seccomp'] : value;
  return isProfile(seccomp) ? seccomp : undefined;
}

const DIALECT_MEMBERS = ['archMap', 'includes', 'excludes', 'name', 'comment', 'errno', 'defaultErrno'];

/** Whether a text uses a member that only Docker's and Podman's dialect has. */
export function isDialect(text: string): boolean {
  const value = fromJson(text);
  const entries: unknown[] = isObject(value) && Array.isArray(value['syscalls']) ? value['syscalls'] : [];
  return [value, ...entries].some((o) => isObject(o) && DIALECT_MEMBERS.some((m) => Object.hasOwn(o, m)));
}
