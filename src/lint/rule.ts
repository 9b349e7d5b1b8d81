/** What a rule of lint gets and gives. */
import type { Arch } from '../arch.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import type { LoweredProfile } from '../compile/lowered.ts';
import type { Code, Diagnostic } from '../errors.ts';
import type { EntryEffect, Survey } from '../explain/effects.ts';
import type { Profile } from '../profile/types.ts';

export type Lowered = LoweredProfile & { confined: true };

/** Against which list of dangerous calls a profile is held; each has the one before. */
export const LEVELS = ['container', 'sandbox', 'strict'] as const;
export type Level = (typeof LEVELS)[number];

/** What rules look at: one profile for one target. */
export interface Subject {
  profile: Profile;
  lowered: Lowered;
  level: Level | undefined;
  survey: Survey;
  effects: readonly EntryEffect[];
  /** `line 12` of a pointer. */
  lineOf: (pointer: string) => string;
  /** `socket(0x28) on X86_64` */
  describe: (data: SeccompData) => string;
}

/**
 * A call that shows the trouble, with the answer that it gets; it is tried on the compiled program.
 */
export interface Shown {
  data: SeccompData;
  /** u32 */
  answer: number;
}

/**
 * A change of the file: an element of an array is removed (undefined), or a member of an object
 * gets a value.
 */
export interface Change {
  /** RFC 6901 */
  pointer: string;
  value: string | number | undefined;
}

export interface Fix {
  changes: Change[];
  /**
   * What the new profile must be, compared with the old one; this is proved before anything is
   * written.
   */
  relation: 'equal' | 'tightens';
}

export interface Finding {
  diagnostic: Diagnostic;
  call?: Shown;
  fix?: Fix;
}

export interface Rule {
  code: Code;
  /** One sentence for docs/lint.md: what goes wrong otherwise. */
  reason: string;
  /** Where this is known from. */
  evidence: string;
  find: (subject: Subject) => Iterable<Finding>;
}

/** A call of an architecture, all arguments 0 unless given. */
export function callOf(
  { lowered }: Pick<Subject, 'lowered'>,
  arch: Arch,
  name: string,
  args: Readonly<Record<number, bigint>> = {},
): SeccompData | undefined {
  const nr = lowered.reference.tables.of(arch.name).numberOf(name);
  if (nr === undefined) return undefined;
  return { arch: arch.auditArch, nr, ip: 0n, args: [0, 1, 2, 3, 4, 5].map((index) => args[index] ?? 0n) };
}

/** `X86_64`, `X86_64, X86 and X32`, `read, write and 3 more` */
export function listed(words: readonly string[], most = Infinity): string {
  if (words.length > most) return listed([...words.slice(0, most), `${words.length - most} more`]);
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
