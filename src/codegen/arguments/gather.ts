import { argOffset, BPF_ABS, BPF_ALU, BPF_AND, BPF_K, BPF_LD, BPF_LSH, BPF_MISC, BPF_OR, BPF_RSH, BPF_TAX, BPF_W, BPF_X, BPF_XOR } from '../../bpf/instruction.ts'; // prettier-ignore
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import type { Effort } from '../effort.ts';
import { argOf, implies, MAX_WORD, onlyUnderMask } from './word-condition.ts';
import type { Condition, Outcome, Word } from './word-condition.ts';
import type { Box } from './problem.ts';

/**
 * Boxes that ask for bits of several words, by tests of one word in which these bits are gathered:
 * one test for each box, without a load.
 */

/** Bits that a word must have: (word & mask) == value, all u32. */
interface Bits {
  readonly word: Word;
  readonly mask: number;
  readonly value: number;
}

/** Gathered bits, 0 where they are as asked for, then tests of them. */
export interface Gathered {
  /** The last one keeps the bits in the index register, if a test needs them again. */
  readonly steps: readonly SockFilter[];
  readonly tests: readonly GatheredTest[];
  /** Instructions in all. */
  readonly size: number;
}

/** Where no bit of the mask is hit, a box holds if its other conditions do. */
export interface GatheredTest {
  readonly mask: number;
  readonly others: readonly Condition[];
  /** Where the last of these does not hold, no test behind this one can. */
  readonly isWidest: boolean;
}

/**
 * What is gathered of a word, `mask` where it is once it is shifted left (by a negative number:
 * right).
 */
interface Part {
  readonly shift: number;
  readonly mask: number;
}

/** A choice of bits that holds where its box does; some boxes have several. */
interface Choice {
  readonly box: Box;
  readonly bits: readonly Bits[];
  readonly others: readonly Condition[];
  /** Instructions that the bits take by themselves, about. */
  readonly worth: number;
}

/** Fewer boxes are not worth a search. */
const FEWEST = 4;
/** More bits of one word leave too little room for others. */
const MOST_BITS = 8;
/** So many words in turn that save nothing end a search. */
const MOST_FAILURES = 4;
/** More choices of bits for a box are better tested one after the other. */
const MOST_CHOICES = 4;
/** No shift, then the shortest ones. */
const SHIFTS = Array.from({ length: 31 }, (_, at) => (at % 2 === 0 ? -at / 2 : (at + 1) / 2));
/**
 * Ways to fill words: begun with one choice of bits, or with as many in turn as `tried` allows,
 * divided by their number; going on with those that need the least room more, or the least for what
 * they are worth.
 */
const MANNERS = [
  { tried: 0, byWorth: false },
  { tried: 0, byWorth: true },
  { tried: 400, byWorth: true },
];
type Manner = (typeof MANNERS)[number];
/** A shift takes an instruction, which a bit more of room can save. */
const PER_SHIFT = 1;

/** By box, since the same ones come up in many problems. */
const choicesOfBoxes = new WeakMap<Box, readonly Choice[]>();
const known = new WeakMap<readonly Box[], readonly Found[]>();

interface Found {
  readonly gathered: readonly Gathered[];
  readonly left: readonly Box[];
}

/** Gathers the bits for as many of some boxes as that makes shorter; the others are left. */
export function gather(boxes: readonly Box[], endian: Endian, effort: Effort): readonly Found[] {
  let found = known.get(boxes);
  if (found === undefined) known.set(boxes, (found = search(boxes, endian, effort)));
  return found;
}

function search(boxes: readonly Box[], endian: Endian, effort: Effort): Found[] {
  const choices: Choice[] = [];
  for (const box of boxes) {
    let ofBox = choicesOfBoxes.get(box);
    if (ofBox === undefined) {
      choicesOfBoxes.set(box, (ofBox = choicesOf(box)));
    }
    for (const choice of ofBox) choices.push(choice);
  }
  if (choices.length < FEWEST) return [];
  return MANNERS.map((manner) => gatherFrom(choices, boxes, manner, endian, effort)).filter(
    ({ gathered }) => gathered.length > 0,
  );
}

function gatherFrom(
  choices: readonly Choice[],
  boxes: readonly Box[],
  manner: Manner,
  endian: Endian,
  effort: Effort,
): Found {
  const gathered: Gathered[] = [];
  const left = new Set(boxes);
  const open = new Map<Box, number>();
  for (const { box } of choices) open.set(box, (open.get(box) ?? 0) + 1);
  let failures = 0;
  for (let rest = choices; rest.length >= FEWEST;) {
    const { word, chosen, saved } = best(rest, manner, effort);
    rest = rest.filter((choice) => !chosen.has(choice));
    if (saved <= 0) {
      if (++failures === MOST_FAILURES) break;
      continue;
    }
    failures = 0;
    gathered.push(gatheredBy(word, [...chosen], endian));
    for (const { box } of chosen) {
      const count = open.get(box)! - 1;
      open.set(box, count);
      if (count === 0) left.delete(box);
    }
  }
  return { gathered, left: [...left] };
}

