/**
 * 32-bit values as functions of the input: one boolean function per bit, least significant first. All
 * arithmetic is unsigned and modulo 2^32, as in the BPF machine.
 */
import type { Diagram, Node } from './diagram.ts';
import { FALSE, TRUE } from './diagram.ts';
import { variableOf, WORD_BITS } from './input.ts';

export type Vector = readonly Node[];

/** The operations of BPF_ALU that take two operands and always give a value. */
export type Arithmetic = 'add' | 'sub' | 'mul' | 'or' | 'and' | 'xor' | 'lsh' | 'rsh';

export function constantVector(value: number): Vector {
  return Array.from({ length: WORD_BITS }, (_, bit) => ((value >>> bit) & 1 ? TRUE : FALSE));
}

/** A word of the input under a mask (u32). */
export function wordVector(diagram: Diagram, word: number, mask: number): Vector {
  return Array.from({ length: WORD_BITS }, (_, bit) =>
    (mask >>> bit) & 1 ? diagram.variable(variableOf(word, bit)) : FALSE,
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

export function equal(diagram: Diagram, a: Vector, b: Vector): Node {
  let result: Node = TRUE;
  for (let bit = 0; bit < WORD_BITS; bit++) {
    // With a constant, one step; `result` is about lower bits, so the new test goes on top of it.
    if (b[bit] === TRUE) result = diagram.ite(a[bit]!, result, FALSE);
    else if (b[bit] === FALSE) result = diagram.ite(a[bit]!, FALSE, result);
    else result = diagram.ite(diagram.xor(a[bit]!, b[bit]!), FALSE, result);
  }
  return result;
}

/** a >= b, or a > b when `strict`. */
export function atLeast(diagram: Diagram, a: Vector, b: Vector, strict: boolean): Node {
  let result: Node = strict ? FALSE : TRUE;
  for (let bit = 0; bit < WORD_BITS; bit++) {
    if (b[bit] === TRUE) result = diagram.ite(a[bit]!, result, FALSE);
    else if (b[bit] === FALSE) result = diagram.ite(a[bit]!, TRUE, result);
    else result = diagram.ite(b[bit]!, diagram.and(a[bit]!, result), diagram.or(a[bit]!, result));
  }
  return result;
}

/** Whether a and b have a set bit in common. */
export function intersects(diagram: Diagram, a: Vector, b: Vector): Node {
  let result: Node = FALSE;
  for (let bit = 0; bit < WORD_BITS; bit++) result = diagram.ite(diagram.and(a[bit]!, b[bit]!), TRUE, result);
  return result;
}

const OPERATIONS: Record<Arithmetic, (diagram: Diagram, a: Vector, b: Vector) => Vector> = {
  and: (diagram, a, b) => a.map((bit, index) => diagram.and(bit, b[index]!)),
  or: (diagram, a, b) => a.map((bit, index) => diagram.or(bit, b[index]!)),
  xor: (diagram, a, b) => a.map((bit, index) => diagram.xor(bit, b[index]!)),
  add: (diagram, a, b) => add(diagram, a, b, FALSE),
  sub: subtract,
  mul: multiply,
  lsh: (diagram, a, b) => shift(diagram, a, b, 1),
  rsh: (diagram, a, b) => shift(diagram, a, b, -1),
};

export function compute(diagram: Diagram, operation: Arithmetic, a: Vector, b: Vector): Vector {
  return OPERATIONS[operation](diagram, a, b);
}

/** a / b where b is not zero; where it is, the result means nothing. */
export function divide(diagram: Diagram, a: Vector, b: Vector): Vector {
  // Long division, one bit of the quotient at a time. The remainder needs a 33rd bit for a moment.
  let remainder: Vector = constantVector(0);
  const quotient: Node[] = Array.from({ length: WORD_BITS }, () => FALSE);
  for (let bit = WORD_BITS - 1; bit >= 0; bit--) {
    const carried = remainder[WORD_BITS - 1]!;
    const shifted = [a[bit]!, ...remainder.slice(0, WORD_BITS - 1)];
    const fits = diagram.or(carried, atLeast(diagram, shifted, b, false));
    remainder = choose(diagram, fits, subtract(diagram, shifted, b), shifted);
    quotient[bit] = fits;
  }
  return quotient;
}

function add(diagram: Diagram, a: Vector, b: Vector, carryIn: Node): Vector {
  let carry = carryIn;
  return a.map((x, index) => {
    const y = b[index]!;
    const half = diagram.xor(x, y);
    const sum = diagram.xor(half, carry);
    carry = diagram.ite(half, carry, x);
    return sum;
  });
}

function subtract(diagram: Diagram, a: Vector, b: Vector): Vector {
  return add(
    diagram,
    a,
    b.map((bit) => diagram.not(bit)),
    TRUE,
  );
}

function multiply(diagram: Diagram, a: Vector, b: Vector): Vector {
  let product = constantVector(0);
  for (let bit = 0; bit < WORD_BITS; bit++) {
    if (b[bit] === FALSE) continue;
    const partial = shiftBy(a, bit).map((x) => diagram.and(x, b[bit]!));
    product = add(diagram, product, partial, FALSE);
  }
  return product;
}

/** Shifts by the amount modulo 32, as the eBPF that the kernel converts to does; `direction` 1 is left. */
function shift(diagram: Diagram, a: Vector, amount: Vector, direction: 1 | -1): Vector {
  let result = a;
  for (let bit = 0; bit < 5; bit++)
    result = choose(diagram, amount[bit]!, shiftBy(result, direction * (1 << bit)), result);
  return result;
}

function shiftBy(a: Vector, left: number): Vector {
  return a.map((_, index) => a[index - left] ?? FALSE);
}

function choose(diagram: Diagram, test: Node, then: Vector, otherwise: Vector): Vector {
  return then.map((bit, index) => diagram.ite(test, bit, otherwise[index]!));
}

/** RET A: a function to terminals from the functions of the 32 bits, decided together variable by variable. */
export function terminalsOf(diagram: Diagram, vector: Vector): Node {
  const done = new Map<string, Node>();
  const visit = (bits: Vector): Node => {
    const top = Math.min(...bits.map((bit) => diagram.levelOf(bit)));
    const split = bits.find((bit) => !diagram.isTerminal(bit) && diagram.levelOf(bit) === top);
    if (split === undefined)
      return diagram.terminal(
        bits.reduce((value, bit, index) => (value | (diagram.valueOf(bit) << index)) >>> 0, 0),
      );
    const key = bits.join();
    let node = done.get(key);
    if (node === undefined) {
      const side = (child: 'low' | 'high') =>
        visit(bits.map((bit) => (diagram.levelOf(bit) === top ? diagram[child](bit) : bit)));
      const variable = diagram.variable(diagram.variableOf(split));
      node = diagram.ite(variable, side('high'), side('low'));
      done.set(key, node);
    }
    return node;
  };
  return visit(vector);
}
