import type { ActionName } from '../action.ts';
import type { FlagName, OperatorName, Seccomp } from './types.ts';

/** `linux.seccomp` as JSON has it, but for the 64-bit numbers. Absent members are not there. */
export interface OciSeccomp {
  defaultAction?: ActionName;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: FlagName[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: OciSyscall[];
}

export interface OciSyscall {
  names?: string[];
  action: ActionName;
  errnoRet?: number;
  args?: { index: number; value: bigint; valueTwo?: bigint; op: OperatorName }[];
}

/** The object that a config.json takes; members in the order of the runtime-spec, entries in that of the profile. */
export function toOciObject(seccomp: Seccomp): OciSeccomp {
  const { defaultAction, defaultErrnoRet, architectures, flags, listenerPath, listenerMetadata } = seccomp;
  return {
    ...(defaultAction === undefined ? {} : { defaultAction }),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(architectures.length === 0 ? {} : { architectures: architectures.map(({ name }) => name) }),
    // An empty list is not an absent one: it takes SPEC_ALLOW away.
    ...(flags === undefined ? {} : { flags }),
    ...(listenerPath === undefined ? {} : { listenerPath }),
    ...(listenerMetadata === undefined ? {} : { listenerMetadata }),
    syscalls: seccomp.syscalls.map(({ names, action, errnoRet, args }) => ({
      ...(names === undefined ? {} : { names }),
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args.length === 0
        ? {}
        : {
            args: args.map(({ index, value, valueTwo, op }) => ({
              index,
              value,
              ...(valueTwo === 0n ? {} : { valueTwo }),
              op,
            })),
          }),
    })),
  };
}

/** The same as JSON text, numbers exact, indented by two spaces, ending with a newline. */
export function formatOci(seccomp: Seccomp): string {
  return `${format(toOciObject(seccomp), '')}\n`;
}

/** `JSON.stringify(value, null, 2)`, which would refuse a bigint. */
function format(value: unknown, indent: string): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((item) => format(item, inner))
    : Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${format(member, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (parts.length === 0) return `${open}${close}`;
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${indent}${close}`;
}
