import type { Arch } from '../arch.ts';
import type { Diagnostic } from '../errors.ts';
import type { Policy } from '../policy/types.ts';
import type { Reference } from '../prove/profile/reference.ts';
import type { Filter } from './filter.ts';

/**
 * A profile without errors, before code generation. `confined` is false if it asks for no filter.
 */
export type LoweredProfile = { diagnostics: Diagnostic[] } & (
  | { confined: true; arches: Arch[]; policy: Policy; reference: Reference }
  | { confined: false }
);

/** Gives the program of a lowered profile if there is one already, such as that of a cache. */
export type FindProgram = (
  lowered: LoweredProfile & { confined: true },
) => Promise<Pick<Filter, 'instructions' | 'proved'> | undefined>;
