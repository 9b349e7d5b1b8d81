import type { ErrnoSet } from './arch.ts';
import { errnos } from './syscalls/generated/errno.ts';

/**
 * Errno names and numbers of the three numberings. Source: syscall-tables/errno.tsv, from
 * asm-generic/errno.h, mips/asm/errno.h and parisc/asm/errno.h.
 */

/**
 * The name of a number: `EAGAIN` for 11, never its other spelling `EWOULDBLOCK`. Undefined when it
 * has none.
 */
export function errnoName(number: number, set: ErrnoSet): string | undefined {
  return Object.entries(errnos[set]).find((entry) => entry[1] === number)?.[0];
}

/**
 * The number of a name, 1..1133, other spellings included. Undefined for a name the set does not
 * have.
 */
export function errnoNumber(name: string, set: ErrnoSet): number | undefined {
  return Object.hasOwn(errnos[set], name) ? errnos[set][name] : undefined;
}
