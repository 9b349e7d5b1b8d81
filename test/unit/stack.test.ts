/**
 * Several filters of one thread: what the kernel makes of their answers, against another BPF
 * machine.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encode } from '../../src/bpf/instruction.ts';
import type { SeccompData, SockFilter } from '../../src/bpf/instruction.ts';
import { runPrograms } from '../../src/bpf/stack.ts';
import { wordsOf } from '../../src/prove/bdd/input-words.ts';
import { canonicalSpace } from '../../src/prove/bdd/space.ts';
import { compare, fingerprint } from '../../src/prove/compare.ts';
import { isAlwaysAllowed } from '../../src/prove/program/bitmap.ts';
import { programsBdd } from '../../src/prove/program/stack-bdd.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { runs } from '../runs.ts';
import { insn } from './prove-programs.ts';

const X86_64 = 0xc000003e;
const [ALLOW, LOG, TRACE, NOTIFY] = [0x7fff0000, 0x7ffc0000, 0x7ff00000, 0x7fc00000];
const [ERRNO, TRAP, KILL_THREAD, KILL_PROCESS] = [0x00050000, 0x00030000, 0, 0x80000000];
/** seccomp(2), in the order of precedence. */
const STRICTEST_FIRST = [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, NOTIFY, TRACE, LOG, ALLOW];

/**
 * The kernel's answer by the words of seccomp(2): each filter runs, the newest first, and the first
 * of the strictest counts.
 */
function kernelAnswer(
  stack: readonly (readonly SockFilter[])[],
  { nr, arch, args, ip }: SeccompData,
): number {
  const newestFirst = stack
    .map((program) => runProgram(readProgram(encode(program, 'little'), false), { nr, arch, args, ip }))
    .toReversed();
  const place = (answer: number) => STRICTEST_FIRST.indexOf((answer & 0xffff0000) >>> 0);
  const strictest = Math.min(...newestFirst.map(place));
  const answer = newestFirst.find((each) => place(each) === strictest)!;
  return (answer & 0xffff0000) === ALLOW ? ALLOW : answer;
}

const call = (nr: number, ...args: bigint[]): SeccompData => ({
  nr,
  arch: X86_64,
  ip: 0n,
  args: Array.from({ length: 6 }, (_, index) => args[index] ?? 0n),
});
const always = (answer: number) => [insn('ret', answer)];
/**
 * One answer for a number, perhaps only for a low word of the first argument, and another for all
 * other calls.
 */
function filterOf({
  nr,
  low,
  answer,
  otherwise,
}: {
  nr: number;
  low?: number | undefined;
  answer: number;
  otherwise: number;
}) {
  const condition = low === undefined ? [] : [insn('ld abs', 16), insn('jeq', low, 0, 1)];
  return [
    insn('ld abs'),
    insn('jeq', nr, 0, condition.length + 1),
    ...condition,
    insn('ret', answer),
    insn('ret', otherwise),
  ];
}
const stackOf = (...stack: SockFilter[][]) => ({ stack, endian: 'little' as const });
const single = (program: SockFilter[]) => ({ program, endian: 'little' as const });