/** Of several words that begin with different choices the one that saves most. */
function best(choices: readonly Choice[], manner: Manner, effort: Effort): Filled {
  let most = fill(choices, choices[0]!, manner, effort);
  const last = Math.min(choices.length, Math.floor(manner.tried / choices.length));
  for (let at = 1; at < last; at++) {
    const other = fill(choices, choices[at]!, manner, effort);
    if (other.saved > most.saved) most = other;
  }
  return most;
}

interface Filled {
  readonly word: GatheredWord;
  readonly chosen: ReadonlySet<Choice>;
  /** Instructions, about. */
  readonly saved: number;
}

/** A choice and as many others as fit in one word, those first that need the least room more. */
function fill(choices: readonly Choice[], first: Choice, { byWorth }: Manner, effort: Effort): Filled {
  const word = new GatheredWord();
  word.add(first.bits);
  const chosen = new Set([first]);
  let fitting = choices.filter((choice) => choice !== first);
  while (fitting.length > 0) {
    effort.spend(fitting.length);
    let next: Choice | undefined;
    let least = Infinity;
    const still: Choice[] = [];
    for (const choice of fitting) {
      const room = word.roomFor(choice.bits);
      // What does not fit now will not fit when there is less room.
      if (room === undefined) continue;
      still.push(choice);
      const price = byWorth ? room / choice.worth : room;
      if (price >= least) continue;
      least = price;
      next = choice;
    }
    if (next === undefined) break;
    word.add(next.bits);
    chosen.add(next);
    fitting = still.filter((choice) => choice !== next);
  }
  let saved = -word.steps('little').length;
  for (const { worth } of chosen) saved += worth - 1;
  return { word, chosen, saved };
}

class GatheredWord {
  readonly #parts = new Map<Word, Part>();
  #mask = 0;
  /** The values asked for. */
  #value = 0;

