/** One program, or all of a thread, as one function of the input. */
import { programsOf, strictest, UNREFUSED } from '../../bpf/stack.ts';
import type { Programs } from '../../bpf/stack.ts';
import type { Node } from '../bdd/bdd.ts';
import type { Space, TestGroup } from '../bdd/space.ts';
import { programBdd } from './program-bdd.ts';
import { programGroups } from './tested-bits.ts';

/** @throws Malformed, Undecided as {@link programBdd} */
export function programsBdd(space: Space, programs: Programs): Node {
  if ('program' in programs) return programBdd(space, programs.program, programs.endian);
  const { stack, endian } = programs;
  const { bdd } = space;
  let answer = bdd.terminal(UNREFUSED);
  for (const program of stack.toReversed())
    answer = bdd.combine(answer, programBdd(space, program, endian), strictest);
  return answer;
}

export function* groupsOfPrograms(programs: Programs): Generator<TestGroup> {
  for (const program of programsOf(programs)) yield* programGroups(program, programs.endian);
}
