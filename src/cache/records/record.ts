/** Records as those see them who look after a store: all of one kind alike, without a profile in the hand. */
import type { Endian } from '../../bpf/instruction.ts';
import { readAlias, readProgram } from './alias.ts';
import type { Alias } from './alias.ts';
import type { Refused } from './envelope.ts';
import { readObject } from './object.ts';
import type { TrustedKeys } from './signature.ts';
import type { StoredRecord } from '../stores/store.ts';

/** A record whose own checks have passed: key, checksum or digest, form, and the kernel's rules for a program. */
export type ReadRecord =
  | {
      kind: 'object';
      program: Uint8Array;
      /** The byte orders in which the kernel would take it; one, but for programs of a few odd instructions. */
      endians: Endian[];
    }
  | {
      kind: 'alias';
      alias: Alias;
      /** Whether a trusted key has signed it. */
      signed: boolean;
      /** Which key it claims to be signed by. */
      by?: string;
    };

/** What a text is that was kept as a record of this kind, or the reason why it is not one. */
export function readRecord(
  { key, kind }: Pick<StoredRecord, 'key' | 'kind'>,
  text: string,
  trusted?: TrustedKeys,
): ReadRecord | Refused {
  if (!/^[0-9a-f]{64}$/.test(key)) return { refused: 'its key is none' };
  if (kind === 'alias') {
    const read = readAlias(text, key, trusted);
    return 'refused' in read ? read : { kind, ...read };
  }
  if (kind !== 'object') return { refused: 'it is neither an alias nor an object' };
  const program = readObject(text, key);
  if ('refused' in program) return program;
  const endians = (['little', 'big'] as const).filter(
    (endian) => !('refused' in readProgram(program, endian)),
  );
  return endians.length === 0
    ? { refused: 'its program is not one that the kernel would take' }
    : { kind, program, endians };
}

/** Labels in a store that others write to are anybody's: one line of Unicode, no control characters, bounded. */
export function plainLabel(label: string): string {
  return label.slice(0, LONGEST_LABEL).replaceAll(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/gu, ' ');
}

const LONGEST_LABEL = 200;
