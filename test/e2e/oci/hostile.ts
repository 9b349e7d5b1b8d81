/**
 * Configurations that runtimes may read differently: an honest one, damaged in a few places. The
 * same number gives the same document everywhere. Texts are bytes, one character each.
 */

/**
 * Nodes of a document that need not be JSON: a scalar and a key are the text that stands for them.
 */
type Node = string | { members: [key: string, value: Node][] } | { items: Node[] };
type Members = Extract<Node, { members: unknown }>;

/** A source of numbers; `below(n)` gives 0..n-1. */
interface Chance {
  below(limit: number): number;
  one<T>(list: readonly T[]): T;
}

/** Mulberry32, a published generator of 32 bits. */
function makeChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (limit: number) => next() % limit;
  return { below, one: (list) => list[below(list.length)]! };
}

const bytes = (text: string) => Buffer.from(text).toString('latin1');
const quoted = (text: string) => bytes(JSON.stringify(text));
const object = (members: Record<string, Node>): Members => ({
  members: Object.entries(members).map(([key, value]) => [quoted(key), value]),
});
const list = (...items: Node[]): Node => ({ items });
const strings = (...texts: string[]): Node => ({ items: texts.map(quoted) });
const isMembers = (node: Node): node is Members => typeof node === 'object' && 'members' in node;
const copy = (node: Node): Node => structuredClone(node);

/** Calls that neither runtime makes between loading a filter and waiting for its start. */
export const HARMLESS = [
  'mkdir',
  'rmdir',
  'personality',
  'umask',
  'sync',
  'alarm',
  'pause',
  'getpgrp',
  'times',
];
export const KEY = 'run.oci.seccomp_bpf_data';

export interface HostileOptions {
  /** Path of the container's root. */
  root: string;
  /**
   * Names of all calls of the architecture: what a list of allowed calls holds, so that the runtime
   * itself can go on.
   */
  calls: readonly string[];
  /** A few filters in base64, to be annotations. */
  filters: readonly string[];
}

/** Document number `number`. */
export function hostileDocument(number: number, options: HostileOptions): Buffer {
  const chance = makeChance(number);
  const root = honest(chance, options);
  // One in ten stays as it is.
  const damages = chance.below(10) === 0 ? 0 : 1 + chance.below(3);
  const late: Damage[] = [];
  for (let count = 0; count < damages; count++) {
    if (chance.below(3) === 0) late.push(chance.one(TEXT_DAMAGES));
    else chance.one(TREE_DAMAGES)(root, chance, options);
  }
  return Buffer.from(
    late.reduce((text, damage) => damage(text, chance), write(root)),
    'latin1',
  );
}

function honest(chance: Chance, options: HostileOptions): Members {
  const namespaces = list(object({ type: '"pid"' }), object({ type: '"mount"' }));
  return object({
    ociVersion: '"1.0.2"',
    root: object({ path: quoted(options.root), readonly: 'true' }),
    process: object({
      terminal: 'false',
      user: object({ uid: '0', gid: '0' }),
      cwd: '"/"',
      // So that both runtimes load the filter before they wait for the start.
      noNewPrivileges: 'false',
      env: strings('PATH=/bin'),
      args: strings('/bin/true'),
    }),
    mounts: list(object({ destination: '"/proc"', type: '"proc"', source: '"proc"' })),
    annotations: object({ 'org.example': '"x"' }),
    linux: object({ namespaces, seccomp: profile(chance, options), maskedPaths: list() }),
  });
}

