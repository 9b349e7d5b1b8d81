import type { ActionName } from '../action.ts';
import type { JsonNode } from './json.ts';
import { tokensOf } from './pointer.ts';
import type {
  DockerCondition,
  DockerEntry,
  DockerProfile,
  FlagName,
  OperatorName,
  Seccomp,
  SyscallArg,
  SyscallEntry,
} from './types.ts';

/**
 * From a validated tree to typed values. What a fault stands in is left out: an entry as a whole, so that no
 * rule ever means something else than was written.
 */
export interface Sound {
  /** The object of the profile, with known members only. */
  tree: JsonNode;
  /** Pointer of that object in the user's document. */
  prefix: string;
  /** Pointers, from the tree, of what is faulty. */
  faults: readonly string[];
}

export function buildSeccomp({ tree, prefix, faults }: Sound): Seccomp {
  const sound = soundParts(faults);
  return {
    ...buildHead(tree, prefix, sound),
    syscalls: elements(tree, 'syscalls', prefix, sound).map(({ node, pointer }): SyscallEntry => {
      const names = member(node, 'names');
      return {
        names: names && strings(names),
        action: action(node),
        ...optionalNumber(node, 'errnoRet'),
        args: args(node),
        pointer,
      };
    }),
    pointer: prefix,
  };
}

export function buildDocker({ tree, prefix, faults }: Sound): DockerProfile {
  const sound = soundParts(faults);
  return {
    ...buildHead(tree, prefix, sound),
    ...(sound('/defaultErrno') ? optionalString(tree, 'defaultErrno') : {}),
    archMap: elements(tree, 'archMap', prefix, sound).map(({ node, pointer }) => ({
      architecture: text(member(node, 'architecture')),
      subArchitectures: strings(member(node, 'subArchitectures')),
      pointer,
    })),
    syscalls: elements(tree, 'syscalls', prefix, sound).map(({ node, pointer }): DockerEntry => ({
      ...optionalString(node, 'name'),
      names: strings(member(node, 'names')),
      action: action(node),
      ...optionalNumber(node, 'errnoRet'),
      ...optionalString(node, 'errno'),
      args: args(node),
      includes: condition(member(node, 'includes')),
      excludes: condition(member(node, 'excludes')),
      pointer,
    })),
  };
}

/** Members that both forms share. */
function buildHead(tree: JsonNode, prefix: string, sound: (pointer: string) => boolean) {
  const defaultAction = member(tree, 'defaultAction');
  const flags = member(tree, 'flags');
  return {
    defaultAction: (text(defaultAction) || undefined) as ActionName | undefined,
    ...(sound('/defaultErrnoRet') ? optionalNumber(tree, 'defaultErrnoRet') : {}),
    architectures: elements(tree, 'architectures', prefix, sound).map(({ node, pointer }) => ({
      name: text(node),
      pointer,
    })),
    flags: flags && elements(tree, 'flags', prefix, sound).map(({ node }) => text(node) as FlagName),
    ...(sound('/listenerPath') ? optionalString(tree, 'listenerPath') : {}),
    ...(sound('/listenerMetadata') ? optionalString(tree, 'listenerMetadata') : {}),
  };
}

/** Tells whether there is no fault at a pointer or below. */
function soundParts(faults: readonly string[]): (pointer: string) => boolean {
  const faulty = new Set<string>();
  for (const fault of faults) {
    let pointer = '';
    for (const token of tokensOf(fault)) faulty.add((pointer += `/${token}`));
  }
  return (pointer) => !faulty.has(pointer);
}

/** Present and not null. */
function member(node: JsonNode, key: string): JsonNode | undefined {
  if (node.kind !== 'object') return undefined;
  const value = node.members.find((m) => m.key === key)?.value;
  return value?.kind === 'null' ? undefined : value;
}

function elements(
  tree: JsonNode,
  key: string,
  prefix: string,
  sound: (pointer: string) => boolean,
): { node: JsonNode; pointer: string }[] {
  const list = member(tree, key);
  if (list?.kind !== 'array') return [];
  return list.items.flatMap((node, index) =>
    sound(`/${key}/${index}`) ? [{ node, pointer: `${prefix}/${key}/${index}` }] : [],
  );
}

function text(node: JsonNode | undefined): string {
  return node?.kind === 'string' ? node.value : '';
}

function strings(node: JsonNode | undefined): string[] {
  return node?.kind === 'array' ? node.items.map(text) : [];
}

function integer(node: JsonNode | undefined): bigint {
  return node?.kind === 'number' ? BigInt(node.text) : 0n;
}

function optionalNumber<K extends string>(node: JsonNode, key: K): { [key in K]?: number } {
  const value = member(node, key);
  return value === undefined ? {} : ({ [key]: Number(integer(value)) } as { [key in K]: number });
}

/** Absent when empty too, which to Go is the same. */
function optionalString<K extends string>(node: JsonNode, key: K): { [key in K]?: string } {
  const value = text(member(node, key));
  return value === '' ? {} : ({ [key]: value } as { [key in K]: string });
}

function action(node: JsonNode): ActionName {
  return text(member(node, 'action')) as ActionName;
}

function args(node: JsonNode): SyscallArg[] {
  const list = member(node, 'args');
  if (list?.kind !== 'array') return [];
  return list.items.map((arg) => ({
    index: Number(integer(member(arg, 'index'))),
    value: integer(member(arg, 'value')),
    valueTwo: integer(member(arg, 'valueTwo')),
    op: text(member(arg, 'op')) as OperatorName,
  }));
}

function condition(node: JsonNode | undefined): DockerCondition {
  const minKernel = node && member(node, 'minKernel');
  return {
    caps: strings(node && member(node, 'caps')),
    arches: strings(node && member(node, 'arches')),
    // Empty is not absent here: Docker reads it as 0.0.
    ...(minKernel === undefined ? {} : { minKernel: text(minKernel) }),
  };
}