  /** What these bits take that are not there yet; undefined where they do not fit. */
  roomFor(bits: readonly Bits[]): number | undefined {
    let room = 0;
    let taken = this.#mask;
    for (const each of bits) {
      const part = this.#parts.get(each.word);
      const shift = part?.shift ?? this.#shiftFor(each, taken);
      if (shift === undefined) return undefined;
      const mask = shifted(each.mask, shift);
      if (shifted(mask, -shift) !== each.mask) return undefined;
      const there = mask & (part?.mask ?? 0);
      if (((shifted(each.value, shift) ^ this.#value) & there) !== 0) return undefined;
      const more = mask & ~there;
      if ((more & taken) !== 0) return undefined;
      taken |= more;
      room += bitCount(more);
      if (part === undefined && shift !== 0) room += PER_SHIFT;
    }
    return room;
  }

  #shiftFor({ mask }: Bits, taken: number): number | undefined {
    return SHIFTS.find((shift) => {
      const moved = shifted(mask, shift);
      return shifted(moved, -shift) === mask && (moved & taken) === 0;
    });
  }

  /** @param bits that fit */
  add(bits: readonly Bits[]): void {
    for (const each of bits) {
      const shift = this.#parts.get(each.word)?.shift ?? this.#shiftFor(each, this.#mask)!;
      const mask = shifted(each.mask, shift);
      this.#parts.set(each.word, { shift, mask: ((this.#parts.get(each.word)?.mask ?? 0) | mask) >>> 0 });
      this.#mask |= mask;
      this.#value |= shifted(each.value, shift);
    }
  }

  maskOf(bits: readonly Bits[]): number {
    return bits.reduce((all, { word, mask }) => all | shifted(mask, this.#parts.get(word)!.shift), 0) >>> 0;
  }

  steps(endian: Endian): SockFilter[] {
    const steps: SockFilter[] = [];
    const step = (code: number, k: number) => steps.push({ code, jt: 0, jf: 0, k });
    const isAlone = this.#parts.size === 1;
    for (const [word, { shift, mask }] of this.#parts) {
      const isFirst = steps.length === 0;
      if (!isFirst) step(BPF_MISC | BPF_TAX, 0);
      step(BPF_LD | BPF_W | BPF_ABS, argOffset(argOf(word), word % 2 === 0 ? 'high' : 'low', endian));
      if (shift !== 0) step(BPF_ALU | (shift > 0 ? BPF_LSH : BPF_RSH) | BPF_K, Math.abs(shift));
      if (!isAlone) step(BPF_ALU | BPF_AND | BPF_K, mask);
      if (!isFirst) step(BPF_ALU | BPF_OR | BPF_X, 0);
    }
    if (this.#value !== 0) step(BPF_ALU | BPF_XOR | BPF_K, this.#value >>> 0);
    return steps;
  }
}

/** The tests of a word, those with the widest last conditions first. */
function gatheredBy(word: GatheredWord, chosen: readonly Choice[], endian: Endian): Gathered {
  const ordered = chosen
    .map(({ bits, others }) => ({ mask: word.maskOf(bits), others, width: widthOf(others.at(-1) ?? true) }))
    .toSorted((a, b) => b.width - a.width);
  const steps = word.steps(endian);
  let size = 0;
  let isKept = false;
  const tests = ordered.map(({ mask, others }, at): GatheredTest => {
    const behind = ordered.slice(at + 1);
    const last = others.at(-1) ?? false;
    const isWidest = behind.every((test) => implies(test.others.at(-1) ?? true, last));
    const isNeeded = behind.length > 0 && others.length > (isWidest ? 1 : 0);
    isKept ||= isNeeded;
    size += others.reduce((sum, { cost }) => sum + cost, isNeeded ? 2 : 1);
    return { mask, others, isWidest };
  });
  if (isKept) steps.push({ code: BPF_MISC | BPF_TAX, jt: 0, jf: 0, k: 0 });
  return { steps, tests, size: size + steps.length };
}

/** The values of its first word for which a condition can hold. */
function widthOf(outcome: Outcome): number {
  if (typeof outcome === 'boolean') return outcome ? Infinity : 0;
  if (outcome.kind === 'mask') return 2 ** 31;
  const { starts, outcomes } = outcome;
  let width = 0;
  outcomes.forEach((each, at) => {
    if (each !== false) width += (starts[at + 1] ?? MAX_WORD + 1) - starts[at]!;
  });
  return width;
}

/**
 * The choices of bits of which one must hold for a box to, besides other conditions; none where it
 * asks for no bits.
 */
function choicesOf(box: Box): Choice[] {
  let choices: Bits[][] = [[]];
  const others: Condition[] = [];
  for (const condition of box.conditions) {
    const more = choicesIn(condition);
    if (more === undefined || choices.length * more.length > MOST_CHOICES) others.push(condition);
    else choices = choices.flatMap((bits) => more.map((each) => [...bits, ...each]));
  }
  if (choices[0]!.length === 0 || choices.some(hasWordTwice) || !choices.every(fitsInWord)) return [];
  // Where other conditions stand between two tests of bits, these must be brought back.
  const left = others.reduce((sum, { cost }) => sum + cost, others.length === 0 ? 0 : 1);
  const worth = box.cost / choices.length - left;
  return choices.map((bits) => ({ box, bits, others, worth }));
}

function fitsInWord(bits: readonly Bits[]): boolean {
  return new GatheredWord().roomFor(bits) !== undefined;
}

function hasWordTwice(bits: readonly Bits[]): boolean {
  return new Set(bits.map(({ word }) => word)).size < bits.length;
}

function choicesIn(outcome: Outcome): Bits[][] | undefined {
  if (typeof outcome === 'boolean') return outcome ? [[]] : [];
  const { word } = outcome;
  const behind = (mask: number, value: number, next: Outcome) =>
    choicesIn(next)?.map((others) => [{ word, mask, value }, ...others]);
  if (outcome.kind === 'mask') {
    const { mask, value, equal, other } = outcome;
    if (other === false) return bitCount(mask) > MOST_BITS ? undefined : behind(mask, value, equal);
    if (equal !== false || value !== 0 || bitCount(mask) > MOST_CHOICES) return undefined;
    const choices = bitsIn(mask).map((bit) => behind(bit, bit, other));
    return choices.includes(undefined) ? undefined : choices.flatMap((each) => each!);
  }
  const range = onlyUnderMask(outcome, false);
  if (range === undefined || bitCount(range.mask) > MOST_BITS) return undefined;
  return behind(range.mask, range.value, range.equal);
}

function bitsIn(mask: number): number[] {
  const bits: number[] = [];
  for (let rest = mask; rest !== 0;) {
    const bit = (rest & -rest) >>> 0;
    bits.push(bit);
    rest = (rest ^ bit) >>> 0;
  }
  return bits;
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** A word shifted to the left, or by a negative number to the right. */
function shifted(word: number, by: number): number {
  return (by < 0 ? word >>> -by : word << by) >>> 0;
}
