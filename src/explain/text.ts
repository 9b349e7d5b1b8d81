/** Explanations as sentences. */
import { archOf } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import { describeCondition as describeComparison } from '../format/call.ts';
import type { Comparator, Condition, Decision } from '../policy/types.ts';
import { describeAnswer } from '../prove/describe.ts';
import type { Considered, Source } from './explain.ts';
import { INSTRUCTION_POINTER } from './filter-decisions.ts';

/** `domain == AF_VSOCK`, `(flags & CLONE_NEWUSER) == 0`. Load the facts about calls first. */
export function describeCondition(
  { arg, comparator, value, mask }: Condition,
  arch: ArchName,
  call: string | undefined,
): string {
  const constants = comparator === 'masked_eq' ? { value: mask, valueTwo: value } : { value, valueTwo: 0n };
  const op = comparator.toUpperCase() as Uppercase<Comparator>;
  const text = describeComparison(arch, call ?? '', { index: arg, op, ...constants });
  return arg === INSTRUCTION_POINTER ? text.replace(`args[${arg}]`, 'ip') : text;
}

/** `ERRNO EPERM (1) if args[0] == 0x28; otherwise ALLOW`: the first rule that holds decides. */
export function describeDecision(
  decision: Decision | undefined,
  arch: ArchName,
  call: string | undefined,
): string {
  if (decision === undefined) return 'depends on too many conditions to list';
  const { rules, otherwise } = decision;
  const parts = rules.map(({ conditions, action }) => {
    const all = conditions.map((condition) => describeCondition(condition, arch, call)).join(' && ');
    return `${describeAnswer(action, arch)} if ${all}`;
  });
  return [...parts, `otherwise ${describeAnswer(otherwise, arch)}`].join('; ');
}

/** Why an entry does not decide; `lineOf` names the place of another entry. */
export function describePart(
  { part, other, reason, failing = [], by }: Considered,
  { data, name, arch }: { data: SeccompData; name: string | undefined; arch: ArchName },
  lineOf: (pointer: string) => string,
): string {
  const through = by === undefined ? '' : ` (through ${by})`;
  const elsewhere = other === undefined ? 'another entry' : `the entry at ${lineOf(other)}`;
  switch (part) {
    case 'decides':
      return `decides${through}`;
    case 'repeats':
      return `gives the same answer${through}, but ${elsewhere} comes first`;
    case 'default':
      return `asks for ${reason}, which is the default action, so it makes no rule`;
    case 'left-out':
      return `is left out: ${reason ?? 'it has no names'}`;
    case 'shadowed':
      return `has no effect on this call${through}: ${elsewhere} decides it without conditions`;
    case 'yields':
      return `applies${through}, but ${elsewhere} is stricter or narrower`;
    case 'overruled':
      return `has no effect on this number${through}: the ENOSYS stub comes first`;
    case 'condition': {
      const broken = failing.map(
        (c) => `${describeCondition(c, arch, name)} does not hold for ${hex(data.args[c.arg]!)}`,
      );
      return `does not apply${through}: ${broken.join(', ')}`;
    }
  }
}

/** Where the answer comes from if no entry gives it. */
export function describeSource(source: Source, arch: ArchName, filterHas: boolean): string {
  switch (source) {
    case 'entry':
      return 'an entry';
    case 'default-action':
      return 'the default action: no entry applies';
    case 'enosys':
      return 'ENOSYS for calls that the profile does not know';
    case 'architecture':
      return filterHas
        ? `numbers that are no calls of ${archOf(arch).name}`
        : `${arch} is not an architecture of the filter`;
  }
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
