import { ACTION_NAMES } from '../action.ts';
import { tokensOf } from './pointer.ts';
import { FLAG_NAMES, OPERATOR_NAMES } from './types.ts';
import type {
  DockerCondition,
  DockerEntry,
  DockerProfile,
  FlagName,
  Seccomp,
  SyscallArg,
  SyscallEntry,
} from './types.ts';

/**
 * From validated values to typed ones. What a fault stands in is left out: an entry as a whole, so that no
 * rule ever means something else than was written.
 */
export interface Sound {
  /** The object of the profile, with known members only, as plain values; whole numbers are bigints. */
  value: unknown;
  /** Pointer of that object in the user's document. */
  prefix: string;
  /** Pointers, from the object, of what is faulty. */
  faults: readonly string[];
}

type Values = Readonly<Record<string, unknown>>;

export function buildSeccomp({ value, prefix, faults }: Sound): Seccomp {
  const profile = object(value);
  const isSound = soundParts(faults);
  const syscalls = elements(profile, 'syscalls', prefix, isSound).map(
    ({ element, pointer }): SyscallEntry => {
      const entry = object(element);
      const { names } = entry;
      const errnoRet = number(entry['errnoRet']);
      return {
        names: isAbsent(names) ? undefined : strings(names),
        action: known(text(entry['action']), ACTION_NAMES),
        ...(errnoRet === undefined ? {} : { errnoRet }),
        args: args(entry['args']),
        pointer,
      };
    },
  );
  return { ...buildHead(profile, prefix, isSound), syscalls, pointer: prefix };
}

export function buildDocker({ value, prefix, faults }: Sound): DockerProfile {
  const profile = object(value);
  const isSound = soundParts(faults);
  const defaultErrno = isSound('/defaultErrno') ? optionalText(profile['defaultErrno']) : undefined;
  const archMap = elements(profile, 'archMap', prefix, isSound).map(({ element, pointer }) => {
    const { architecture, subArchitectures } = object(element);
    return { architecture: text(architecture), subArchitectures: strings(subArchitectures), pointer };
  });
  const syscalls = elements(profile, 'syscalls', prefix, isSound).map(({ element, pointer }): DockerEntry => {
    const entry = object(element);
    const name = optionalText(entry['name']);
    const errnoRet = number(entry['errnoRet']);
    const errno = optionalText(entry['errno']);
    return {
      ...(name === undefined ? {} : { name }),
      names: strings(entry['names']),
      action: known(text(entry['action']), ACTION_NAMES),
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(errno === undefined ? {} : { errno }),
      args: args(entry['args']),
      includes: condition(entry['includes']),
      excludes: condition(entry['excludes']),
      pointer,
    };
  });
  const head = buildHead(profile, prefix, isSound);
  return { ...head, ...(defaultErrno === undefined ? {} : { defaultErrno }), archMap, syscalls };
}

type IsSound = (pointer: string) => boolean;
type Head = Omit<Seccomp, 'syscalls' | 'pointer'>;

/** Members that both forms share. */
function buildHead(profile: Values, prefix: string, isSound: IsSound): Head {
  const sound = (key: string) => (isSound(`/${key}`) ? profile[key] : undefined);
  const defaultAction = optionalText(profile['defaultAction']);
  const defaultErrnoRet = number(sound('defaultErrnoRet'));
  const listenerPath = text(sound('listenerPath'));
  const listenerMetadata = text(sound('listenerMetadata'));
  return {
    defaultAction: defaultAction === undefined ? undefined : known(defaultAction, ACTION_NAMES),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: elements(profile, 'architectures', prefix, isSound).map(({ element, pointer }) => ({
      name: text(element),
      pointer,
    })),
    flags: flags(profile, prefix, isSound),
    ...(listenerPath === '' ? {} : { listenerPath }),
    ...(listenerMetadata === '' ? {} : { listenerMetadata }),
  };
}

function flags(profile: Values, prefix: string, isSound: IsSound): FlagName[] | undefined {
  if (isAbsent(profile['flags'])) return undefined;
  return elements(profile, 'flags', prefix, isSound).map(({ element }) => known(text(element), FLAG_NAMES));
}

/** Tells whether there is no fault at a pointer or below. */
function soundParts(faults: readonly string[]): IsSound {
  const faulty = new Set<string>();
  for (const fault of faults) {
    let pointer = '';
    for (const token of tokensOf(fault)) faulty.add((pointer += `/${token}`));
  }
  return (pointer) => !faulty.has(pointer);
}

function elements(
  profile: Values,
  key: string,
  prefix: string,
  isSound: IsSound,
): { element: unknown; pointer: string }[] {
  const list = profile[key];
  if (!Array.isArray(list)) return [];
  return list.flatMap((element: unknown, index) =>
    isSound(`/${key}/${index}`) ? [{ element, pointer: `${prefix}/${key}/${index}` }] : [],
  );
}

function object(value: unknown): Values {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Absent when empty too, which to Go is the same. */
function optionalText(value: unknown): string | undefined {
  return text(value) || undefined;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}

function integer(value: unknown): bigint {
  return typeof value === 'bigint' ? value : 0n;
}

function number(value: unknown): number | undefined {
  return isAbsent(value) ? undefined : Number(value);
}

/** @throws Error when the schema lets a word pass that the types do not have: the two must agree. */
function known<T extends string>(word: string, words: readonly T[]): T {
  const found = words[words.indexOf(word as T)];
  if (found === undefined) throw new Error(`the schema let "${word}" pass`);
  return found;
}

function args(list: unknown): SyscallArg[] {
  if (!Array.isArray(list)) return [];
  return list.map((element) => {
    const arg = object(element);
    return {
      index: Number(arg['index']),
      value: integer(arg['value']),
      valueTwo: integer(arg['valueTwo']),
      op: known(text(arg['op']), OPERATOR_NAMES),
    };
  });
}

function condition(value: unknown): DockerCondition {
  const { caps, arches, minKernel } = object(value);
  return {
    caps: strings(caps),
    arches: strings(arches),
    // Empty is not absent here: Docker reads it as 0.0.
    ...(isAbsent(minKernel) ? {} : { minKernel: text(minKernel) }),
  };
}
