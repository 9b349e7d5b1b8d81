/**
 * The smallest change of a profile that allows one logged call, and the proof that it changes
 * nothing else.
 */
import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW } from '../action.ts';
import { archOf, ociArchName } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { Explanation } from '../explain/explain.ts';
import { multiplexed } from '../policy/multiplex.ts';
import { effectiveEntries, returnValue } from '../policy/rules.ts';
import type { EffectiveEntry } from '../policy/rules.ts';
import { countItems, editJson } from '../profile/edit.ts';
import type { Change } from '../profile/edit.ts';
import type { Profile, SyscallEntry } from '../profile/types.ts';
import { compare } from '../prove/compare.ts';
import { PropertyProver } from '../prove/property.ts';
import type { Difference } from '../prove/compare.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import { answerTo, decisionOf, readSubject, testedArgs } from './answer.ts';
import type { Subject, Wanted } from './answer.ts';
import type { FoldedRecord, LoggedArgs } from './records.ts';

/** `proof`: the calls that the change allows, each with what it got before. */
export type Proposal =
  | { kind: 'patch'; changes: Change[]; subject: Subject; proof: string }
  | { kind: 'allowed' }
  | { kind: 'none'; reason: string };

/** What to ask about a record: once for each list of the arguments that decide, or without any. */
export function wantedIn({ lowered }: Subject, { abi, nr, name, action, args }: FoldedRecord): Wanted[] {
  if (abi === undefined) return [];
  const wanted = { abi, nr, name, action };
  const decision = decisionOf(lowered, wanted);
  const lists = new Map<string, LoggedArgs>();
  for (const list of decision === undefined ? [] : args) {
    const tested = testedArgs(decision!, list);
    if (tested === undefined || tested.size === 0) continue;
    const known = list.map((value, index) => (tested.has(index) ? value : undefined));
    lists.set(known.join(' '), known);
  }
  return lists.size === 0 ? [wanted] : [...lists.values()].map((list) => ({ ...wanted, args: list }));
}

/**
 * Looks for the smallest change that allows the call: its name is taken from the entries that
 * refuse it, or added to an entry that allows. Each candidate is compared with the profile for
 * every possible call, and counts only if nothing but this call changes.
 *
 * @param anyArguments allow the call with any arguments if the record has none
 */
export async function proposePatch(
  subject: Subject,
  wanted: Wanted,
  anyArguments = false,
): Promise<Proposal> {
  const { abi, nr, name } = wanted;
  const none = (reason: string): Proposal => ({ kind: 'none', reason });
  const answer = answerTo(subject, wanted);
  if (answer === undefined)
    return none(`the filter has no ${abi}; "${ociArchName(abi)}" in "architectures" adds all of its calls`);
  if (name === undefined) return none(`${abi} has no call of number ${nr}, and a profile has only names`);
  const { explanation } = answer;
  if (explanation?.answer === SECCOMP_RET_ALLOW) return { kind: 'allowed' };
  const found = candidates(subject, wanted, explanation, anyArguments);
  if (found.length === 0)
    return none('the answer depends on arguments, which the record does not have; strace shows them');
  let reason = '';
  for (const changes of found) {
    const tried = await tryChanges(subject, wanted, changes);
    if (typeof tried !== 'string') return tried;
    reason ||= tried;
  }
  return none(reason);
}

/**
 * The smallest first. What is added comes before what is removed, from the last entry to the first.
 */
function candidates(
  { text, lowered, profile }: Subject,
  wanted: Wanted,
  explanation: Explanation | undefined,
  anyArguments: boolean,
): Change[][] {
  const { seccomp, target, tables } = lowered.reference;
  const name = wanted.name!;
  const where = { pointer: '', member: '' };
  const usual = returnValue(seccomp.defaultAction!, seccomp.defaultErrnoRet, where, target, () => {});
  const effective = effectiveEntries(seccomp, usual, target, tables, () => {});
  const refusing = effective.filter(
    ({ entry, action }) => action !== SECCOMP_RET_ALLOW && entry.names?.includes(name),
  );
  const added = (args?: object[]): Change => {
    const path = `${seccomp.pointer}/syscalls`;
    const entry = { names: [name], action: 'SCMP_ACT_ALLOW', args };
    const count = countItems(text, path);
    return count === undefined
      ? { op: 'add', path, value: [entry] }
      : { op: 'add', path: `${path}/${count}`, value: entry };
  };

  if (explanation === undefined && !anyArguments) {
    // Only one rule can have given the action of the record.
    const logged = (action: number) => (action & SECCOMP_RET_ACTION_FULL) >>> 0 === wanted.action;
    const possible = refusing.filter(({ action }) => logged(action));
    return possible.length === 1 && !logged(usual) ? [removals(possible, name)] : [];
  }
  const tested = testedArgs(decisionOf(lowered, wanted)!, wanted.args);
  if (explanation !== undefined && tested !== undefined && tested.size > 0) {
    const holding = explanation.considered.filter(({ part }) => /^(?:decides|repeats|yields)$/.test(part));
    const removed = removals(
      refusing.filter(({ entry }) => holding.some(({ pointer }) => pointer === entry.pointer)),
      name,
    );
    const equal = [...tested].map(([index, value]) => ({ index, value, op: 'SCMP_CMP_EQ' }));
    return [...(removed.length > 0 ? [removed] : []), [added(equal), ...removed]];
  }
  const removed = removals(refusing, name);
  const [longest] = effective
    .filter(({ entry, action }) => action === SECCOMP_RET_ALLOW && entry.args.length === 0 && !entry.singular)
    .filter(({ entry }) => !isConditional(profile, entry.pointer))
    .toSorted((a, b) => b.entry.names!.length - a.entry.names!.length);
  return [
    ...(removed.length > 0 ? [removed] : []),
    ...(longest === undefined ? [] : [[nameAdded(longest.entry, name), ...removed]]),
    [added(), ...removed],
  ];
}

