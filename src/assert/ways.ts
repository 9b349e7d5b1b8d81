/** All ways in which a program can make a call, as sets of numbers and arguments. */
import { multiplexed } from '../policy/multiplex.ts';
import type { NamedCalls } from '../prove/compare.ts';
import type { ArgumentTest, CallSet } from '../prove/property.ts';
import type { Argument, ArgumentFacts } from './facts.ts';
import type { ArgumentPattern, CallPattern } from './parse.ts';

/** What is known of calls; an interface, so that it can be replaced. */
export type Facts = Pick<ArgumentFacts, keyof ArgumentFacts>;

export interface Context extends NamedCalls {
  facts: Facts;
  /** Only the values that programs pass, not each that the kernel takes for the same. */
  asPassed: boolean;
}

/**
 * The numbers and arguments by which a program makes a call: its own number, and those of
 * socketcall and ipc. Where a filter cannot see an argument, because it is behind a pointer, it can
 * have any value.
 */
export function waysTo({ name, args }: CallPattern, context: Context): CallSet[] {
  const { abi, table, facts, asPassed } = context;
  facts.checkCall(name);
  const { auditArch } = abi;
  const ways: CallSet[] = [];
  const nr = table.numberOf(name);
  if (nr !== undefined) {
    const tests = args.flatMap((pattern, place): ArgumentTest[] => {
      const argument = pattern && facts.argument(abi, name, pattern.name ?? place);
      return argument === undefined ? [] : [testOf(pattern!, argument, name, context)];
    });
    ways.push({ auditArch, from: nr, to: nr, tests });
  }
  const mux = multiplexed(name, abi);
  if (mux !== undefined) {
    // The first argument is an int. ipc(2) keeps its low half: the rest is a version.
    const mask = mux.by === 'ipc' ? 0xffffn : 0xffffffffn;
    const extended = asPassed && abi.wordBits === 64;
    const selector = {
      arg: 0,
      bits: 32,
      signed: false,
      comparator: '==',
      value: mux.call,
      mask,
      extended,
    } as const;
    ways.push({ auditArch, from: mux.nr, to: mux.nr, tests: [selector] });
  }
  return ways;
}

function testOf(
  { comparator, mask, value }: ArgumentPattern,
  { index: arg, bits, signed }: Argument,
  call: string,
  { abi, facts, asPassed }: Context,
): ArgumentTest {
  const cut = (constant: bigint) => BigInt.asUintN(bits, constant);
  const wanted = facts.value(abi, call, arg, value);
  const among = mask === undefined ? facts.field(abi, call, arg, wanted) : facts.value(abi, call, arg, mask);
  const extended = asPassed && bits < abi.wordBits;
  return { arg, bits, signed, comparator, value: cut(wanted), mask: cut(among ?? -1n), extended };
}
