import type { Seccomp } from './types.ts';

/**
 * `linux.seccomp` as JSON: numbers exact, indented by two spaces, ending with a newline. Members
 * are in the order of the runtime-spec, entries in that of the profile.
 */
export function formatOci(seccomp: Seccomp): string {
  const { defaultAction, defaultErrnoRet, architectures, flags, listenerPath, listenerMetadata } = seccomp;
  const object = {
    defaultAction,
    defaultErrnoRet,
    architectures: unlessEmpty(architectures.map(({ name }) => name)),
    // An empty list is not an absent one: it takes SPEC_ALLOW away.
    flags,
    listenerPath,
    listenerMetadata,
    syscalls: seccomp.syscalls.map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      errnoRet,
      args: unlessEmpty(
        args.map(({ index, value, valueTwo, op }) => ({ index, value, valueTwo: valueTwo || undefined, op })),
      ),
    })),
  };
  return `${format(object, '')}\n`;
}

function unlessEmpty<Item>(list: Item[]): Item[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** `JSON.stringify(value, null, 2)`, which would refuse a bigint. */
function format(value: unknown, indent: string): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const parts = Array.isArray(value)
    ? value.map((item) => format(item, inner))
    : members.map(([key, member]) => `${JSON.stringify(key)}: ${format(member, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (parts.length === 0) return `${open}${close}`;
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
}
