/**
 * The profile's answer to one call, rule by rule on plain numbers: what a witness is checked
 * against.
 */
import type { SeccompData } from '../../bpf/instruction.ts';
import { Undecided } from '../bdd/bdd.ts';
import type { Comparison, ReferenceArch } from './reference.ts';
import { BAD_ARCH_ACTION } from './reference.ts';

/** u32 return value. */
export function answerOf(arches: readonly ReferenceArch[], data: SeccompData): number {
  const arch = arches.find(({ auditArch }) => auditArch === data.arch);
  const span = arch?.spans.find(({ to }) => data.nr <= to);
  if (!span) return BAD_ARCH_ACTION;
  const rule = span.rules.find(({ comparisons }) =>
    comparisons.every((comparison) => holds(comparison, data)),
  );
  return rule?.action ?? span.otherwise;
}

function holds({ arg, op, value, valueTwo, bits }: Comparison, { args }: SeccompData): boolean {
  const x = BigInt.asUintN(bits, args[arg]!);
  switch (op) {
    case 'SCMP_CMP_EQ':
      return x === value;
    case 'SCMP_CMP_NE':
      return x !== value;
    case 'SCMP_CMP_LT':
      return x < value;
    case 'SCMP_CMP_LE':
      return x <= value;
    case 'SCMP_CMP_GT':
      return x > value;
    case 'SCMP_CMP_GE':
      return x >= value;
    case 'SCMP_CMP_MASKED_EQ':
      return (x & value) === (valueTwo & value);
    default:
      throw new Undecided(`unknown operator ${String(op)}`);
  }
}
