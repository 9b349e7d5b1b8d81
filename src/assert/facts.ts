/** What is known of calls and their arguments, for assertions. */
import type { Arch } from '../arch.ts';
import { ArgumentError, parseArgument } from '../format/call.ts';
import { constantsOf } from '../syscalls/constants.ts';
import { nearestNames } from '../syscalls/lookup.ts';
import { signatureOf } from '../syscalls/signatures.ts';
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

  /**
   * An argument by its place or name; undefined if a filter cannot see it, because it is in a
   * struct that another one points to.
   */
  argument(abi: Arch, call: string, which: string | number): Argument | undefined {
    const signature = signatureOf(abi, call);
    const args = signature?.args ?? [];
    const numbered = typeof which === 'number' ? which : Number(/^arg([0-5])$/.exec(which)?.[1] ?? NaN);
    const named = args.findIndex(({ name }) => name === which || name.endsWith(`_${which}`));
    if (signature?.form?.kind === 'struct') return undefined;
    const index = numbered < ARGUMENTS ? numbered : named;
    if (index < 0) {
      const names = args.map(({ name }) => name).join(', ');
      return this.refuse(`${call} has no argument "${which}"${names === '' ? '' : `, but ${names}`}`);
    }
    const { bits, signed } = args[index] ?? { bits: abi.wordBits, signed: false };
    return { index, bits: Math.min(bits, abi.wordBits), signed };
  }

  /** The value of a constant or a number, two's complement in 64 bits. */
  value(abi: Arch, call: string, index: number, text: string): bigint {
    try {
      return parseArgument(abi, call, index, text);
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      return this.refuse([error.message, error.hint].filter((part) => part !== undefined).join('; '));
    }
  }

  /**
   * The bits in which a value of flags is the only one: a socket's type has SOCK_CLOEXEC beside it.
   */
  field(abi: Arch, call: string, index: number, value: bigint): bigint | undefined {
    const field = constantsOf(abi, call, index)?.field ?? 0n;
    return field !== 0n && (value & ~field) === 0n ? field : undefined;
  }
}
