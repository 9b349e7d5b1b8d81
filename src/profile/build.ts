import { ACTION_NAMES } from '../action.ts';
import { defined } from '../defined.ts';
import { itemsOf, valueOf } from './json.ts';
import type { JsonNode } from './json.ts';
import { tokensOf } from './pointer.ts';
import { FLAG_NAMES, OPERATOR_NAMES } from './types.ts';
import type { DockerCondition, DockerProfile, Seccomp, SyscallArg, SyscallEntry } from './types.ts';

/**
 * A validated profile. An entry with a fault is left out as a whole, so that no rule ever means
 * something else than what was written.
 */
export interface Validated {
  /** The object of the profile, with known members only. */
  node: JsonNode;
  /** Pointer of that object in the user's document. */
  prefix: string;
  /** Pointers, from the object, of what is faulty. */
  faults: readonly string[];
}

export function buildSeccomp(validated: Validated): Seccomp {
  const { head, elements } = partsOf(validated);
  const syscalls = elements('syscalls').map(({ element, pointer }): SyscallEntry => {
    const names = valueOf(element, 'names');
    return { names: isAbsent(names) ? undefined : strings(names), ...entry(element), pointer };
  });
  return { ...head, syscalls, pointer: validated.prefix };
}

export function buildDocker(validated: Validated): DockerProfile {
  const { head, sound, elements } = partsOf(validated);
  const archMap = elements('archMap').map(({ element, pointer }) => ({
    architecture: text(valueOf(element, 'architecture')),
    subArchitectures: strings(valueOf(element, 'subArchitectures')),
    pointer,
  }));
  const syscalls = elements('syscalls').map(({ element, pointer }) => ({
    ...defined({
      name: optionalText(valueOf(element, 'name')),
      errno: optionalText(valueOf(element, 'errno')),
    }),
    names: strings(valueOf(element, 'names')),
    ...entry(element),
    includes: condition(valueOf(element, 'includes')),
    excludes: condition(valueOf(element, 'excludes')),
    pointer,
  }));
  const defaultErrno = optionalText(sound('defaultErrno'));
  return { ...head, ...defined({ defaultErrno }), archMap, syscalls };
}

/** What both forms share, and how to get at the rest. */
function partsOf({ node, prefix, faults }: Validated) {
  const faulty = new Set<string>();
  for (const fault of faults) {
    let pointer = '';
    for (const token of tokensOf(fault)) faulty.add((pointer += `/${token}`));
  }
  const sound = (key: string) => (faulty.has(`/${key}`) ? undefined : valueOf(node, key));
  const elements = (key: string) =>
    itemsOf(valueOf(node, key)).flatMap((element, index) => {
      const pointer = `/${key}/${index}`;
      return faulty.has(pointer) ? [] : [{ element, pointer: `${prefix}${pointer}` }];
    });
  const defaultAction = optionalText(valueOf(node, 'defaultAction'));
  const flags = elements('flags').map(({ element }) => known(text(element), FLAG_NAMES));
  const head: Omit<Seccomp, 'syscalls' | 'pointer'> = {
    defaultAction: defaultAction === undefined ? undefined : known(defaultAction, ACTION_NAMES),
    ...defined({
      defaultErrnoRet: number(sound('defaultErrnoRet')),
      listenerPath: optionalText(sound('listenerPath')),
      listenerMetadata: optionalText(sound('listenerMetadata')),
    }),
    architectures: elements('architectures').map(({ element, pointer }) => ({
      name: text(element),
      pointer,
    })),
    flags: isAbsent(valueOf(node, 'flags')) ? undefined : flags,
  };
  return { head, sound, elements };
}

function entry(node: JsonNode): Pick<SyscallEntry, 'action' | 'errnoRet' | 'args'> {
  return {
    action: known(text(valueOf(node, 'action')), ACTION_NAMES),
    ...defined({ errnoRet: number(valueOf(node, 'errnoRet')) }),
    args: itemsOf(valueOf(node, 'args')).map(argument),
  };
}

function argument(node: JsonNode): SyscallArg {
  return {
    index: number(valueOf(node, 'index'))!,
    value: integer(valueOf(node, 'value')),
    valueTwo: integer(valueOf(node, 'valueTwo')),
    op: known(text(valueOf(node, 'op')), OPERATOR_NAMES),
  };
}

function condition(node: JsonNode | undefined): DockerCondition {
  const minKernel = valueOf(node, 'minKernel');
  return {
    caps: strings(valueOf(node, 'caps')),
    arches: strings(valueOf(node, 'arches')),
    // Empty is not absent here: Docker reads it as 0.0.
    ...defined({ minKernel: isAbsent(minKernel) ? undefined : text(minKernel) }),
  };
}

function isAbsent(node: JsonNode | undefined): boolean {
  return node === undefined || node.kind === 'null';
}

function text(node: JsonNode | undefined): string {
  return node?.kind === 'string' ? node.value : '';
}

/** Absent when empty too, which to Go is the same. */
function optionalText(node: JsonNode | undefined): string | undefined {
  return text(node) || undefined;
}

function strings(node: JsonNode | undefined): string[] {
  return itemsOf(node).map(text);
}

function integer(node: JsonNode | undefined): bigint {
  return node?.kind === 'number' ? BigInt(node.text) : 0n;
}

function number(node: JsonNode | undefined): number | undefined {
  return node?.kind === 'number' ? Number(node.text) : undefined;
}

/** @throws Error if the schema accepts a word that the types do not have */
function known<T extends string>(word: string, words: readonly T[]): T {
  const found = words[words.indexOf(word as T)];
  if (found === undefined) throw new Error(`the schema let "${word}" pass`);
  return found;
}