function profile(chance: Chance, { calls }: HostileOptions): Members {
  const allows = chance.below(4) > 0;
  const names = [...HARMLESS];
  const entries = Array.from({ length: 1 + chance.below(3) }, () => {
    const own = Array.from(
      { length: 1 + chance.below(2) },
      () => names.splice(chance.below(names.length), 1)[0]!,
    );
    return entry(own, chance);
  });
  const rest = calls.filter((name) => !HARMLESS.includes(name));
  const architectures = chance.one([[], [], ['X86_64'], ['X86_64', 'X86'], ['X86_64', 'X86', 'X32']]);
  return object({
    defaultAction: allows ? '"SCMP_ACT_ALLOW"' : '"SCMP_ACT_ERRNO"',
    ...(allows || chance.below(2) === 0 ? {} : { defaultErrnoRet: String(30 + chance.below(60)) }),
    ...(architectures.length === 0
      ? {}
      : { architectures: strings(...architectures.map((name) => `SCMP_ARCH_${name}`)) }),
    syscalls: list(
      ...entries,
      ...(allows ? [] : [object({ names: strings(...rest), action: '"SCMP_ACT_ALLOW"' })]),
    ),
  });
}

function entry(names: readonly string[], chance: Chance): Members {
  const action = chance.one(['ERRNO', 'ERRNO', 'ERRNO', 'TRAP', 'KILL', 'KILL_PROCESS', 'TRACE']);
  const takesErrno = action === 'ERRNO' || action === 'TRACE';
  return object({
    names: strings(...names),
    action: `"SCMP_ACT_${action}"`,
    ...(takesErrno && chance.below(4) > 0 ? { errnoRet: String(2 + chance.below(100)) } : {}),
    // One condition on a small constant: what libseccomp compiles rightly (docs/semantics.md 14).
    ...(chance.below(2) === 0 ? { args: list(argument(chance)) } : {}),
  });
}

function argument(chance: Chance): Members {
  const op = chance.one(['EQ', 'MASKED_EQ']);
  return object({
    index: String(chance.below(6)),
    value: String(1 + chance.below(7)),
    ...(op === 'EQ' ? {} : { valueTwo: String(chance.below(4)) }),
    op: `"SCMP_CMP_${op}"`,
  });
}

// -- damages of the tree

type TreeDamage = (root: Members, chance: Chance, options: HostileOptions) => void;
type Damage = (text: string, chance: Chance) => string;

/** An object of the document, and the path of keys to it. */
interface Place {
  node: Members;
  path: string;
}

function places(node: Node, path = ''): Place[] {
  if (typeof node === 'string') return [];
  if ('items' in node) return node.items.flatMap((item) => places(item, `${path}/-`));
  const inner = node.members.flatMap(([key, value]) => places(value, `${path}/${key.slice(1, -1)}`));
  return [{ node, path }, ...inner];
}

const MATTERS = /^(\/linux(\/seccomp(\/syscalls\/-(\/args\/-)?)?)?|\/annotations)?$/;

/** The objects that have to do with the filter. */
function concerned(root: Members): Place[] {
  return places(root).filter(({ path }) => MATTERS.test(path));
}

/**
 * A member that has to do with the filter, and its position; any member where earlier damages left
 * none of those.
 */
function someMember(root: Members, chance: Chance): Place & { at: number } {
  const found = concerned(root).filter(({ node }) => interesting(node).length > 0);
  if (found.length === 0) return { node: root, path: '', at: chance.below(root.members.length) };
  const place = chance.one(found);
  // Not process, root and the like, of which a container needs all.
  const isOuter = place.path === '' || place.path === '/linux';
  const at = isOuter ? chance.one(interesting(place.node)) : chance.below(place.node.members.length);
  return { ...place, at };
}

const INTERESTING = [
  'annotations', 'linux', 'seccomp', 'defaultAction', 'defaultErrnoRet', 'architectures', 'syscalls', 'names', 'action',
  'errnoRet', 'args', 'index', 'value', 'valueTwo', 'op', KEY,
]; // prettier-ignore

function interesting({ members }: Members): number[] {
  return [...members.keys()].filter((at) => INTERESTING.includes(members[at]![0].slice(1, -1)));
}

