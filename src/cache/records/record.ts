/** Checking any record, to maintain a store without a profile. */
import type { Endian } from '../../bpf/instruction.ts';
import { readAlias, readProgram } from './alias.ts';
import type { Alias, Read } from './alias.ts';
import type { Refused } from './envelope.ts';
import { readObject } from './object.ts';
import type { TrustedKeys } from '../../signature.ts';
import type { StoredRecord } from '../stores/store.ts';

/** A record that passed the checks of key, checksum or digest, form, and the kernel's rules. */
export type ReadRecord =
  | {
      kind: 'object';
      program: Uint8Array;
      /** The byte orders in which the kernel would accept it: two only for odd programs. */
      endians: Endian[];
    }
  | ({ kind: 'alias' } & Read<Alias>);

/** The record in a text that was kept as one of this kind, or the reason why it is not one. */
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

/** A label as one line of bounded length without control characters: anybody can write one. */
export function plainLabel(label: string): string {
  return label.slice(0, LONGEST_LABEL).replaceAll(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/gu, ' ');
}

const LONGEST_LABEL = 200;
