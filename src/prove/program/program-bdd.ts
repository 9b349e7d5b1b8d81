/**
 * The program's side of the proof: what a loop-free BPF program returns, as a function of its
 * input.
 *
 * A state is a place in the program with the values of those registers that still matter there.
 * Branches go forward only, so one pass over the program finds all states and a second one,
 * backwards, gives each its result.
 */
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import type { Bdd, Node } from '../bdd/bdd.ts';
import { FALSE, TRUE, Undecided } from '../bdd/bdd.ts';
import { WORD_NR } from '../bdd/input-words.ts';
import type { Comparison, Operand, Step } from './decoded.ts';
import { decodeProgram, Malformed, REGISTER_A, REGISTER_M, REGISTER_X, REGISTERS } from './decoded.ts';
import { liveRegisters, registersIn } from './liveness.ts';
import type { Outcome } from './number-steps.ts';
import { chooseByNumber, nodeOf } from './number-steps.ts';
import type { Space } from '../bdd/space.ts';
import type { ValueId } from './registers.ts';
import { Values } from './registers.ts';
import { atLeast, compute, constantVector, divide, equal, intersects, terminalsOf } from '../bdd/vector.ts';
import type { WordTest } from '../bdd/word-test.ts';
import { chooseByWord, outcomeOf } from '../bdd/word-test.ts';

/** Programs whose states are many more than their instructions do not end in a usable BDD. */
const MOST_STATES = 100_000;
/** A scratch word that nothing was stored in yet. */
const UNWRITTEN: ValueId = -1;

/**
 * The function a program computes.
 * @throws Malformed when the kernel would refuse it, Undecided when it is outside what can be
 *   computed.
 */
export function programBdd(space: Space, program: readonly SockFilter[], endian: Endian): Node {
  return new Execution(space, decodeProgram(program, endian)).run();
}

class Execution {
  readonly #space: Space;
  readonly #bdd: Bdd;
  readonly #steps: readonly Step[];
  readonly #values: Values;
  /** For each instruction, the registers (a bit set) that it or a later one may still read. */
  readonly #live: Int32Array;
  /** Registers that are live anywhere: those that a state records. */
  readonly #recorded: number[];

  // States, by number: their instruction's list, their values, and where they lead.
  readonly #first: Int32Array;
  readonly #next: number[] = [];
  readonly #stateValues: ValueId[] = [];
  readonly #test: (Node | WordTest)[] = [];
  /** A state, or the complement of a result's node. */
  readonly #onTrue: number[] = [];
  readonly #onFalse: number[] = [];

  /** Registers of the state being executed. */
  readonly #registers: ValueId[];

  constructor(space: Space, steps: readonly Step[]) {
    this.#space = space;
    this.#bdd = space.bdd;
    this.#steps = steps;
    this.#values = new Values(space);
    this.#live = liveRegisters(steps);
    const everLive = this.#live.reduce((all, live) => all | live, 0);
    this.#recorded = registersIn(everLive);
    this.#first = new Int32Array(steps.length).fill(-1);
    this.#registers = Array.from({ length: REGISTERS }, () => UNWRITTEN);
  }