/** Takes a name from entries; one without other names goes as a whole. */
function removals(entries: readonly EffectiveEntry[], name: string): Change[] {
  return entries.toReversed().flatMap(({ entry: { pointer, names = [], singular } }) => {
    if (singular || names.every((each) => each === name)) return [{ op: 'remove', path: pointer } as const];
    const at = names.flatMap((each, index) => (each === name ? [index] : []));
    return at.toReversed().map((index) => ({ op: 'remove', path: `${pointer}/names/${index}` }) as const);
  });
}

/** At its place if the names are sorted, else at the end. */
function nameAdded({ pointer, names = [] }: SyscallEntry, name: string): Change {
  const isSorted = names.every((each, index) => index === 0 || names[index - 1]! <= each);
  const place = isSorted ? names.findIndex((each) => each > name) : -1;
  return { op: 'add', path: `${pointer}/names/${place < 0 ? names.length : place}`, value: name };
}

/** Whether the entry counts for some targets only. */
function isConditional(profile: Profile, pointer: string): boolean {
  if (profile.dialect !== 'docker') return false;
  const entry = profile.docker.syscalls.find((each) => each.pointer === pointer)!;
  return [entry.includes, entry.excludes].some(
    ({ caps, arches, minKernel }) => caps.length > 0 || arches.length > 0 || minKernel !== undefined,
  );
}

/** The proposal, or why the changes do something else than to allow the call. */
async function tryChanges(subject: Subject, wanted: Wanted, changes: Change[]): Promise<Proposal | string> {
  const { profile, lowered } = subject;
  const { target } = lowered.reference;
  const changed = await readSubject(editJson(subject.text, changes), target, profile.file);
  if (changed === undefined) return 'without the entry the profile asks for no filter';
  const [before, after] = [lowered.reference, changed.lowered.reference];
  const calls = lowered.arches.map((abi) => ({ abi, table: before.tables.of(abi.name) }));
  const result = compare(before, after, { limit: MOST_DIFFERENCES, calls });
  const loosens = compare(before, after, { relation: 'loosens', limit: 1, calls });
  const undecided = [result, loosens].find(({ verdict }) => verdict === 'undecided');
  if (undecided !== undefined && 'reason' in undecided) return `the proof is undecided: ${undecided.reason}`;
  if (loosens.verdict !== 'holds') return 'it would make another answer stricter';
  const order = (abi: ArchName | undefined) => lowered.arches.findIndex(({ name }) => name === abi);
  const differences = result.verdict === 'broken' ? result.differences : [];
  differences.sort((a, b) => order(a.abi) - order(b.abi));
  const isWanted = ({ data, abi }: Difference) => {
    if (abi === undefined || order(abi) < 0) return false;
    const mux = multiplexed(wanted.name!, archOf(abi));
    return before.tables.of(abi).nameOf(data.nr) === wanted.name || mux?.nr === data.nr;
  };
  const other = differences.find((difference) => !isWanted(difference));
  if (other !== undefined) {
    const call = await describeCall(other.data, other.abi);
    const [was, is] = [other.first, other.second].map((value) => describeAnswer(value, other.abi));
    return `to allow it would also change ${call}: ${was} would become ${is}`;
  }
  const provers = [after, before].map((side) => new PropertyProver(side, calls)) as [
    PropertyProver,
    PropertyProver,
  ];
  const isOdd = (is: number, was: number) => is !== was && is !== SECCOMP_RET_ALLOW;
  const odd = provers[0].relate(provers[1], isOdd);
  if (odd.verdict === 'undecided') return `the proof is undecided: ${odd.reason}`;
  if (odd.verdict === 'fails') {
    const { data, abi, answer } = odd.call;
    return `it would give ${await describeCall(data, abi)} another refusal, ${describeAnswer(answer, abi)}`;
  }
  if (!differences.some(({ abi, data }) => abi === wanted.abi && data.nr === wanted.nr))
    return 'no change of one entry allows it';
  const answer = answerTo(changed, wanted);
  const decided = decisionOf(changed.lowered, wanted)!;
  // Without arguments nothing is left to ask where one rule had to be the one.
  const isAllowed =
    answer?.explanation === undefined
      ? !decided.rules.some(({ action }) => (action & SECCOMP_RET_ACTION_FULL) >>> 0 === wanted.action)
      : answer.explanation.answer === SECCOMP_RET_ALLOW;
  if (!isAllowed) return 'another entry still refuses it';
  return { kind: 'patch', changes, subject: changed, proof: describeProof(differences, wanted.name!) };
}

/** More than one name has numbers on all architectures. */
const MOST_DIFFERENCES = 256;

/** `clone3 on X86_64, X86: ERRNO EPERM (1) becomes ALLOW` */
function describeProof(differences: readonly Difference[], name: string): string {
  const changes = new Map<string, Set<string>>();
  for (const { abi, data, first, second } of differences) {
    const change = `${describeAnswer(first, abi)} becomes ${describeAnswer(second, abi)}`;
    const through = [archOf(abi!).socketcall, archOf(abi!).ipc].indexOf(data.nr);
    const way =
      through < 0 || /^(?:socketcall|ipc)$/.test(name) ? '' : ` through ${['socketcall', 'ipc'][through]}`;
    changes.set(change, (changes.get(change) ?? new Set()).add(`${abi}${way}`));
  }
  return [...changes].map(([change, places]) => `${name} on ${[...places].join(', ')}: ${change}`).join('; ');
}
