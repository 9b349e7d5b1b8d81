/**
 * The kernel's prototypes of system calls: what include/linux/syscalls.h and the architectures' own
 * headers declare.
 */

/** One parameter. `name` is undefined where the header has only the type. */
export interface Parameter {
  readonly type: string;
  readonly name: string | undefined;
}

/**
 * By entry name without `sys_`. Where a header has one under several conditions, the key is
 * `name if CONDITION`.
 */
export type Prototypes = Map<string, readonly Parameter[]>;

/**
 * How an argument is kept, by its C type: bits with s or u for its sign; `sw` and `uw` are a word
 * of the kernel, `s64` and `u64` take two registers where a word has 32 bits, `p` is a pointer.
 * Source: include/linux/types.h, include/linux/compat.h, include/uapi/asm-generic/posix_types.h,
 * include/linux/key.h.
 */
export const TYPES: Readonly<Record<string, string>> = {
  ...each('s32', [
    'int',
    'pid_t',
    'clockid_t',
    'timer_t',
    'key_t',
    'key_serial_t',
    'mqd_t',
    'rwf_t',
    '__s32',
  ]),
  ...each('s32', ['compat_long_t', 'compat_pid_t', 'compat_off_t', 'compat_ssize_t', 'int32_t']),
  ...each('u32', ['unsigned int', 'unsigned', 'uint', 'uid_t', 'gid_t', 'qid_t', 'u32', '__u32', 'uint32_t']),
  ...each('u32', ['compat_ulong_t', 'compat_size_t', 'compat_uptr_t', 'compat_aio_context_t']),
  ...each('u32', ['enum landlock_rule_type']),
  ...each('u16', ['umode_t', 'old_uid_t', 'old_gid_t', 'compat_mode_t']),
  ...each('sw', ['long', 'off_t']),
  ...each('uw', ['unsigned long', 'size_t', 'aio_context_t', 'old_sigset_t']),
  ...each('s64', ['loff_t']),
  ...each('u64', ['u64']),
  ...each('p', ['__sighandler_t', 'cap_user_header_t', 'cap_user_data_t']),
};

function each(code: string, types: readonly string[]): Record<string, string> {
  return Object.fromEntries(types.map((type) => [type, code]));
}

/** The code of a type, see {@link TYPES}. @throws Error for a type that is not known. */
export function codeOf(type: string): string {
  if (type.includes('*')) return 'p';
  const code = TYPES[type.replace(/^const /, '')];
  if (code === undefined) throw new Error(`unknown type of an argument: ${type}`);
  return code;
}

/** Reads the prototypes in a header. @throws Error for a declaration that is not understood. */
export function parsePrototypes(file: string, text: string): Prototypes {
  const found: { name: string; condition: string; parameters: readonly Parameter[] }[] = [];
  const conditions: string[] = [];
  const plain = text
    .replaceAll(/\/\*[\s\S]*?\*\//g, ' ')
    .replaceAll(/\/\/.*/g, '')
    .replaceAll('\\\n', ' ');
  let statement = '';
  for (const line of plain.split('\n')) {
    const directive = /^\s*#\s*(if|ifdef|ifndef|else|elif|endif)\b\s*(.*?)\s*$/.exec(line);
    if (directive) {
      const [, kind, condition] = directive;
      if (kind === 'endif') conditions.pop();
      else if (kind === 'else') conditions.push(`!${conditions.pop()}`);
      else conditions.push(kind === 'ifndef' ? `!${condition}` : condition!);
      statement = '';
    } else if (!/^\s*#/.test(line)) statement += `${line}\n`;
    for (let end = statement.search(/[;{}]/); end >= 0; end = statement.search(/[;{}]/)) {
      const declaration = statement.slice(0, end).replaceAll(/\s+/g, ' ').trim();
      statement = statement.slice(end + 1);
      const match =
        /^(?:asmlinkage )?(?:long|int|ssize_t|unsigned long) ?(?:sys_|(?=compat_sys_))(\w+) ?\((.*)\)$/.exec(
          declaration,
        );
      if (match)
        found.push({
          name: match[1]!,
          condition: conditions.join(' '),
          parameters: parseParameters(match[2]!),
        });
      else if (/^asmlinkage .*\bsys_/.test(declaration))
        throw new Error(`${file}: not understood: ${declaration}`);
    }
  }
  return new Map(
    found.map(({ name, condition, parameters }) => [
      found.filter((other) => other.name === name).length > 1 ? `${name} if ${condition}` : name,
      parameters,
    ]),
  );
}

/** Reads the list between the parentheses. The registers of the caller are no arguments. */
export function parseParameters(list: string): Parameter[] {
  if (list === 'void' || list === '' || /^(const )?struct pt_regs \*/.test(list)) return [];
  return list.split(',').map((text) => {
    const plain = text
      .replaceAll(/__user\b/g, '')
      .replaceAll(/\s+/g, ' ')
      .replaceAll('* *', '**')
      .trim();
    const named = /^(.*?[\s*])(\w+)$/.exec(plain);
    const isNamed = named && !(plain in TYPES) && !/^(?:const )?(?:struct|union) \w+$/.test(plain);
    if (!isNamed) return { type: plain.replace(/\s*(\*+)$/, ' $1'), name: undefined };
    return { type: named[1]!.trim().replace(/\s*(\*+)$/, ' $1'), name: named[2]! };
  });
}
