/**
 * Which bits of the input each branch of a program tests: a hint for the order of variables, no
 * more.
 */
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { WORDS } from '../bdd/input-words.ts';
import type { Operand } from './decoded.ts';
import { decodeProgram, REGISTER_A, REGISTERS } from './decoded.ts';
import type { TestGroup } from '../bdd/space.ts';

/**
 * For each input word a mask (u32) of the bits that a value may depend on. Never changed once made.
 */
type Support = Uint32Array;

const NOTHING: Support = new Uint32Array(WORDS);

/**
 * One group for each branch, in program order. Masks are followed through AND; other operations
 * keep them.
 */
export function* programGroups(program: readonly SockFilter[], endian: Endian): Generator<TestGroup> {
  const steps = decodeProgram(program, endian);
  const arriving: (Support[] | undefined)[] = [Array.from({ length: REGISTERS }, () => NOTHING)];
  const flow = (registers: Support[], to: number) => {
    const known = arriving[to];
    arriving[to] = known ? known.map((support, index) => union(support, registers[index]!)) : registers;
  };
  for (const [pc, step] of steps.entries()) {
    const before = arriving[pc];
    if (!before) continue;
    const read = (operand: Operand): Support => ('register' in operand ? before[operand.register]! : NOTHING);
    const after = before.slice();
    const a = before[REGISTER_A]!;
    switch (step.kind) {
      case 'loadWord':
        after[REGISTER_A] = NOTHING.map((_, word) => (word === step.word ? 0xffffffff : 0));
        break;
      case 'move':
        after[step.to] = read(step.from);
        break;
      case 'compute':
        after[REGISTER_A] =
          step.operation === 'and' && 'constant' in step.operand
            ? masked(a, step.operand.constant)
            : union(a, read(step.operand));
        break;
      case 'negate':
        break;
      case 'jump':
        flow(after, step.target);
        continue;
      case 'branch': {
        const { operand, comparison } = step;
        const tested = comparison === 'intersects' && 'constant' in operand ? masked(a, operand.constant) : a;
        const all = union(tested, read(operand));
        yield new Map([...all.entries()].filter(([, mask]) => mask !== 0));
        flow(after, step.onTrue);
        flow(after, step.onFalse);
        continue;
      }
      case 'return':
        continue;
    }
    flow(after, pc + 1);
  }
}

function union(a: Support, b: Support): Support {
  return a === b || b === NOTHING ? a : a.map((mask, word) => mask | b[word]!);
}

function masked(support: Support, mask: number): Support {
  return support.map((bits) => bits & mask);
}
