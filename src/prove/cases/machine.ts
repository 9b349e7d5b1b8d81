import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { Undecided } from '../bdd/bdd.ts';
import { WORD_ARGS } from '../bdd/input-words.ts';
import { decodeProgram, REGISTER_A, REGISTER_X } from '../program/decoded.ts';
import type { Operand, Step } from '../program/decoded.ts';
import { liveRegisters } from '../program/liveness.ts';
import { outcomeIn } from './region.ts';
import type { WordTest } from './region.ts';
import { LARGEST } from './word-set.ts';

/**
 * A place in a program with what the accumulator holds there: a test on the way, or a return value.
 */
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
 * What a register holds: bits of some words, each where its shift puts it, with some of them
 * flipped. All else is 0. Equal values are one object.
 */
interface Value {
  readonly id: number;
  readonly parts: readonly Part[];
  /** Bits that are flipped, or 1 where no part has one. */
  readonly flipped: number;
}

/**
 * Some bits of a word, `mask` where they are once the word is shifted left (by a negative number:
 * right). No two parts share one.
 */
interface Part {
  readonly word: number;
  readonly shift: number;
  readonly mask: number;
}

/**
 * A program as a graph of tests: all else is done away with. Only for programs that do nothing but
 * load words, gather bits of several in one, and compare a word with constants, or gathered bits
 * with none at all, as those of this compiler and of libseccomp do.
 *
 * @throws Malformed for what the kernel refuses, Undecided for other programs
 */
export function statesOf(program: readonly SockFilter[], endian: Endian): { start: State; count: number } {
  return new Unfolding(decodeProgram(program, endian)).run();
}

/** The accumulator and the index register. */
type Held = readonly [a: Value, x: Value];

