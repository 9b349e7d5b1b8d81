/**
 * 32-bit values as functions of the input: one boolean function per bit, least significant first.
 * All arithmetic is unsigned and modulo 2^32, as in the BPF machine.
 */
import type { Bdd, Node } from './bdd.ts';
import { FALSE, TRUE, Undecided } from './bdd.ts';
import { variableOf, WORD_BITS } from './input-words.ts';

export type Vector = readonly Node[];

/** The operations of BPF_ALU that take two operands and always give a value. */
export type Arithmetic = 'add' | 'sub' | 'mul' | 'or' | 'and' | 'xor' | 'lsh' | 'rsh';

export function constantVector(value: number): Vector {
  return Array.from({ length: WORD_BITS }, (_, bit) => ((value >>> bit) & 1 ? TRUE : FALSE));
}

/** A word of the input under a mask (u32). */
export function wordVector(bdd: Bdd, word: number, mask: number): Vector {
  return Array.from({ length: WORD_BITS }, (_, bit) =>
    (mask >>> bit) & 1 ? bdd.variable(variableOf(word, bit)) : FALSE,
  );
}

/** The value (u32) of a vector that does not depend on the input. */
export function constantOf(vector: Vector): number | undefined {
  let value = 0;
  for (let bit = 0; bit < WORD_BITS; bit++) {
    if (vector[bit] === TRUE) value |= 1 << bit;
    else if (vector[bit] !== FALSE) return undefined;
  }
  return value >>> 0;
}

export function equal(bdd: Bdd, a: Vector, b: Vector): Node {
  let result: Node = TRUE;
  for (let bit = 0; bit < WORD_BITS; bit++) {
    // With a constant, one step; `result` is about lower bits, so the new test goes on top of it.
    if (b[bit] === TRUE) result = bdd.ite(a[bit]!, result, FALSE);
    else if (b[bit] === FALSE) result = bdd.ite(a[bit]!, FALSE, result);
    else result = bdd.ite(bdd.xor(a[bit]!, b[bit]!), FALSE, result);
  }
  return result;
}

/** a >= b, or a > b when `strict`. */
export function atLeast(bdd: Bdd, a: Vector, b: Vector, strict: boolean): Node {
  let result: Node = strict ? FALSE : TRUE;
  for (let bit = 0; bit < WORD_BITS; bit++) {
    if (b[bit] === TRUE) result = bdd.ite(a[bit]!, result, FALSE);
    else if (b[bit] === FALSE) result = bdd.ite(a[bit]!, TRUE, result);
    else result = bdd.ite(b[bit]!, bdd.and(a[bit]!, result), bdd.or(a[bit]!, result));
  }
  return result;
}

/** Whether a and b have a set bit in common. */
export function intersects(bdd: Bdd, a: Vector, b: Vector): Node {
  let result: Node = FALSE;
  for (let bit = 0; bit < WORD_BITS; bit++) result = bdd.ite(bdd.and(a[bit]!, b[bit]!), TRUE, result);
  return result;
}

const OPERATIONS: Record<Arithmetic, (bdd: Bdd, a: Vector, b: Vector) => Vector> = {
  and: (bdd, a, b) => a.map((bit, index) => bdd.and(bit, b[index]!)),
  or: (bdd, a, b) => a.map((bit, index) => bdd.or(bit, b[index]!)),
  xor: (bdd, a, b) => a.map((bit, index) => bdd.xor(bit, b[index]!)),
  add: (bdd, a, b) => add(bdd, a, b, FALSE),
  sub: subtract,
  mul: multiply,
  lsh: (bdd, a, b) => shift(bdd, a, b, 1),
  rsh: (bdd, a, b) => shift(bdd, a, b, -1),
};

export function compute(bdd: Bdd, operation: Arithmetic, a: Vector, b: Vector): Vector {
  return OPERATIONS[operation](bdd, a, b);
}

/** a / b where b is not zero; where it is, the result means nothing. */
export function divide(bdd: Bdd, a: Vector, b: Vector): Vector {
  // Long division, one bit of the quotient at a time. The remainder needs a 33rd bit for a moment.
  let remainder: Vector = constantVector(0);
  const quotient: Node[] = Array.from({ length: WORD_BITS }, () => FALSE);
  for (let bit = WORD_BITS - 1; bit >= 0; bit--) {
    const carried = remainder[WORD_BITS - 1]!;
    const shifted = [a[bit]!, ...remainder.slice(0, WORD_BITS - 1)];
    const fits = bdd.or(carried, atLeast(bdd, shifted, b, false));
    remainder = choose(bdd, fits, subtract(bdd, shifted, b), shifted);
    quotient[bit] = fits;
  }
  return quotient;
}

function add(bdd: Bdd, a: Vector, b: Vector, carryIn: Node): Vector {
  let carry = carryIn;
  return a.map((x, index) => {
    const y = b[index]!;
    const half = bdd.xor(x, y);
    const sum = bdd.xor(half, carry);
    carry = bdd.ite(half, carry, x);
    return sum;
  });
}

function subtract(bdd: Bdd, a: Vector, b: Vector): Vector {
  return add(
    bdd,
    a,
    b.map((bit) => bdd.not(bit)),
    TRUE,
  );
}

function multiply(bdd: Bdd, a: Vector, b: Vector): Vector {
  let product = constantVector(0);
  for (let bit = 0; bit < WORD_BITS; bit++) {
    if (b[bit] === FALSE) continue;
    const partial = shiftBy(a, bit).map((x) => bdd.and(x, b[bit]!));
    product = add(bdd, product, partial, FALSE);
  }
  return product;
}

/**
 * Shifts by the amount modulo 32, as the eBPF that the kernel converts to does; `direction` 1 is
 * left.
 */
function shift(bdd: Bdd, a: Vector, amount: Vector, direction: 1 | -1): Vector {
  let result = a;
  for (let bit = 0; bit < 5; bit++)
    result = choose(bdd, amount[bit]!, shiftBy(result, direction * (1 << bit)), result);
  return result;
}

function shiftBy(a: Vector, left: number): Vector {
  return a.map((_, index) => a[index - left] ?? FALSE);
}

function choose(bdd: Bdd, test: Node, then: Vector, otherwise: Vector): Vector {
  return then.map((bit, index) => bdd.ite(test, bit, otherwise[index]!));
}

/** More cases of a computed return value than this are not told apart. */
const MOST_RETURN_CASES = 1 << 14;

/**
 * RET A: a function to terminals from the functions of the 32 bits, decided together variable by
 * variable.
 * @throws Undecided where these are too many
 */
export function terminalsOf(bdd: Bdd, vector: Vector): Node {
  const done = new Map<string, Node>();
  const visit = (bits: Vector): Node => {
    const top = Math.min(...bits.map((bit) => bdd.levelOf(bit)));
    const split = bits.find((bit) => !bdd.isTerminal(bit) && bdd.levelOf(bit) === top);
    if (split === undefined)
      return bdd.terminal(bits.reduce((value, bit, index) => (value | (bdd.valueOf(bit) << index)) >>> 0, 0));
    const key = bits.join();
    let node = done.get(key);
    if (node === undefined) {
      const side = (child: 'low' | 'high') =>
        visit(bits.map((bit) => (bdd.levelOf(bit) === top ? bdd[child](bit) : bit)));
      const variable = bdd.variable(bdd.variableOf(split));
      node = bdd.ite(variable, side('high'), side('low'));
      if (done.size === MOST_RETURN_CASES) throw new Undecided('the program returns too many values');
      done.set(key, node);
    }
    return node;
  };
  return visit(vector);
}
