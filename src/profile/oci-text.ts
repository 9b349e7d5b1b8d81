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
  return `${formatJson(object, '')}\n`;
}

function unlessEmpty<Item>(list: Item[]): Item[] | undefined {
  return list.length === 0 ? undefined : list;
}

/**
 * `JSON.stringify(value, null, unit)`, which would refuse a bigint. Members that are undefined are
 * left out.
 */
export function formatJson(value: unknown, indent: string, unit = '  '): string {
  const inner = `${indent}${unit}`;
  return joinJson(value, (each) => formatJson(each, inner, unit), {
    colon: ': ',
    comma: `,\n${inner}`,
    start: `\n${inner}`,
    end: `\n${indent}`,
  });
}

/** The same in one line, with blanks or without. */
export function formatLine(value: unknown, blank: '' | ' '): string {
  const isList = Array.isArray(value);
  const edge = isList ? '' : blank;
  const marks = { colon: `:${blank}`, comma: `,${blank}`, start: edge, end: edge };
  return joinJson(value, (each) => formatLine(each, blank), marks);
}

function joinJson(
  value: unknown,
  inside: (each: unknown) => string,
  { colon, comma, start, end }: Record<'colon' | 'comma' | 'start' | 'end', string>,
): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const parts = Array.isArray(value)
    ? value.map(inside)
    : members.map(([key, member]) => `${JSON.stringify(key)}${colon}${inside(member)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (parts.length === 0) return `${open}${close}`;
  return `${open}${start}${parts.join(comma)}${end}${close}`;
}
