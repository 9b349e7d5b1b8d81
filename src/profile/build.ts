import { ACTION_NAMES } from '../action.ts';
import type { ActionName } from '../action.ts';
import type { JsonNode } from './json.ts';
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
  const isSound = soundParts(faults);
  const syscalls = elements(tree, 'syscalls', prefix, isSound).map(({ node, pointer }): SyscallEntry => {
    const names = member(node, 'names');
    const errnoRet = number(member(node, 'errnoRet'));
    return {
      names: names && strings(names),
      action: action(node),
      ...(errnoRet === undefined ? {} : { errnoRet }),
      args: args(node),
      pointer,
    };
  });
  return { ...buildHead(tree, prefix, isSound), syscalls, pointer: prefix };
}

export function buildDocker({ tree, prefix, faults }: Sound): DockerProfile {
  const isSound = soundParts(faults);
  const defaultErrno = isSound('/defaultErrno') ? optionalText(tree, 'defaultErrno') : undefined;
  const archMap = elements(tree, 'archMap', prefix, isSound).map(({ node, pointer }) => ({
    architecture: text(member(node, 'architecture')),
    subArchitectures: strings(member(node, 'subArchitectures')),
    pointer,
  }));
  const syscalls = elements(tree, 'syscalls', prefix, isSound).map(({ node, pointer }): DockerEntry => {
    const name = optionalText(node, 'name');
    const errnoRet = number(member(node, 'errnoRet'));
    const errno = optionalText(node, 'errno');
    return {
      ...(name === undefined ? {} : { name }),
      names: strings(member(node, 'names')),
      action: action(node),
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(errno === undefined ? {} : { errno }),
      args: args(node),
      includes: condition(member(node, 'includes')),
      excludes: condition(member(node, 'excludes')),
      pointer,
    };
  });
  const head = buildHead(tree, prefix, isSound);
  return { ...head, ...(defaultErrno === undefined ? {} : { defaultErrno }), archMap, syscalls };
}

type IsSound = (pointer: string) => boolean;
type Head = Omit<Seccomp, 'syscalls' | 'pointer'>;

/** Members that both forms share. */
function buildHead(tree: JsonNode, prefix: string, isSound: IsSound): Head {
  const soundMember = (key: string) => (isSound(`/${key}`) ? member(tree, key) : undefined);
  const defaultAction = optionalText(tree, 'defaultAction');
  const defaultErrnoRet = number(soundMember('defaultErrnoRet'));
  const listenerPath = text(soundMember('listenerPath'));
  const listenerMetadata = text(soundMember('listenerMetadata'));
  return {
    defaultAction: defaultAction === undefined ? undefined : known(defaultAction, ACTION_NAMES),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: elements(tree, 'architectures', prefix, isSound).map(({ node, pointer }) => ({
      name: text(node),
      pointer,
    })),
    flags: flags(tree, prefix, isSound),
    ...(listenerPath === '' ? {} : { listenerPath }),
    ...(listenerMetadata === '' ? {} : { listenerMetadata }),
  };
}

function flags(tree: JsonNode, prefix: string, isSound: IsSound): FlagName[] | undefined {
  if (member(tree, 'flags') === undefined) return undefined;
  return elements(tree, 'flags', prefix, isSound).map(({ node }) => known(text(node), FLAG_NAMES));
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
  isSound: IsSound,
): { node: JsonNode; pointer: string }[] {
  const list = member(tree, key);
  if (list?.kind !== 'array') return [];
  return list.items.flatMap((node, index) =>
    isSound(`/${key}/${index}`) ? [{ node, pointer: `${prefix}/${key}/${index}` }] : [],
  );
}

function text(node: JsonNode | undefined): string {
  return node?.kind === 'string' ? node.value : '';
}

/** Absent when empty too, which to Go is the same. */
function optionalText(node: JsonNode, key: string): string | undefined {
  return text(member(node, key)) || undefined;
}

function strings(node: JsonNode | undefined): string[] {
  return node?.kind === 'array' ? node.items.map(text) : [];
}

function integer(node: JsonNode | undefined): bigint {
  return node?.kind === 'number' ? BigInt(node.text) : 0n;
}

function number(node: JsonNode | undefined): number | undefined {
  return node && Number(integer(node));
}

/** @throws Error when the schema lets a word pass that the types do not have: the two must agree. */
function known<T extends string>(word: string, words: readonly T[]): T {
  const found = words.find((candidate) => candidate === word);
  if (found === undefined) throw new Error(`the schema let "${word}" pass`);
  return found;
}

function action(node: JsonNode): ActionName {
  return known(text(member(node, 'action')), ACTION_NAMES);
}

function args(node: JsonNode): SyscallArg[] {
  const list = member(node, 'args');
  if (list?.kind !== 'array') return [];
  return list.items.map((arg) => ({
    index: Number(integer(member(arg, 'index'))),
    value: integer(member(arg, 'value')),
    valueTwo: integer(member(arg, 'valueTwo')),
    op: known(text(member(arg, 'op')), OPERATOR_NAMES),
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
