/**
 * Which calls a profile always allows, by the prover, and which of them a program hides from the
 * kernel's bitmap.
 */
import { SECCOMP_RET_ALLOW } from '../../src/action.ts';
import type { ArchName } from '../../src/arch.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { abiOfCall } from '../../src/arch.ts';
import { BITMAP_NUMBERS, isConstantAllow } from '../../src/prove/program/bitmap.ts';
import { spanBdd } from '../../src/prove/profile/profile-bdd.ts';
import { Undecided } from '../../src/prove/bdd/bdd.ts';
import { resolveReference } from '../../src/prove/profile/reference.ts';
import type { Reference } from '../../src/prove/profile/reference.ts';
import { canonicalSpace } from '../../src/prove/bdd/space.ts';

/** A call that the profile always allows and that the kernel would still run the filter for. */
export interface BitmapLoss {
  abi: ArchName | undefined;
  auditArch: number;
  nr: number;
}

/**
 * The numbers below `numbers` that the profile always allows, for each audit arch of the filter,
 * ascending.
 * @throws Undecided
 */
export function constantAllowed(
  reference: Reference,
  options: { nodeBudget?: number; numbers?: number } = {},
): { auditArch: number; constant: number[] }[] {
  const numbers = options.numbers ?? BITMAP_NUMBERS;
  const space = canonicalSpace(options.nodeBudget);
  const allow = space.bdd.terminal(SECCOMP_RET_ALLOW);
  return resolveReference(reference).map(({ auditArch, spans }) => {
    const constant: number[] = [];
    for (const span of spans) {
      if (span.from >= numbers || spanBdd(space, span) !== allow) continue;
      for (let nr = span.from; nr <= span.to && nr < numbers; nr++) constant.push(nr);
    }
    return { auditArch, constant };
  });
}

/**
 * The calls that are constant in the profile and not in the program: none in a program this
 * compiler makes. Undefined when the profile is too large to be decided.
 */
export function bitmapLosses(
  program: readonly SockFilter[],
  reference: Reference,
  options: { nodeBudget?: number; numbers?: number } = {},
): BitmapLoss[] | undefined {
  try {
    return constantAllowed(reference, options).flatMap(({ auditArch, constant }) =>
      constant
        .filter((nr) => !isConstantAllow(program, auditArch, nr))
        .map((nr) => ({ abi: abiOfCall(auditArch, nr), auditArch, nr })),
    );
  } catch (error) {
    if (error instanceof Undecided) return undefined;
    throw error;
  }
}