describe('the filters of a thread', () => {
  it('give the strictest action, in the order of the kernel, whichever filter is older', () => {
    for (const [at, strict] of STRICTEST_FIRST.entries())
      for (const mild of STRICTEST_FIRST.slice(at + 1))
        for (const stack of [stackOf(always(strict), always(mild)), stackOf(always(mild), always(strict))]) {
          expect(kernelAnswer(stack.stack, call(1))).toBe(strict);
          expect(runPrograms(stack, call(1)).value).toBe(strict);
          expect(compare(single(always(strict)), stack).verdict).toBe('holds');
          expect(compare(single(always(mild)), stack).verdict).toBe('broken');
        }
  });

  it('give the data of the newest filter among equal actions, and none with ALLOW', () => {
    const errnos = stackOf(always(ERRNO | 1), always(ERRNO | 38), always(LOG));
    expect(runPrograms(errnos, call(1))).toMatchObject({ value: ERRNO | 38, by: 1, steps: 3, path: [0] });
    expect(compare(single(always(ERRNO | 38)), errnos).verdict).toBe('holds');
    const allowing = stackOf(always(ALLOW | 7), always(ALLOW | 9));
    expect(runPrograms(allowing, call(1))).toMatchObject({ value: ALLOW, by: undefined });
    expect(compare(single(always(ALLOW)), allowing).verdict).toBe('holds');
  });

  it('answer every call as another machine says, in the interpreter and as a diagram', () => {
    const number = fc.integer({ min: 0, max: 3 });
    const answer = fc
      .tuple(fc.constantFrom(...STRICTEST_FIRST), fc.constantFrom(0, 1, 2))
      .map(([action, data]) => (action | data) >>> 0);
    const filter = fc.record({
      nr: number,
      low: fc.option(number, { nil: undefined }),
      answer,
      otherwise: answer,
    });
    fc.assert(
      fc.property(fc.array(filter.map(filterOf), { minLength: 1, maxLength: 4 }), (stack) => {
        const { bdd, ...rest } = canonicalSpace(undefined);
        const root = programsBdd({ bdd, ...rest }, stackOf(...stack));
        for (let nr = 0; nr < 5; nr++)
          for (let low = 0n; low < 5n; low++) {
            const data = call(nr, low);
            const wanted = kernelAnswer(stack, data);
            expect(runPrograms(stackOf(...stack), data).value).toBe(wanted);
            expect(bdd.evaluate(root, wordsOf(data))).toBe(wanted);
          }
      }),
      { numRuns: runs(100, 500) },
    );
  });

  const denyTwo = [
    filterOf({ nr: 10, answer: ERRNO | 1, otherwise: ALLOW }),
    filterOf({ nr: 11, low: 3, answer: ERRNO | 1, otherwise: ALLOW }),
  ];

  it('are compared as one, with calls that show each difference', () => {
    const result = compare(single(denyTwo[0]!), stackOf(...denyTwo));
    const { nr, args } = call(11, 3n);
    expect(result).toMatchObject({
      verdict: 'broken',
      differences: [{ data: { nr, args }, first: ALLOW, second: ERRNO | 1 }],
    });
    // Another order of the same filters means the same, and so does one of them twice.
    expect(compare(stackOf(...denyTwo), stackOf(...denyTwo.toReversed(), denyTwo[0]!)).verdict).toBe('holds');
    expect(compare(single(denyTwo[0]!), stackOf(...denyTwo), { relation: 'tightens' }).verdict).toBe('holds');
    expect(compare(single(denyTwo[0]!), stackOf(...denyTwo), { relation: 'loosens' }).verdict).toBe('broken');
  });

  it('have the fingerprint of one filter that means the same', () => {
    const [twice, once] = [stackOf(denyTwo[0]!, denyTwo[0]!), single(denyTwo[0]!)].map((side) =>
      fingerprint(side),
    );
    expect(twice).toMatchObject({ verdict: 'made' });
    if (twice?.verdict !== 'made' || once?.verdict !== 'made') throw new Error('no fingerprint');
    expect(Buffer.from(twice.fingerprint).equals(once.fingerprint)).toBe(true);
  });

  it('stay undecided, and are never called equal, where the budget is too small', () => {
    const stack = stackOf(...denyTwo, ...denyTwo);
    expect(compare(stackOf(...denyTwo), stack, { nodeBudget: 20 })).toMatchObject({ verdict: 'undecided' });
    expect(compare(stackOf(...denyTwo), stack).verdict).toBe('holds');
  });

  it('are in the bitmap of the kernel only together', () => {
    const free = stackOf(filterOf({ nr: 10, answer: ERRNO, otherwise: ALLOW }), always(ALLOW));
    expect(isAlwaysAllowed(free, 'X86_64', call(9))).toBe(true);
    expect(isAlwaysAllowed(free, 'X86_64', call(10))).toBe(false);
    expect(isAlwaysAllowed(stackOf(...free.stack, always(LOG)), 'X86_64', call(9))).toBe(false);
  });
});