  run(): Node {
    // The kernel clears A and X, and nothing else, before the first instruction.
    this.#registers[REGISTER_A] = this.#registers[REGISTER_X] = this.#values.constant(0);
    this.#enter(0);
    for (let pc = 0; pc < this.#steps.length; pc++)
      for (let state = this.#first[pc]!; state >= 0; state = this.#next[state]!) this.#execute(pc, state);

    const bdd = this.#bdd;
    const results = Array.from<Outcome>({ length: this.#test.length });
    const resultAt = (to: number): Outcome => (to < 0 ? ~to : results[to]!);
    for (let pc = this.#steps.length - 1; pc >= 0; pc--)
      for (let state = this.#first[pc]!; state >= 0; state = this.#next[state]!) {
        const onTrue = resultAt(this.#onTrue[state]!);
        const onFalse = resultAt(this.#onFalse[state]!);
        const test = this.#test[state]!;
        if (test === TRUE) results[state] = onTrue;
        else if (test === FALSE) results[state] = onFalse;
        else if (typeof test === 'number')
          results[state] = bdd.ite(test, nodeOf(bdd, onTrue), nodeOf(bdd, onFalse));
        else if (test.word === WORD_NR) results[state] = chooseByNumber(this.#space, test, onTrue, onFalse);
        else results[state] = chooseByWord(this.#space, test, nodeOf(bdd, onTrue), nodeOf(bdd, onFalse));
      }
    return nodeOf(bdd, results[0]!);
  }

  /** The state at `pc` with the current registers: an existing one where possible. */
  #enter(pc: number): number {
    const live = this.#live[pc]!;
    const width = this.#recorded.length;
    for (let state = this.#first[pc]!; state >= 0; state = this.#next[state]!)
      if (this.#matches(state * width, live)) return state;
    const state = this.#test.length;
    if (state === MOST_STATES) throw new Undecided(`the program has more than ${MOST_STATES} states`);
    for (const register of this.#recorded) this.#stateValues.push(this.#registers[register]!);
    this.#next.push(this.#first[pc]!);
    this.#first[pc] = state;
    this.#test.push(TRUE);
    this.#onTrue.push(0);
    this.#onFalse.push(0);
    return state;
  }

  #matches(at: number, live: number): boolean {
    for (let index = 0; index < this.#recorded.length; index++) {
      const register = this.#recorded[index]!;
      if (((live >>> register) & 1) === 1 && this.#stateValues[at + index] !== this.#registers[register])
        return false;
    }
    return true;
  }

  #execute(pc: number, state: number): void {
    const width = this.#recorded.length;
    for (let index = 0; index < width; index++)
      this.#registers[this.#recorded[index]!] = this.#stateValues[state * width + index]!;
    const step = this.#steps[pc]!;
    const registers = this.#registers;
    switch (step.kind) {
      case 'loadWord':
        registers[REGISTER_A] = this.#values.word(step.word, 0xffffffff);
        break;
      case 'move':
        registers[step.to] = this.#read(step.from, pc);
        break;
      case 'negate':
        if (this.#isLive(REGISTER_A, pc + 1))
          registers[REGISTER_A] = this.#compute('sub', this.#values.constant(0), registers[REGISTER_A]!);
        break;
      case 'compute':
        if (step.operation === 'div' || this.#isLive(REGISTER_A, pc + 1))
          this.#computeStep(state, step.operation, this.#read(step.operand, pc));
        break;
      case 'jump':
        this.#onTrue[state] = this.#enter(step.target);
        return;
      case 'branch':
        this.#branch(pc, state, step);
        return;
      case 'return':
        this.#onTrue[state] = ~this.#terminals(this.#read(step.value, pc));
        return;
    }
    this.#onTrue[state] = this.#enter(pc + 1);
  }

  #isLive(register: number, pc: number): boolean {
    return ((this.#live[pc]! >>> register) & 1) === 1;
  }

  #read(operand: Operand, pc: number): ValueId {
    if ('constant' in operand) return this.#values.constant(operand.constant);
    const value = this.#registers[operand.register]!;
    if (value === UNWRITTEN)
      throw new Malformed(`reads scratch word ${operand.register - REGISTER_M} before it is written`, pc);
    return value;
  }

  /** Leaves the result in A. A division by zero ends the filter with 0 (net/core/filter.c). */
  #computeStep(state: number, operation: Parameters<typeof compute>[1] | 'div', operand: ValueId): void {
    const a = this.#registers[REGISTER_A]!;
    if (operation !== 'div') {
      this.#registers[REGISTER_A] = this.#compute(operation, a, operand);
      return;
    }
    const divisor = this.#values.vectorOf(operand);
    const byZero = equal(this.#bdd, divisor, constantVector(0));
    if (byZero !== TRUE)
      this.#registers[REGISTER_A] = this.#values.ofVector(
        divide(this.#bdd, this.#values.vectorOf(a), divisor),
      );
    this.#test[state] = this.#bdd.not(byZero);
    this.#onFalse[state] = ~this.#bdd.terminal(0);
  }

  #compute(operation: Parameters<typeof compute>[1], a: ValueId, b: ValueId): ValueId {
    const left = this.#values.get(a);
    const right = this.#values.get(b);
    if (operation === 'and' && left.kind === 'word' && right.kind === 'constant')
      return this.#values.word(left.word, (left.mask & right.constant) >>> 0);
    return this.#values.ofVector(
      compute(this.#bdd, operation, this.#values.vectorOf(a), this.#values.vectorOf(b)),
    );
  }

  #branch(pc: number, state: number, step: Step & { kind: 'branch' }): void {
    const a = this.#registers[REGISTER_A]!;
    const negated = this.#noneOf(a, step);
    const test =
      negated ??
      this.#wordTest(step.comparison, a, step.operand) ??
      this.#compare(step.comparison, a, this.#read(step.operand, pc));
    this.#test[state] = test;
    const [onTrue, onFalse] =
      negated === undefined ? [step.onTrue, step.onFalse] : [step.onFalse, step.onTrue];
    if (test !== FALSE) this.#onTrue[state] = this.#enter(onTrue);
    if (test !== TRUE) this.#onFalse[state] = this.#enter(onFalse);
  }

  /**
   * "Has none of these bits" as an equality, where a branch asks for any of some bits of a word.
   */
  #noneOf(a: ValueId, { comparison, operand }: Step & { kind: 'branch' }): Node | WordTest | undefined {
    if (comparison !== 'intersects' || !('constant' in operand)) return undefined;
    const value = this.#values.get(a);
    if (value.kind !== 'word') return undefined;
    const mask = (value.mask & operand.constant) >>> 0;
    if (mask === 0) return TRUE;
    return { comparison: 'equal', word: value.word, mask, constant: 0 };
  }

  /** The common case: a word, perhaps masked, and a constant, where the word has bits. */
  #wordTest(comparison: Comparison, a: ValueId, operand: Operand): Node | WordTest | undefined {
    if (comparison === 'intersects' || !('constant' in operand)) return undefined;
    const value = this.#values.get(a);
    if (value.kind !== 'word') return undefined;
    const test = { comparison, word: value.word, mask: value.mask, constant: operand.constant };
    return outcomeOf(test) ?? test;
  }

  #compare(comparison: Comparison, a: ValueId, b: ValueId): Node {
    const x = this.#values.vectorOf(a);
    const y = this.#values.vectorOf(b);
    if (comparison === 'equal') return equal(this.#bdd, x, y);
    if (comparison === 'intersects') return intersects(this.#bdd, x, y);
    return atLeast(this.#bdd, x, y, comparison === 'greater');
  }

  /** A value as what the filter returns: one terminal for each number it can be. */
  #terminals(value: ValueId): Node {
    const known = this.#values.get(value);
    if (known.kind === 'constant') return this.#bdd.terminal(known.constant);
    return terminalsOf(this.#bdd, this.#values.vectorOf(value));
  }
}
