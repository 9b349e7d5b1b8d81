import { diagnostic, SeccompcError } from '../errors.ts';
import type { Foreign } from '../profile/foreign.ts';

/** One layer that was taken off a profile. */
export interface Layer {
  text: string;
  /** For the note: the profile is ... */
  where: string;
  pointer?: string;
  hint?: string;
  /** Whether lines and columns are no longer those of the text around it. */
  moved: boolean;
}

/** @throws SeccompcError NOT_A_PROFILE */
export function refuse(file: string, what: string, where: Omit<Foreign, 'what'> = {}): never {
  const found = { ...diagnostic('NOT_A_PROFILE', { what }, where), line: 1, column: 1 };
  throw new SeccompcError([{ ...found, file }]);
}