/** Another value for a member of that name. */
function other(key: string, now: Node, chance: Chance, options: HostileOptions): Node {
  if (chance.below(6) === 0)
    return chance.one<Node>(['null', list(), object({}), '""', '5', 'true', list('null')]);
  switch (key.replace(/\\.*/s, '').toLowerCase()) {
    case 'linux':
      return object({
        namespaces: list(object({ type: '"pid"' }), object({ type: '"mount"' })),
        ...(chance.below(3) === 0 ? {} : { seccomp: profile(chance, options) }),
      });
    case 'seccomp':
      return profile(chance, options);
    case 'annotations':
      return object({ [KEY]: quoted(chance.one(options.filters)) });
    case 'defaultaction':
    case 'action':
      return chance.one(['"SCMP_ACT_ALLOW"', '"SCMP_ACT_ERRNO"', '"SCMP_ACT_TRAP"', '"scmp_act_allow"']);
    case 'architectures':
      return strings(chance.one(['SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_S390X', 'x86', 'nonsense']));
    case 'syscalls':
      return list(entry([chance.one(HARMLESS)], chance), entry([chance.one(HARMLESS)], chance));
    case 'names':
      return strings(
        ...Array.from({ length: chance.below(4) }, () => chance.one([...HARMLESS, 'nosuchcall'])),
      );
    case 'args':
      return list(...Array.from({ length: chance.below(3) }, () => argument(chance)));
    case 'op':
      return chance.one(['"SCMP_CMP_NE"', '"SCMP_CMP_GT"', '"SCMP_CMP_EQ"', '"=="']);
    case KEY:
      return quoted(chance.one(options.filters));
    case 'errnoret':
    case 'defaulterrnoret':
    case 'index':
    case 'value':
    case 'valuetwo':
      return numberText(typeof now === 'string' ? now : '7', chance);
    default:
      return '"y"';
  }
}

/** Number texts of which some are no JSON, or no number of a profile. */
function numberText(now: string, chance: Chance): string {
  return chance.one([
    `${chance.below(120)}`, `${now}.0`, `${now}e0`, `${now}E+0`, `0${now}`, `-${now}`, `+${now}`, '-0', `"${now}"`, '1e3',
    '4294967296', `429496729${6 + chance.below(4)}`, '18446744073709551615', '18446744073709551616', '-1', '0x5', '5.5',
    '1e400', '-18446744073709551611', 'NaN', '.5', '5.', '99999999999999999999999', 'Infinity', '01', '- 1',
  ]); // prettier-ignore
}

/** The same letters to a reader that ignores case, or nearly the same. */
function inAnotherCase(key: string, chance: Chance): string {
  const text = key.slice(1, -1);
  const turned = chance.one([
    text.toUpperCase(),
    `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`,
    text.toLowerCase(),
    text.replace('s', bytes('\u017f')),
    text.replace('s', String.raw`\u017f`),
    text.replace(/k/i, bytes('\u212a')),
    text.replace('i', bytes('\u0131')),
    text.replace('fl', bytes('\ufb02')),
  ]);
  return `"${turned}"`;
}

/** A key that ends for a reader of C strings where the given one ends. */
function withNul(key: string, chance: Chance): string {
  return `${key.slice(0, -1)}${chance.one([String.raw`\u0000`, String.raw`\u0000x`, '\0', '\0x'])}"`;
}

function escaped(token: string, chance: Chance): string {
  const at = 1 + chance.below(Math.max(1, token.length - 2));
  const code = token.charCodeAt(at);
  if (token[at] === '\\' || token[at] === '"' || code > 126) return token;
  return `${token.slice(0, at)}\\u00${code.toString(16).padStart(2, '0')}${token.slice(at + 1)}`;
}

/** Puts another member of a name that is like the given one in front of a member, or behind. */
function rival(change: (key: string, chance: Chance) => string): TreeDamage {
  return (root, chance, options) => {
    const { node, at } = someMember(root, chance);
    const [key, value] = node.members[at]!;
    const added: [string, Node] = [
      change(key, chance),
      chance.below(4) === 0 ? copy(value) : other(key.slice(1, -1), value, chance, options),
    ];
    node.members.splice(at + chance.below(2), 0, added);
  };
}

