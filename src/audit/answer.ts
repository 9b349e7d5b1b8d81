/** What a profile says to the call of a record, and where it says so. */
import { archOf } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { readInput } from '../compile/findings.ts';
import type { LoweredProfile } from '../compile/lowered.ts';
import { lowerProfile } from '../compile.ts';
import { decisionOn, explainCall } from '../explain/explain.ts';
import type { Explanation } from '../explain/explain.ts';
import { describeDecision, describeSource } from '../explain/text.ts';
import type { Decision } from '../policy/types.ts';
import { decodeUtf8 } from '../profile/json-text.ts';
import type { Profile } from '../profile/types.ts';
import { describeAnswer } from '../prove/describe.ts';
import { loadCallFacts } from '../syscalls/constants.ts';
import type { Target } from '../target.ts';
import type { LoggedArgs } from './records.ts';

/** A profile that can be changed: its text, and what it means for a target. */
export interface Subject {
  text: string;
  profile: Profile;
  lowered: LoweredProfile & { confined: true };
}

/** The call of a record. */
export interface Wanted {
  abi: ArchName;
  nr: number;
  name: string | undefined;
  /** Upper half of the return value that was logged. */
  action: number;
  args?: LoggedArgs | undefined;
}

/** What a profile says to a call of a record. */
export interface Answer {
  /** Undefined if the answer depends on arguments that the record does not have. */
  explanation: Explanation | undefined;
  /** The action, or the rules it depends on. */
  text: string;
  /** Pointers of the entry that decides, or of those that may; empty where none does. */
  entries: string[];
}

/** @returns undefined for a config.json that asks for no filter. @throws SeccompcError */
export async function readSubject(
  input: string | Uint8Array,
  target: Target,
  file: string,
): Promise<Subject | undefined> {
  await loadCallFacts();
  const { profile, findings } = readInput(input, { file, semantics: target.semantics });
  findings.refuseErrors();
  const lowered = await lowerProfile(profile, { target, file });
  const text = typeof input === 'string' ? input : decodeUtf8(input)!;
  return lowered.confined ? { text, profile, lowered } : undefined;
}

/** Undefined for an architecture that the filter does not have. */
export function answerTo({ profile, lowered }: Subject, wanted: Wanted): Answer | undefined {
  const decision = decisionOf(lowered, wanted);
  if (decision === undefined || !lowered.arches.some(({ name }) => name === wanted.abi)) return undefined;
  const args = testedArgs(decision, wanted.args);
  const arch = archOf(wanted.abi).auditArch;
  const values = Array.from({ length: 6 }, (_, index) => args?.get(index) ?? 0n);
  const explanation = explainCall(profile, lowered, { arch, nr: wanted.nr, ip: 0n, args: values });
  const { answer, entry, considered } = explanation;
  if (args !== undefined)
    return {
      explanation,
      text: describeAnswer(answer, wanted.abi),
      entries: entry === undefined ? [] : [entry],
    };
  const entries = considered.filter(({ part }) => /^(?:decides|repeats|yields|condition)$/.test(part));
  const text = describeDecision(decision, wanted.abi, wanted.name);
  return { explanation: undefined, text, entries: entries.map(({ pointer }) => pointer) };
}

/**
 * The arguments on which the answer depends, by their index; undefined if one of them is not known.
 */
export function testedArgs(
  { rules }: Decision,
  args: LoggedArgs | undefined,
): Map<number, bigint> | undefined {
  const tested = new Map<number, bigint>();
  for (const { arg } of rules.flatMap(({ conditions }) => conditions)) {
    const value = args?.[arg];
    if (value === undefined) return undefined;
    tested.set(arg, value);
  }
  return tested;
}

/** What decides, with its place: `from p.json:4:5`. */
export function describeOrigin(answer: Answer | undefined, abi: ArchName, subject: Subject): string {
  const places = placesOf(answer, subject).map(({ line, column }) =>
    [subject.profile.file, line, column].join(':'),
  );
  const source = answer === undefined ? 'architecture' : answer.explanation?.source;
  if (source === 'default-action') return `the default action at ${places.join()}`;
  if (source === undefined || source === 'entry') return `from ${places.join(' and ')}`;
  const isListed = subject.lowered.arches.some(({ name }) => name === abi);
  return describeSource(source, abi, isListed);
}

/** Where the deciding entries are, or the default action. */
export function placesOf(answer: Answer | undefined, { profile, lowered }: Subject) {
  const { entries = [], explanation } = answer ?? {};
  const isDefault = explanation?.source === 'default-action';
  const pointers = isDefault ? [`${lowered.reference.seccomp.pointer}/defaultAction`] : entries;
  return pointers.map((pointer) => {
    const { line, column } = profile.locate(pointer) ?? {};
    return { pointer, line: line ?? null, column: column ?? null };
  });
}

export function decisionOf({ policy }: Subject['lowered'], { abi, nr }: Wanted): Decision | undefined {
  return decisionOn(policy, { arch: archOf(abi).auditArch, nr });
}
