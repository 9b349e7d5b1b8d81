/**
 * The proof by cases: a program answers as a profile says if
 *
 * 1. wherever it returns something else than the answer of a call without matching rule, a rule
 *   with that answer matches;
 * 2. where a rule matches, it never returns what no rule up to this one answers.
 *
 * For an input let r be the first rule that matches. By 2 the program returns the answer of r or of
 * an earlier rule; by 1 a rule with that answer matches, which cannot be an earlier one. An input
 * that no rule matches gets, by 1, the answer of a call without matching rule.
 *
 * Both are looked at with sets of inputs that are larger than what can be there, so "holds" is
 * never said wrongly. The work grows with rules times instructions, where BDDs of many rules grow
 * beyond all bounds.
 */
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import type { Effort } from '../bdd/bdd.ts';
import { Undecided } from '../bdd/bdd.ts';
import { argWord, WORD_ARCH, WORD_ARGS } from '../bdd/input-words.ts';
import type { Comparison, ReferenceArch, Rule, Span } from '../profile/reference.ts';
import { BAD_ARCH_ACTION } from '../profile/reference.ts';
import { highWord, lowWord } from '../profile/comparison.ts';
import { Cover } from './cover.ts';
import { statesOf } from './machine.ts';
import type { State } from './machine.ts';
import { ALL_INPUTS } from './region.ts';
import type { Region, WordTest } from './region.ts';
import { LARGEST } from './word-set.ts';

/** Regions that are kept apart at one state, in turn, until that is enough. */
const MOST_REGIONS = [1, 16, 256];

type Test = Extract<State, { kind: 'test' }>;

/**
 * Whether an answer is right for every input of a region; false also where that is not found out.
 */
type IsRight = (value: number, region: Region) => boolean;

/** Rules without doubles, in which equal comparisons are one object, and what was shown of them. */
interface Question {
  readonly rules: readonly Rule[];
  /** By the state where arguments begin to be tested: the answer where no rule matches. */
  readonly shown: Map<State, number>;
}

/** The proof that a program answers as a profile says. */
export class CaseProof {
  /** States of the program that were looked at. */
  readonly states: number;
  readonly #start: State;
  readonly #arches: readonly ReferenceArch[];
  readonly #effort: Effort;
  readonly #comparisons = new Map<string, Comparison>();
  readonly #questions = new Map<string, Question>();
  readonly #questionOf = new Map<readonly Rule[], Question>();

  /**
   * @throws Malformed for a program that the kernel refuses, Undecided for one that does more than
   *   compare
   */
  constructor(
    program: readonly SockFilter[],
    endian: Endian,
    arches: readonly ReferenceArch[],
    effort: Effort,
  ) {
    const { start, count } = statesOf(program, endian);
    this.#start = start;
    this.states = count;
    this.#arches = arches;
    this.#effort = effort;
  }