function renamed(change: (key: string, chance: Chance) => string): TreeDamage {
  return (root, chance) => {
    const { node, at } = someMember(root, chance);
    node.members[at]![0] = change(node.members[at]![0], chance);
  };
}

/** A string in a list or a member, of those that have a meaning. */
function someString(root: Members, chance: Chance, change: (token: string) => string): void {
  const { node, at } = someMember(root, chance);
  const member = node.members[at]!;
  const [, value] = member;
  if (typeof value === 'string') {
    if (value.startsWith('"')) member[1] = change(value);
  } else if ('items' in value && value.items.length > 0) {
    const index = chance.below(value.items.length);
    const item = value.items[index]!;
    if (typeof item === 'string' && item.startsWith('"')) value.items[index] = change(item);
  }
}

const TREE_DAMAGES: readonly TreeDamage[] = [
  rival((key) => key),
  rival((key) => key),
  rival(inAnotherCase),
  rival(inAnotherCase),
  rival(inAnotherCase),
  rival(withNul),
  rival(withNul),
  rival(escaped),
  renamed(inAnotherCase),
  renamed(inAnotherCase),
  renamed(withNul),
  renamed(escaped),
  renamed((key) => key.replaceAll('"', "'")),
  renamed((key) => key.slice(1, -1)),
  renamed(
    (key, chance) => `${key.slice(0, -1)}${chance.one([' ', 's', '\t', '\\t', '\x7f', '\xff', '\\ud800'])}"`,
  ),
  (root, chance, options) => {
    const { node, at } = someMember(root, chance);
    const member = node.members[at]!;
    member[1] = other(member[0].slice(1, -1), member[1], chance, options);
  },
  (root, chance, options) => {
    const { node, at } = someMember(root, chance);
    const member = node.members[at]!;
    member[1] = other(member[0].slice(1, -1), member[1], chance, options);
  },
  (root, chance) => {
    const { node, at } = someMember(root, chance);
    node.members.splice(at, 1);
  },
  (root, chance) => someString(root, chance, (token) => withNul(token, chance)),
  (root, chance) => someString(root, chance, (token) => escaped(token, chance)),
  (root, chance) => someString(root, chance, (token) => token.replaceAll('"', "'")),
  (root, chance) =>
    someString(root, chance, (token) =>
      token.replace(
        /"$/,
        `${chance.one(['\t', '\n', '\x01', '\\n', ' ', '\xff', '\xc3', '\\ud800', '\\x41'])}"`,
      ),
    ),
  (root, chance) => {
    const lists = concerned(root)
      .flatMap(({ node }) => node.members.map(([, value]) => value))
      .filter((value) => typeof value !== 'string' && 'items' in value);
    const chosen = chance.one(lists);
    if (typeof chosen !== 'string' && 'items' in chosen)
      chosen.items.splice(chance.below(3), 0, chance.one<Node>(['null', '""', '0', object({}), list()]));
  },
  (root, chance, options) => {
    // A profile where no runtime looks, or where some might.
    const key = chance.one([
      'seccomp',
      'linux',
      'Seccomp',
      'defaultAction',
      'syscalls',
      'x',
      '',
      '__proto__',
    ]);
    const value =
      chance.below(2) === 0 ? profile(chance, options) : object({ seccomp: profile(chance, options) });
    const { members } = chance.one(concerned(root)).node;
    members.splice(chance.below(members.length + 1), 0, [quoted(key), value]);
  },
  (root, chance, options) => {
    const { members } = root;
    const annotations = members.find(([key]) => key === '"annotations"')?.[1] ?? object({});
    if (!isMembers(annotations)) return;
    const key = chance.one([
      quoted(KEY), quoted(KEY), quoted(KEY), withNul(quoted(KEY), chance), escaped(quoted(KEY), chance),
      inAnotherCase(quoted(KEY), chance),
    ]); // prettier-ignore
    const filter = chance.one(options.filters);
    const value = chance.one<Node>([
      quoted(filter), quoted(filter), quoted(filter), quoted(`${filter}\n`), quoted(`${filter}!`), quoted(`${filter}=`),
      quoted(`${filter.slice(0, 8)}\n${filter.slice(8)}`), `"${filter}\\u0000"`, 'null', '""', '5', list(quoted(filter)),
    ]); // prettier-ignore
    annotations.members.splice(chance.below(2), 0, [key, value]);
  },
  (root, chance) => {
    const depth = chance.one([5, 20, 31, 40, 99, 200, 2000]);
    const [open, close] = chance.one([['[', ']'], ['{"a":', '}']] as const); // prettier-ignore
    const value = `${open.repeat(depth)}${open === '[' ? '' : '1'}${close.repeat(depth)}`;
    chance.one(concerned(root)).node.members.push(['"deep"', value]);
  },
  (root, chance) => {
    const value = chance.one([
      'Null', 'TRUE', 'nan', '-Infinity', '007', '1.', '1e400', '-0', '-', '"\\u12"', '"\\x41"', "'a'", '"a\tb"', '"\\ud800"',
      '"\xff"', '"\xc1\xb3"', '"\xed\xa0\x80"', '"\\u0000"', '9'.repeat(400), "\"\\'\"", "'\",\"seccomp\":null,\"b\":\"'",
    ]); // prettier-ignore
    const { members } = chance.one(concerned(root)).node;
    members.splice(chance.below(members.length + 1), 0, ['"odd"', value]);
  },
];

