/** The values that a program's registers take: interned, so that equal values are one number. */
import { WORD_BITS, variableOf } from '../bdd/input-words.ts';
import type { Space } from '../bdd/space.ts';
import type { Vector } from '../bdd/vector.ts';
import { constantOf, constantVector, wordVector } from '../bdd/vector.ts';

/** The number of a value. */
export type ValueId = number;

/** What a value is. Nearly all are a word of the input under a mask, or a constant. */
export type Value =
  | { readonly kind: 'constant'; readonly constant: number }
  | { readonly kind: 'word'; readonly word: number; readonly mask: number }
  | { readonly kind: 'vector'; readonly vector: Vector };

const ALL_BITS = 0xffffffff;

export class Values {
  readonly #space: Space;
  readonly #values: Value[] = [];
  readonly #vectors: (Vector | undefined)[] = [];
  /** Words without a mask, by their number. */
  readonly #whole: (ValueId | undefined)[] = [];
  readonly #plain = new Map<number, ValueId>();
  readonly #computed = new Map<string, ValueId>();

  constructor(space: Space) {
    this.#space = space;
  }

  constant(constant: number): ValueId {
    return this.#plainValue(constant, { kind: 'constant', constant });
  }

  /** A word of the input under a mask (u32). */
  word(word: number, mask: number): ValueId {
    if (mask === 0) return this.constant(0);
    if (mask === ALL_BITS) return (this.#whole[word] ??= this.#add({ kind: 'word', word, mask }));
    return this.#plainValue((word + 1) * 2 ** WORD_BITS + mask, { kind: 'word', word, mask });
  }

  ofVector(vector: Vector): ValueId {
    const constant = constantOf(vector);
    if (constant !== undefined) return this.constant(constant);
    const plain = this.#asWord(vector);
    if (plain) return this.word(plain.word, plain.mask);
    const key = vector.join();
    let id = this.#computed.get(key);
    if (id === undefined) {
      id = this.#add({ kind: 'vector', vector });
      this.#computed.set(key, id);
    }
    return id;
  }

  get(id: ValueId): Value {
    return this.#values[id]!;
  }

  vectorOf(id: ValueId): Vector {
    return (this.#vectors[id] ??= this.#makeVector(this.#values[id]!));
  }

  #makeVector(value: Value): Vector {
    if (value.kind === 'vector') return value.vector;
    if (value.kind === 'constant') return constantVector(value.constant);
    return wordVector(this.#space.bdd, value.word, value.mask);
  }

  #plainValue(key: number, value: Value): ValueId {
    let id = this.#plain.get(key);
    if (id === undefined) {
      id = this.#add(value);
      this.#plain.set(key, id);
    }
    return id;
  }

  #add(value: Value): ValueId {
    this.#vectors.push(undefined);
    return this.#values.push(value) - 1;
  }

  /** A vector whose every bit is 0 or the same bit of one input word. */
  #asWord(vector: Vector): { word: number; mask: number } | undefined {
    const { bdd } = this.#space;
    let word = -1;
    let mask = 0;
    for (let bit = 0; bit < WORD_BITS; bit++) {
      const node = vector[bit]!;
      if (bdd.isTerminal(node)) {
        if (bdd.valueOf(node) !== 0) return undefined;
        continue;
      }
      if (word < 0) word = bdd.variableOf(node) >>> 5;
      if (node !== bdd.variable(variableOf(word, bit))) return undefined;
      mask |= 1 << bit;
    }
    return { word, mask: mask >>> 0 };
  }
}
