import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { Undecided } from '../bdd/bdd.ts';
import { WORD_ARGS } from '../bdd/input-words.ts';
import { decodeProgram, REGISTER_A } from '../program/decoded.ts';
import type { Step } from '../program/decoded.ts';
import type { WordTest } from './region.ts';
import { LARGEST } from './word-set.ts';

/** A place in a program with what the accumulator holds there: a test on the way, or a return value. */
export type State =
  | { readonly kind: 'return'; readonly value: number }
  | {
      readonly kind: 'test';
      /** Its place among the states; larger than that of every state that leads here. */
      readonly index: number;
      readonly test: WordTest;
      readonly yes: State;
      readonly no: State;
      /** Whether only arguments are tested from here on. */
      readonly isBehindNumber: boolean;
    };

/** More states than instructions by so much are not followed. */
const MOST_STATES_PER_INSTRUCTION = 4;

/**
 * A program as a graph of tests: loads, masks and jumps are done away with. Only for programs that do nothing but load
 * words, mask and compare them with constants, as those of this compiler and of libseccomp do.
 *
 * @throws Malformed for what the kernel refuses, Undecided for other programs
 */
export function statesOf(program: readonly SockFilter[], endian: Endian): { start: State; count: number } {
  return new Unfolding(decodeProgram(program, endian)).run();
}

class Unfolding {
  readonly #steps: readonly Step[];
  /** By instruction: states by the word in the accumulator and its mask. */
  readonly #states: Map<number, State>[];
  readonly #most: number;
  #count = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#states = steps.map(() => new Map<number, State>());
    this.#most = MOST_STATES_PER_INSTRUCTION * steps.length;
  }

  run(): { start: State; count: number } {
    // What each instruction can find in the accumulator, forwards; then the states, backwards.
    const arriving: Set<number>[] = this.#steps.map(() => new Set<number>());
    arriving[0]!.add(NOTHING);
    this.#steps.forEach((step, pc) => {
      for (const held of arriving[pc]!) {
        if (++this.#count > this.#most) throw new Undecided('the program has too many states');
        const after = heldAfter(step, held);
        for (const next of successors(step, pc)) arriving[next]!.add(after);
      }
    });
    const count = this.#count;
    for (let pc = this.#steps.length - 1; pc >= 0; pc--)
      for (const held of arriving[pc]!) this.#states[pc]!.set(held, this.#stateOf(pc, held));
    return { start: this.#states[0]!.get(NOTHING)!, count };
  }

  #stateOf(pc: number, held: number): State {
    const step = this.#steps[pc]!;
    if (step.kind === 'return') {
      if (!('constant' in step.value)) throw new Undecided('the program returns what it computes');
      return { kind: 'return', value: step.value.constant };
    }
    const after = heldAfter(step, held);
    const at = (next: number) => this.#states[next]!.get(after)!;
    if (step.kind !== 'branch') return at(successors(step, pc)[0]!);
    if (!('constant' in step.operand)) throw new Undecided('the program compares two words');
    const yes = at(step.onTrue);
    const no = at(step.onFalse);
    const test = { ...wordOf(held), comparison: step.comparison, constant: step.operand.constant };
    const isBehindNumber =
      test.word >= WORD_ARGS && [yes, no].every((next) => next.kind === 'return' || next.isBehindNumber);
    // Counts down, since the last instructions come first.
    return { kind: 'test', index: --this.#count, test, yes, no, isBehindNumber };
  }
}

/** Nothing was loaded yet: the accumulator is 0. */
const NOTHING = -1;

function wordOf(held: number): { word: number; mask: number } {
  if (held === NOTHING) throw new Undecided('the program tests what it did not load');
  return { word: Math.floor(held / 2 ** 32), mask: held % 2 ** 32 };
}

/** What the accumulator holds behind a step. */
function heldAfter(step: Step, held: number): number {
  switch (step.kind) {
    case 'loadWord':
      return step.word * 2 ** 32 + LARGEST;
    case 'compute': {
      if (step.operation !== 'and' || !('constant' in step.operand))
        throw new Undecided('the program computes with a word');
      const { word, mask } = wordOf(held);
      return word * 2 ** 32 + ((mask & step.operand.constant) >>> 0);
    }
    case 'move':
      if (step.to === REGISTER_A) throw new Undecided('the program moves words');
      throw new Undecided('the program keeps words');
    case 'negate':
      throw new Undecided('the program computes with a word');
    default:
      return held;
  }
}

function successors(step: Step, pc: number): number[] {
  switch (step.kind) {
    case 'return':
      return [];
    case 'jump':
      return [step.target];
    case 'branch':
      return [step.onTrue, step.onFalse];
    default:
      return [pc + 1];
  }
}
