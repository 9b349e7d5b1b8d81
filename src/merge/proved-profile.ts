/** Profiles of set operations as text, each proved as a reader takes it. */
import { lowerProfile } from '../compile.ts';
import { fail, SeccompcError, undecided } from '../errors.ts';
import { formatOci } from '../profile/oci-text.ts';
import { FLAG_NAMES } from '../profile/types.ts';
import type { FlagName, Seccomp } from '../profile/types.ts';
import { Undecided } from '../prove/bdd/bdd.ts';
import { compare } from '../prove/compare.ts';
import type { Difference, Joined, Side } from '../prove/compare.ts';
import type { Reference } from '../prove/profile/reference.ts';
import { joined } from './merge.ts';
import { profileOf, readerOf } from './profile-of.ts';
import type { ProfileOptions } from './profile-of.ts';

/** What a runtime needs besides the program. */
export type Members = ProfileOptions['members'];

export interface ProvedProfile {
  text: string;
  entries: number;
  /** Calls that get a stricter answer than the operation says; none if the profile is exact. */
  lost: Difference[];
}

/** Without it, the kernel keeps mitigations on. */
const SPEC_ALLOW = 'SECCOMP_FILTER_FLAG_SPEC_ALLOW';
const WAIT_KILLABLE = 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV';

/**
 * Flags with which nothing is weaker than with those of the profiles, and the listener if calls are
 * handed to one.
 * @throws SeccompcError MERGE_LISTENERS if the profiles name several
 */
export function mergedMembers(sides: Joined['sides'], notifies: boolean): Members {
  const profilesOf = (side: Side | Joined): Seccomp[] =>
    'sides' in side ? side.sides.flatMap(profilesOf) : 'seccomp' in side ? [side.seccomp] : [];
  const profiles = sides.flatMap(profilesOf);
  const lists = profiles.map(({ flags }) => flags);
  const isIn = (flag: FlagName) => (list: Seccomp['flags']) => list?.includes(flag) ?? flag === SPEC_ALLOW;
  const flags = FLAG_NAMES.filter((flag) =>
    flag === SPEC_ALLOW ? lists.every(isIn(flag)) : lists.some(isIn(flag)),
  ).filter((flag) => notifies || flag !== WAIT_KILLABLE);
  const members = { flags: lists.every((list) => list === undefined) ? undefined : flags };
  const listeners = profiles.filter(({ listenerPath }) => notifies && listenerPath !== undefined);
  const paths = new Set(listeners.map(({ listenerPath }) => listenerPath));
  if (paths.size > 1) fail('MERGE_LISTENERS', { paths: [...paths].join(', ') });
  return listeners.length === 0 ? members : { ...membersOf(listeners[0]!), ...members };
}

function membersOf({ flags, listenerPath, listenerMetadata }: Seccomp): Members {
  return {
    flags,
    ...(listenerPath !== undefined && { listenerPath }),
    ...(listenerMetadata !== undefined && { listenerMetadata }),
  };
}

/**
 * The profile of an operation: exact, or never laxer.
 * @throws SeccompcError UNDECIDED, MERGE_LISTENERS, or the faults of the profile that would be
 *   exact
 */
export async function mergedProfile(
  side: Joined,
  options: Omit<ProfileOptions, 'members'>,
): Promise<ProvedProfile> {
  const { seccomp, lost } = decided(() => profileOf(side, { ...options, members: { flags: undefined } }));
  const notifies = [seccomp.defaultAction, ...seccomp.syscalls.map(({ action }) => action)].includes(
    'SCMP_ACT_NOTIFY',
  );
  return proved(side, { ...seccomp, ...mergedMembers(side.sides, notifies) }, lost, options);
}

/**
 * The shortest form that is found of a profile, at most as long as it is.
 * @throws as {@link mergedProfile}
 */
export async function simplifiedProfile(
  reference: Reference,
  options: Omit<ProfileOptions, 'members'>,
): Promise<ProvedProfile> {
  const { seccomp } = reference;
  const unchanged = { text: formatOci(seccomp), entries: seccomp.syscalls.length, lost: [] };
  const side = joined('union', [reference]);
  try {
    const found = profileOf(side, { ...options, members: membersOf(seccomp) });
    if (found.lost.length > 0 || found.seccomp.syscalls.length > unchanged.entries) return unchanged;
    return await proved(side, found.seccomp, [], options);
  } catch (error) {
    if (error instanceof Undecided) return unchanged;
    throw error;
  }
}

async function proved(
  side: Joined,
  seccomp: Seccomp,
  lost: Difference[],
  { target, nodeBudget }: Omit<ProfileOptions, 'members'>,
): Promise<ProvedProfile> {
  const text = formatOci(seccomp);
  const lowered = await lowerProfile(text, { target: readerOf(target), file: 'the result' });
  const relation = lost.length === 0 ? 'equal' : 'tightens';
  const budget = nodeBudget === undefined ? {} : { nodeBudget };
  const result = lowered.confined
    ? compare(side, lowered.reference, { relation, ...budget })
    : { verdict: 'broken' as const };
  if (result.verdict === 'undecided') throw new SeccompcError([undecided(result)]);
  if (result.verdict !== 'holds')
    throw new Error('internal error: the profile of a merge differs from its inputs');
  return { text, entries: seccomp.syscalls.length, lost };
}

function decided<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    throw new SeccompcError([undecided({ reason: error.message, isBudget: error.isBudget })]);
  }
}