  /**
   * Undefined when the program is proved; else an input, as sixteen words, near which that could
   * not be shown.
   * @throws Undecided when it takes too many steps
   */
  run(): Uint32Array | undefined {
    for (const { auditArch, spans } of this.#arches) {
      const ofArch = ALL_INPUTS.when(archIs(auditArch), true)!;
      for (const span of spans) {
        const doubt = this.#doubtIn(ofArch.withNumbers(span.from, span.to)!, span);
        if (doubt !== undefined) return doubt;
      }
    }
    const others = this.#arches.reduce(
      (region, { auditArch }) => region.when(archIs(auditArch), false)!,
      ALL_INPUTS,
    );
    return this.#doubtIn(others, { from: 0, to: LARGEST, rules: [], otherwise: BAD_ARCH_ACTION });
  }

  /** Follows the tests of arch and number; behind them only the arguments are left. */
  #doubtIn(region: Region, span: Span): Uint32Array | undefined {
    const open: [State, Region][] = [[this.#start, region]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [state, here] = next;
      this.#effort.spend(1);
      if (state.kind === 'test' && state.test.word < WORD_ARGS) {
        for (const holds of [true, false]) {
          const side = here.when(state.test, holds);
          if (side !== undefined) open.push([holds ? state.yes : state.no, side]);
        }
      } else {
        const doubt = this.#doubtBelow(state, span, here);
        if (doubt !== undefined) return doubt;
      }
    }
    return undefined;
  }

  #doubtBelow(root: State, span: Span, here: Region): Uint32Array | undefined {
    const { otherwise } = span;
    const { rules, shown } = this.#askedBy(span.rules);
    // Where only arguments are tested from here on, what is shown of them holds for all numbers.
    const isShared = root.kind === 'return' || root.isBehindNumber;
    if (isShared && shown.get(root) === otherwise) return undefined;
    if (rules.some(({ action }) => action === otherwise))
      throw new Undecided('a rule has the answer of a call without one');
    const from = isShared ? ALL_INPUTS : here;
    const doubt = this.#lost(root, rules, from) ?? this.#uncovered(root, rules, from, otherwise);
    if (doubt === undefined) {
      if (isShared) shown.set(root, otherwise);
      return undefined;
    }
    const input = doubt.sample();
    if (isShared) input.set(here.sample().subarray(0, WORD_ARGS));
    return input;
  }

  /** One question for all lists of rules that mean the same: those of x86 and of x32, say. */
  #askedBy(rules: readonly Rule[]): Question {
    let question = this.#questionOf.get(rules);
    if (question !== undefined) return question;
    const distinct = new Map<string, Rule>();
    for (const { comparisons, action } of rules) {
      const texts = comparisons.map(({ arg, op, value, valueTwo, bits }) =>
        [arg, op, value, valueTwo, bits].join(' '),
      );
      const shared = comparisons.map((comparison, at) => {
        const known = this.#comparisons.get(texts[at]!) ?? comparison;
        this.#comparisons.set(texts[at]!, known);
        return known;
      });
      const text = texts.join();
      if (!distinct.has(text)) distinct.set(text, { comparisons: shared, action });
    }
    const text = [...distinct].map(([comparisons, { action }]) => `${comparisons}:${action}`).join(';');
    question = this.#questions.get(text) ?? { rules: [...distinct.values()], shown: new Map() };
    this.#questions.set(text, question);
    this.#questionOf.set(rules, question);
    return question;
  }

  #coverFor(rules: readonly Rule[], action: number): Cover {
    return new Cover(
      rules.filter((rule) => rule.action === action),
      this.#effort,
    );
  }

  /**
   * 1: what is returned, but for `otherwise`, is the answer of a rule that matches. Else a region
   * where it may not be.
   */
  #uncovered(root: State, rules: readonly Rule[], from: Region, otherwise: number): Region | undefined {
    const covers = new Map<number, Cover>();
    return this.#wrong(root, from, (value, region) => {
      if (value === otherwise) return true;
      let cover = covers.get(value);
      if (cover === undefined) covers.set(value, (cover = this.#coverFor(rules, value)));
      return cover.covers(region);
    });
  }

  /**
   * 2: where a rule matches, what is returned is its own answer, or that of an earlier rule. Else a
   * region where it may not be.
   */
  #lost(root: State, rules: readonly Rule[], from: Region): Region | undefined {
    const lastOf = new Map(rules.map(({ action }, at) => [action, at]));
    const earlier = new Set<number>();
    for (const [at, rule] of rules.entries()) {
      const answers = earlier.has(rule.action) ? earlier : new Set(earlier).add(rule.action);
      if (lastOf.get(rule.action) === at) earlier.add(rule.action);
      // An answer that comes before and behind the rule is right only where it comes before.
      const isRight = (value: number, region: Region) =>
        answers.has(value) || (lastOf.has(value) && this.#coverFor(rules.slice(0, at), value).covers(region));
      for (const region of regionsOf(rule, from)) {
        // What the tests on the way say of the input may rule a wrong answer out.
        const doubt = this.#reaches(root, region, answers) ? undefined : this.#wrong(root, region, isRight);
        if (doubt !== undefined) return doubt;
      }
    }
    return undefined;
  }

  /**
   * Whether no answers but these are reached from a region, whatever the tests on the way say of
   * it.
   */
  #reaches(root: State, region: Region, answers: ReadonlySet<number>): boolean {
    const seen = new Uint8Array(this.states);
    const open: State[] = [root];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (state.kind === 'return') {
        if (!answers.has(state.value)) return false;
        continue;
      }
      if (seen[state.index]) continue;
      seen[state.index] = 1;
      // Far less than a step of `#wrong`.
      this.#effort.spend(0.5);
      const outcome = region.outcome(state.test);
      if (outcome !== false) open.push(state.yes);
      if (outcome !== true) open.push(state.no);
    }
    return true;
  }

  /** Where in a region an answer may be wrong, by what the tests on the way say of the input. */
  #wrong(root: State, from: Region, isRight: IsRight): Region | undefined {
    let doubt: Region | undefined;
    for (const most of MOST_REGIONS) {
      doubt = this.#wrongWith(most, root, from, isRight);
      if (doubt === undefined) return undefined;
    }
    return doubt;
  }

  #wrongWith(most: number, root: State, from: Region, isRight: IsRight): Region | undefined {
    const waiting = new Map<number, { state: Test; regions: Region[] }>();
    // One byte for each state that waits. Few of many do, and tests only lead to later states.
    const waits = new Uint8Array(this.states);
    const isFine = (state: State, region: Region): boolean => {
      if (state.kind === 'return') return isRight(state.value, region);
      const known = waiting.get(state.index);
      if (known === undefined) waiting.set(state.index, { state, regions: [region] });
      else keep(known.regions, region, most);
      waits[state.index] = 1;
      return true;
    };
    if (!isFine(root, from)) return from;
    for (let index = waits.indexOf(1); index >= 0; index = waits.indexOf(1, index + 1)) {
      const { state, regions } = waiting.get(index)!;
      waiting.delete(index);
      for (const region of regions) {
        this.#effort.spend(4);
        for (const holds of [true, false]) {
          const side = region.when(state.test, holds);
          if (side !== undefined && !isFine(holds ? state.yes : state.no, side)) return side;
        }
      }
    }
    return undefined;
  }
}

