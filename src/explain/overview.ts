/** What a profile answers, by action: the calls of all its architectures in as few groups as there are answers. */
import type { Arch, ArchName } from '../arch.ts';
import type { LoweredProfile } from '../compile/lowered.ts';
import type { Decision, Policy } from '../policy/types.ts';
import { decisionOn } from './explain.ts';

/** Calls that get one answer on the same architectures. */
export interface AnswerGroup {
  /** u32 return value. */
  answer: number;
  arches: ArchName[];
  /** Sorted. */
  calls: string[];
}

/** A call whose answer depends on its arguments, and the architectures on which it does so in the same way. */
export interface ConditionalCall {
  call: string;
  arches: ArchName[];
  decision: Decision;
}

export interface Overview {
  /** What calls get that no rule is about: of each architecture's numbers without a name. */
  otherwise: number;
  groups: AnswerGroup[];
  conditional: ConditionalCall[];
}

/** The answers to all calls with a name, those that most calls get first; conditional calls by name. */
export function overviewOf({ policy, arches, reference }: LoweredProfile & { confined: true }): Overview {
  const constant = new Map<string, { answer: number; arches: ArchName[] }>();
  const conditional = new Map<string, ConditionalCall>();
  for (const arch of arches)
    for (const [nr, call] of reference.tables.of(arch.name).entries()) {
      const decision = decisionOn(policy, { arch: arch.auditArch, nr })!;
      const { rules, otherwise } = decision;
      const key = JSON.stringify([call, decisionText(decision)]);
      if (rules.length > 0) addArch(conditional, key, arch, { call, decision, arches: [] });
      else addArch(constant, JSON.stringify([call, otherwise]), arch, { answer: otherwise, arches: [] });
    }
  const groups = new Map<string, AnswerGroup>();
  for (const [key, { answer, arches: names }] of constant) {
    const [call] = JSON.parse(key) as [string, number];
    const group = groups.get(`${answer} ${names.join()}`) ?? { answer, arches: names, calls: [] };
    groups.set(`${answer} ${names.join()}`, group);
    group.calls.push(call);
  }
  for (const group of groups.values()) group.calls.sort();
  return {
    otherwise: unnamedAnswer(policy),
    groups: [...groups.values()].toSorted((a, b) => b.calls.length - a.calls.length),
    conditional: [...conditional.values()].toSorted((a, b) => (a.call < b.call ? -1 : 1)),
  };
}

function addArch<T extends { arches: ArchName[] }>(
  to: Map<string, T>,
  key: string,
  { name }: Arch,
  made: T,
): void {
  const known = to.get(key) ?? made;
  to.set(key, known);
  known.arches.push(name);
}

/** 0xffffffff is no call of any architecture, and no stub of x86_64 covers it. */
function unnamedAnswer({ arches: [native] }: Policy): number {
  return native!.ranges.at(-1)!.decision.otherwise;
}

function decisionText({ rules, otherwise }: Decision): string {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
  return text([
    rules.map(({ conditions, action }) => [conditions.map(({ bits: _, ...rest }) => rest), action]),
    otherwise,
  ]);
}