// -- damages of the text, behind the process: without one there is nothing to start, and no filter
// is needed

/** Offsets between two tokens. */
function boundaries(text: string): number[] {
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs)];
  return tokens.map(({ index }) => index).filter((at) => at >= text.indexOf('"mounts"'));
}

function inserted(pieces: readonly string[]): Damage {
  return (text, chance) => {
    const at = chance.one(boundaries(text));
    return text.slice(0, at) + chance.one(pieces) + text.slice(at);
  };
}

const TEXT_DAMAGES: readonly Damage[] = [
  inserted(['/* x */', '// x\n', '# x\n', '/*", "*/', '/*/', '//']),
  inserted([' ', '\t', '\r\n', '\f', '\v', '\0', '\x01', '\xa0', bytes('\u2028'), bytes('\ufeff')]),
  inserted([',', ',,', ':', '"', "'", '{', '}', '[', ']', 'null', 'x']),
  (text, chance) =>
    text +
    chance.one([
      ' ',
      '\n',
      '\f',
      '\0',
      '\0{}',
      '}',
      ']',
      ',',
      'x',
      '{}',
      '/* x */',
      '/*',
      '// x',
      '# x',
      text,
    ]),
  (text, chance) =>
    chance.one([bytes('\ufeff'), ' ', '\f', '\v', '\0', '/* x */', '// x\n', '\xa0', '\xff']) + text,
  (text, chance) => text.slice(0, text.length - 1 - chance.below(3)),
  (text, chance) => {
    const ends = boundaries(text).filter((offset) => /[}\]]/.test(text[offset]!));
    const at = chance.one(ends);
    return `${text.slice(0, at)},${text.slice(at)}`;
  },
  (text, chance) => {
    const starts = boundaries(text);
    const from = chance.one(starts);
    return text.slice(0, from) + text.slice(starts[starts.indexOf(from) + 1] ?? from);
  },
  (text) => text.replace(/[,:]/g, '$& '),
  (text) => text.replaceAll('","', '",\n"'),
  (text, chance) => {
    const start = text.indexOf('"mounts"');
    const at = start + chance.below(text.length - start);
    return text.slice(0, at) + String.fromCharCode(chance.below(256)) + text.slice(at + 1);
  },
];

function write(node: Node): string {
  if (typeof node === 'string') return node;
  if ('items' in node) return `[${node.items.map(write).join(',')}]`;
  return `{${node.members.map(([key, value]) => `${key}:${write(value)}`).join(',')}}`;
}
