import type { Arch } from '../../arch.ts';
import { diagnostic } from '../../errors.ts';
import { constantTruth, normalise } from '../../policy/condition.ts';
import type { SyscallArg, SyscallEntry } from '../../profile/types.ts';
import { signatureOf } from '../../syscalls/signatures.ts';
import { listed } from '../rule.ts';
import type { Rule, Subject } from '../rule.ts';

export const conditionWithoutEffect: Rule = {
  code: 'CONDITION_WITHOUT_EFFECT',
  reason:
    'A condition can be about something else than its author means: a pointer, a register that the kernel does not read, the flags of another architecture.',
  evidence:
    'The prototypes of syscall-tables/arguments.tsv: mmap of x86 and s390 takes a struct, clone of s390 its flags second.',
  *find(subject) {
    for (const { entry } of subject.survey.entries)
      for (const [index, arg] of entry.args.entries()) {
        const why = byItself(arg, subject) ?? byCall(entry, arg, subject);
        if (why === undefined) continue;
        const pointer = `${entry.pointer}/args/${index}`;
        const [text, hint] = why;
        yield {
          diagnostic: diagnostic('CONDITION_WITHOUT_EFFECT', { why: text }, { pointer, hint }),
        };
      }
  },
};

type Why = [text: string, hint: string];

/** What is wrong with a condition whatever the call. */
function byItself(arg: SyscallArg, { lowered: { arches } }: Subject): Why | undefined {
  const { op, value, valueTwo } = arg;
  if (op === 'SCMP_CMP_MASKED_EQ' && (valueTwo & ~value) !== 0n)
    return [
      `"value" is the mask, and the bits 0x${(valueTwo & ~value).toString(16)} of "valueTwo" are outside it, so they are not compared`,
      'put the mask into "value", and what must be there under it into "valueTwo"',
    ];
  const truths = new Set(arches.map(({ wordBits }) => constantTruth(normalise(arg, wordBits))));
  const [truth] = truths;
  if (truths.size > 1 || truth === undefined) return undefined;
  return truth
    ? ['it holds for every value', 'remove it, or correct the constant']
    : ['it holds for no value, so the rule never matches', 'correct the constant, or remove the entry'];
}

/**
 * The first call and architecture on which the argument is not what a number can be compared with.
 */
function byCall(entry: SyscallEntry, arg: SyscallArg, { lowered }: Subject): Why | undefined {
  const { tables } = lowered.reference;
  for (const name of entry.names ?? []) {
    const having = lowered.arches.filter((arch) => tables.of(arch.name).numberOf(name) !== undefined);
    const faults = having.flatMap((arch) => {
      const why = faultOn(arch, name, arg);
      return why === undefined ? [] : [{ arch, why }];
    });
    const [first] = faults;
    if (first === undefined) continue;
    const same = faults.filter(({ why }) => why[0] === first.why[0]).map(({ arch }) => arch.name);
    return [`on ${listed(same)}, ${first.why[0]}`, first.why[1]];
  }
  return undefined;
}

function faultOn(arch: Arch, name: string, { index, op, value, valueTwo }: SyscallArg): Why | undefined {
  const signature = signatureOf(arch, name);
  if (signature === undefined) return undefined;
  const { args, form } = signature;
  const argument = args[index];
  if (argument === undefined && form?.kind === 'struct')
    return [
      `${name} takes a pointer to a struct of its arguments, so argument ${index} is no argument of it`,
      `no filter sees them: decide ${name} without conditions there, in an entry of its own`,
    ];
  if (form?.kind === 'multiplexer' && index > 0)
    return [
      `argument ${index} of ${name} is another one for each call that it carries`,
      'name the calls themselves',
    ];
  if (argument === undefined || argument.bits === 0)
    return [
      `${name} has ${args.length === 0 ? 'no arguments' : `arguments 0 to ${args.length - 1} only`}, so this is whatever is left in a register`,
      'correct the index',
    ];
  const flags = args.findIndex((each) => each.name === 'clone_flags');
  if (name === 'clone' && index !== flags && args[index]!.name === 'newsp')
    return [
      `argument ${index} of clone is its stack; the flags are argument ${flags}`,
      `use index ${flags} there, in an entry for these architectures`,
    ];
  const constant = op === 'SCMP_CMP_MASKED_EQ' ? valueTwo : value;
  if (argument.pointer && constant !== 0n)
    return [
      `argument ${index} of ${name} (${argument.name}) is an address; what is there cannot be compared`,
      'decide the call without this condition',
    ];
  return undefined;
}
