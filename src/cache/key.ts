import { createHash } from 'node:crypto';
import type { CompileSettings, LoweredProfile } from '../compile.ts';
import type { Decision } from '../policy/types.ts';
import { loadTables } from '../syscalls/load.ts';
import { packageVersion } from './version.ts';
import { canonicalBytes } from './records/canonical.ts';
import { RECORD_FORMAT } from './records/envelope.ts';
import { sha256 } from './records/sha256.ts';

/**
 * Raised with every change that makes the compiler give other bytes or other diagnostics for the same input
 * while the version of the package stays.
 */
export const COMPILER_REVISION = 4;

/** Everything a result depends on, by name; {@link cacheKey} hashes exactly this. */
export interface KeyFields {
  /** The document as it was given, byte for byte: the positions in the diagnostics depend on its layout. */
  input: Uint8Array | string;
  /** All of them except the name of the file, which the diagnostics get back on a hit. */
  options: Omit<CompileSettings, 'file'>;
  /** SHA-256 of the syscall tables. */
  tables: string;
  version: string;
  revision: number;
  /** Format of the text under the key. */
  format: number;
}

/** What this build of the compiler makes of an input and its options. */
export async function keyFields(input: Uint8Array | string, options: CompileSettings): Promise<KeyFields> {
  const { file: _, ...rest } = options;
  const { digest } = await loadTables([]);
  return {
    input,
    options: rest,
    tables: digest,
    version: packageVersion(),
    revision: COMPILER_REVISION,
    format: RECORD_FORMAT,
  };
}

/** SHA-256 over the canonical form of all fields: 64 hex digits. */
export function cacheKey(fields: KeyFields): string {
  return sha256(canonicalBytes(fields));
}

/** The options of many inputs, with the key of each. */
export interface KeyedOptions<T extends CompileSettings = CompileSettings> {
  options: T;
  /** {@link cacheKey} of the {@link keyFields} of an input and these options. */
  keyOf: (input: Uint8Array) => string;
}

/** For a process that computes many keys: all that does not depend on the input is encoded once. */
export async function keyedOptions<T extends CompileSettings>(options: T): Promise<KeyedOptions<T>> {
  const encoded = Buffer.from(canonicalBytes(await keyFields(new Uint8Array(), options)));
  // `format` alone is encoded before it, and holds no such bytes.
  const [member, empty] = ['s5:input', 'b0:'];
  const at = encoded.indexOf(member + empty) + member.length;
  const [before, after] = [encoded.subarray(0, at), encoded.subarray(at + empty.length)];
  return {
    options,
    keyOf: (input) => {
      const hash = createHash('sha256').update(before).update(`b${input.length}:`);
      return hash.update(input).update(after).digest('hex');
    },
  };
}

/**
 * The key of what the rules of a profile come to: all that the generator of programs sees, so that profiles with one
 * such key have one program, to the byte, however they are written. 64 hex digits.
 *
 * Profiles can mean the same and differ here, by another choice of conditions. They do not share it: the program of
 * one would be right for the other, but not the one that compiling the other gives.
 */
export async function loweredKey(
  { policy }: Pick<LoweredProfile & { confined: true }, 'policy'>,
  { optimize = 'attach', prove = 'auto' }: Pick<CompileSettings, 'optimize' | 'prove'>,
): Promise<string> {
  const { digest } = await loadTables([]);
  const decisions = new Map<Decision, number>();
  const positionOf = (decision: Decision): number => {
    const known = decisions.get(decision) ?? decisions.size;
    decisions.set(decision, known);
    return known;
  };
  const arches = policy.arches.map(({ auditArch, abis, ranges }) => ({
    auditArch,
    abis: abis.map(({ name }) => name),
    ranges: Buffer.from(
      ranges.map(({ from, to, decision }) => `${from} ${to} ${positionOf(decision)};`).join(''),
    ),
  }));
  const { endian, badArchAction } = policy;
  const fields = {
    meaning: { endian, badArchAction, arches, decisions: [...decisions.keys()] },
    optimize,
    // A program that nobody tried to prove is none that could not be proved.
    tried: prove !== 'never',
    tables: digest,
    version: packageVersion(),
    revision: COMPILER_REVISION,
    format: RECORD_FORMAT,
  };
  return sha256(canonicalBytes(fields));
}