class Unfolding {
  readonly #steps: readonly Step[];
  readonly #live: Int32Array;
  readonly #values = new Map<string, Value>();
  readonly #zero = this.#value([], 0);
  /** By instruction: what it finds in both registers, then the states for that. */
  readonly #arriving: Map<number, Held>[];
  readonly #states: Map<number, State>[];
  readonly #most: number;
  #count = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#live = liveRegisters(steps);
    this.#arriving = steps.map(() => new Map<number, Held>());
    this.#states = steps.map(() => new Map<number, State>());
    this.#most = MOST_STATES_PER_INSTRUCTION * steps.length;
  }

  run(): { start: State; count: number } {
    // What each instruction can find, forwards; then the states, backwards.
    const before: Held = [this.#zero, this.#zero];
    this.#arrive(0, before);
    this.#steps.forEach((step, pc) => {
      for (const held of this.#arriving[pc]!.values()) {
        // A test of gathered bits becomes one for each part.
        this.#count += step.kind === 'branch' ? Math.max(1, held[0].parts.length) : 1;
        if (this.#count > this.#most) throw new Undecided('the program has too many states');
        const after = this.#after(step, held);
        for (const next of successors(step, pc)) this.#arrive(next, after);
      }
    });
    const count = this.#count;
    for (let pc = this.#steps.length - 1; pc >= 0; pc--)
      for (const [key, held] of this.#arriving[pc]!) this.#states[pc]!.set(key, this.#stateOf(pc, held));
    return { start: this.#states[0]!.get(this.#keyAt(0, before))!, count };
  }

  #arrive(pc: number, held: Held): void {
    this.#arriving[pc]!.set(this.#keyAt(pc, held), held);
  }

  /** A number for what matters of the registers at an instruction. */
  #keyAt(pc: number, [a, x]: Held): number {
    const live = this.#live[pc]!;
    const [inA, inX] = [REGISTER_A, REGISTER_X].map((register) => (live >>> register) & 1);
    return inA! * a.id + inX! * x.id * 2 ** 26;
  }

  #stateOf(pc: number, held: Held): State {
    const step = this.#steps[pc]!;
    if (step.kind === 'return') {
      if (!('constant' in step.value)) throw new Undecided('the program returns what it computes');
      return { kind: 'return', value: step.value.constant };
    }
    const after = this.#after(step, held);
    const at = (next: number) => this.#states[next]!.get(this.#keyAt(next, after))!;
    if (step.kind !== 'branch') return at(successors(step, pc)[0]!);
    if (!('constant' in step.operand)) throw new Undecided('the program compares two words');
    const { comparison, operand, onTrue, onFalse } = step;
    return this.#tested(held[0], comparison, operand.constant, at(onTrue), at(onFalse));
  }

  #tested(
    { parts, flipped }: Value,
    comparison: WordTest['comparison'],
    constant: number,
    yes: State,
    no: State,
  ): State {
    const [first] = parts;
    if (first === undefined) {
      const one = { ranges: [flipped, flipped], mask: LARGEST, value: flipped };
      return outcomeIn({ mask: LARGEST, comparison, constant }, one) ? yes : no;
    }
    if (parts.length === 1 && first.shift === 0 && flipped === 0)
      return this.#test({ word: first.word, mask: first.mask, comparison, constant }, yes, no);
    if (comparison !== 'intersects') throw new Undecided('the program compares gathered bits');
    const inParts = parts.reduce((all, { mask }) => all | mask, 0);
    if ((flipped & ~inParts & constant) !== 0) return yes;
    // None of the bits is set if in each part all that are flipped are, and no others.
    return parts.reduceRight<State>((rest, { word, shift, mask }) => {
      const bits = shifted((mask & constant) >>> 0, -shift);
      if (bits === 0) return rest;
      const clear = shifted((flipped & mask & constant) >>> 0, -shift);
      return this.#test({ word, mask: bits, comparison: 'equal', constant: clear }, rest, yes);
    }, no);
  }

  #test(test: WordTest, yes: State, no: State): State {
    const isBehindNumber =
      test.word >= WORD_ARGS && [yes, no].every((next) => next.kind === 'return' || next.isBehindNumber);
    // Counts down, since the last instructions come first.
    return { kind: 'test', index: --this.#count, test, yes, no, isBehindNumber };
  }

  /** What the registers hold behind a step. */
  #after(step: Step, [a, x]: Held): Held {
    switch (step.kind) {
      case 'loadWord':
        return [this.#value([{ word: step.word, shift: 0, mask: LARGEST }], 0), x];
      case 'compute':
        return [this.#computed(a, step.operation, step.operand, x), x];
      case 'move': {
        if (!('register' in step.from) || step.to > REGISTER_X || step.from.register > REGISTER_X)
          throw new Undecided('the program keeps words');
        const from = step.from.register === REGISTER_A ? a : x;
        return step.to === REGISTER_A ? [from, x] : [a, from];
      }
      case 'negate':
        throw new Undecided('the program computes with a word');
      default:
        return [a, x];
    }
  }

  #computed(a: Value, operation: string, operand: Operand, x: Value): Value {
    if ('register' in operand) {
      const shared = bitsOf(a) & bitsOf(x);
      if (operation !== 'or' || shared !== 0) throw new Undecided('the program computes with two words');
      return this.#value([...a.parts, ...x.parts], a.flipped | x.flipped);
    }
    const { constant } = operand;
    switch (operation) {
      case 'and':
        return this.#value(
          a.parts.map((part) => ({ ...part, mask: part.mask & constant })),
          a.flipped & constant,
        );
      case 'xor':
        return this.#value(a.parts, a.flipped ^ constant);
      case 'lsh':
      case 'rsh': {
        const by = operation === 'lsh' ? constant : -constant;
        return this.#value(
          a.parts.map(({ word, shift, mask }) => ({ word, shift: shift + by, mask: shifted(mask, by) })),
          shifted(a.flipped, by),
        );
      }
      default:
        throw new Undecided('the program computes with a word');
    }
  }

  #value(parts: readonly Part[], flipped: number): Value {
    const kept = parts.filter(({ mask }) => mask !== 0).map((part) => ({ ...part, mask: part.mask >>> 0 }));
    const key = `${flipped >>> 0} ${kept.map(({ word, shift, mask }) => `${word},${shift},${mask}`).join(' ')}`;
    let value = this.#values.get(key);
    if (value === undefined)
      this.#values.set(key, (value = { id: this.#values.size, parts: kept, flipped: flipped >>> 0 }));
    return value;
  }
}

/** The bits of a value that need not be 0. */
function bitsOf({ parts, flipped }: Value): number {
  return parts.reduce((all, { mask }) => all | mask, flipped);
}

/** A word shifted to the left, or by a negative number to the right. */
function shifted(word: number, by: number): number {
  return (by < 0 ? word >>> -by : word << by) >>> 0;
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