/**
 * Adds a region to those that are kept apart; joins it with one where they would be more than
 * `most`.
 */
function keep(regions: Region[], region: Region, most: number): void {
  for (let at = 0; at < regions.length; at++)
    if (regions[at]!.joinsExactly(region)) {
      regions[at] = regions[at]!.join(region);
      return;
    }
  if (regions.length < most) regions.push(region);
  else regions[most - 1] = regions[most - 1]!.join(region);
}

function archIs(constant: number): WordTest {
  return { word: WORD_ARCH, mask: LARGEST, comparison: 'equal', constant };
}

/** The inputs of a region that a rule matches, as regions: a comparison of 64 bits may need two. */
function regionsOf({ comparisons }: Rule, from: Region): Region[] {
  let regions = [from];
  for (const comparison of comparisons) {
    const cases = casesOf(comparison);
    regions = regions.flatMap((region) =>
      cases.flatMap((tests) => {
        let left: Region | undefined = region;
        for (const [test, holds] of tests) left = left?.when(test, holds);
        return left === undefined ? [] : [left];
      }),
    );
  }
  return regions;
}

type Case = readonly (readonly [test: WordTest, holds: boolean])[];

/** A comparison as cases, of which one holds where it does; in each all tests come out as said. */
function casesOf({ arg, op, value, valueTwo, bits }: Comparison): Case[] {
  const test = (
    half: 'high' | 'low',
    comparison: WordTest['comparison'],
    constant: number,
    mask = LARGEST,
  ): WordTest => ({
    word: argWord(arg, half),
    mask,
    comparison,
    constant,
  });
  const [high, low] = [highWord(value), lowWord(value)];
  const sameHigh: Case = bits === 64 ? [[test('high', 'equal', high), true]] : [];
  const onLow = (comparison: WordTest['comparison'], holds: boolean): Case => [
    ...sameHigh,
    [test('low', comparison, low), holds],
  ];
  const beyond = (comparison: WordTest['comparison'], holds: boolean): Case[] =>
    bits === 64 ? [[[test('high', comparison, high), holds]]] : [];
  switch (op) {
    case 'SCMP_CMP_EQ':
      return [onLow('equal', true)];
    case 'SCMP_CMP_NE':
      return [...beyond('equal', false), onLow('equal', false)];
    case 'SCMP_CMP_GT':
      return [...beyond('greater', true), onLow('greater', true)];
    case 'SCMP_CMP_GE':
      return [...beyond('greater', true), onLow('atLeast', true)];
    case 'SCMP_CMP_LT':
      return [...beyond('atLeast', false), onLow('atLeast', false)];
    case 'SCMP_CMP_LE':
      return [...beyond('atLeast', false), onLow('greater', false)];
    case 'SCMP_CMP_MASKED_EQ': {
      const wanted = valueTwo & value;
      const highMask = bits === 64 ? high : 0;
      const masked = (half: 'high' | 'low', mask: number, datum: number): Case =>
        mask === 0 ? [] : [[test(half, 'equal', datum, mask), true]];
      return [[...masked('high', highMask, highWord(wanted)), ...masked('low', low, lowWord(wanted))]];
    }
    default:
      throw new Undecided(`unknown operator ${String(op)}`);
  }
}
