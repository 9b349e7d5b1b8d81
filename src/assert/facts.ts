/** What is known of calls and their arguments, for assertions. */
import { archOf } from '../arch.ts';
import type { Arch, ArchName } from '../arch.ts';
import { nearestNames } from '../syscalls/lookup.ts';
import type { SyscallTables } from '../syscalls/tables.ts';

/** An argument as the kernel reads it: the low `bits` of the 64 that a filter sees. */
export interface Argument {
  /** 0..5 */
  index: number;
  bits: number;
  signed: boolean;
}

const ARGUMENTS = 6;

export class ArgumentFacts {
  readonly arch: (name: ArchName) => Arch = archOf;
  /** Throws the error of the assertion that is judged. */
  readonly refuse: (reason: string) => never;
  readonly #tables: SyscallTables;

  constructor(tables: SyscallTables, refuse: (reason: string) => never) {
    this.#tables = tables;
    this.refuse = refuse;
  }

  /** Refuses a name that no architecture has: an assertion about it would always hold. */
  checkCall(name: string): void {
    if (this.#tables.isKnown(name)) return;
    const [nearest] = nearestNames(name, 1);
    this.refuse(
      `no system call is named "${name}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    );
  }

  /** An argument by its place or name; undefined if a filter cannot see it. */
  argument(abi: Arch, call: string, which: string | number): Argument | undefined {
    const index = typeof which === 'number' ? which : Number(/^arg([0-5])$/.exec(which)?.[1] ?? NaN);
    if (!(index < ARGUMENTS)) return this.refuse(`${call} has no argument "${which}"`);
    return { index, bits: abi.wordBits, signed: false };
  }

  /** The value of a constant or a number, two's complement in 64 bits. */
  value(_abi: Arch, call: string, index: number, text: string): bigint {
    if (!/^-?(\d+|0x[0-9a-f]+)$/i.test(text))
      return this.refuse(`"${text}" is no value of argument ${index} of ${call}`);
    return BigInt.asUintN(64, text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text));
  }
}
