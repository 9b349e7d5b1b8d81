/**
 * Tests of argument words as variables of their own, when a proof over the single bits is too large.
 *
 * Two filters that are equal whatever each test answers are equal. The reverse does not hold, since tests
 * on one word depend on each other; `compare.ts` takes that into account when it finds a difference.
 */
import type { Bdd, Node } from './bdd.ts';
import { FALSE, TRUE, Undecided } from './bdd.ts';
import { INPUT_BITS, variableOf, WORD_BITS } from './input-words.ts';

/** `equal`: (word & mask) == value. `greater`: (word & mask) > value. */
export interface Atom {
  readonly kind: 'equal' | 'greater';
  readonly word: number;
  readonly mask: number;
  readonly value: number;
}

/** Bounds the depth of the BDD, which is walked recursively. */
const MOST_ATOMS = 2000;

export class Atoms {
  readonly #bdd: Bdd;
  readonly #variables = new Map<string, number>();
  readonly #atoms: Atom[] = [];

  constructor(bdd: Bdd) {
    this.#bdd = bdd;
  }

  /** (word & mask) == value, all u32. */
  equal(word: number, mask: number, value: number): Node {
    if ((value & ~mask) !== 0) return FALSE;
    if (mask === 0) return TRUE;
    // A single bit is set exactly if it is not clear: one variable for both.
    if ((mask & (mask - 1)) === 0 && value === mask) return this.#bdd.not(this.equal(word, mask, 0));
    return this.#variable({ kind: 'equal', word, mask, value });
  }

  /** (word & mask) > value, all u32. */
  greater(word: number, mask: number, value: number): Node {
    if (value >= mask) return FALSE;
    if (value === 0) return this.#bdd.not(this.equal(word, mask, 0));
    if (value === mask - 1) return this.equal(word, mask, mask);
    return this.#variable({ kind: 'greater', word, mask, value });
  }

  /** The test that a variable stands for. */
  atomOf(variable: number): Atom {
    return this.#atoms[variable - INPUT_BITS]!;
  }

  /** Every test made so far. */
  all(): readonly Atom[] {
    return this.#atoms;
  }

  #variable(atom: Atom): Node {
    const key = `${atom.kind} ${atom.word} ${atom.mask} ${atom.value}`;
    let variable = this.#variables.get(key);
    if (variable === undefined) {
      if (this.#atoms.length === MOST_ATOMS)
        throw new Undecided(`the arguments are tested in more than ${MOST_ATOMS} ways`);
      variable = INPUT_BITS + this.#atoms.length;
      this.#variables.set(key, variable);
      this.#atoms.push(atom);
    }
    return this.#bdd.variable(variable);
  }
}

/** The same test over the bits of its word. */
export function atomOverBits(bdd: Bdd, atom: Atom): Node {
  let result: Node = atom.kind === 'equal' ? TRUE : FALSE;
  for (let bit = 0; bit < WORD_BITS; bit++) {
    const wanted = (atom.value >>> bit) & 1;
    if (((atom.mask >>> bit) & 1) === 0) {
      if (wanted) result = FALSE;
      continue;
    }
    const variable = bdd.variable(variableOf(atom.word, bit));
    if (wanted) result = bdd.ite(variable, result, FALSE);
    else result = bdd.ite(variable, atom.kind === 'equal' ? FALSE : TRUE, result);
  }
  return result;
}
