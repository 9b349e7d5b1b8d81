/** A patch: entries without a default action, which answer in place of a base where they match. */
import { actionValue, SECCOMP_RET_DATA } from '../action.ts';
import type { Arch } from '../arch.ts';
import { lowerProfile } from '../compile.ts';
import type { LoweredProfile } from '../compile.ts';
import { readInput } from '../compile/findings.ts';
import { diagnostic, SeccompcError, undecided } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { resolveProfile } from '../profile/docker.ts';
import type { Profile, SyscallEntry } from '../profile/types.ts';
import { Undecided } from '../prove/bdd/bdd.ts';
import { canonicalSpace } from '../prove/bdd/space.ts';
import { joinedDiagram } from '../prove/compare.ts';
import type { Joined, Side } from '../prove/compare.ts';
import type { Reference } from '../prove/profile/reference.ts';
import type { Target } from '../target.ts';
import { joined } from './merge.ts';
import { UNMATCHED } from './operations.ts';
import { numberingsOf } from './policy-of.ts';

export interface Patch {
  /** Answers {@link UNMATCHED} where no entry matches. */
  side: Joined;
  profile: Profile;
  lowered: LoweredProfile & { confined: true };
}

/** What the base decides. To leave such a member out would go unseen. */
const NOT_IN_A_PATCH = new Set([
  'defaultAction', 'defaultErrnoRet', 'defaultErrno', 'architectures', 'archMap', 'flags',
]); // prettier-ignore

/** @throws SeccompcError with all faults */
export async function readPatch(
  bytes: Uint8Array,
  options: { file: string; target: Target; arches: readonly Arch[] },
): Promise<Patch> {
  const { file, target, arches } = options;
  const { profile, findings } = readInput(bytes, { file, semantics: target.semantics });
  const patch = profile.dialect === 'docker' ? profile.docker : profile.seccomp;
  if (patch === null)
    throw new SeccompcError([
      diagnostic('NOT_A_PROFILE', { what: 'a configuration without a patch in linux.seccomp' }, { file }),
    ]);
  const root = 'pointer' in patch ? patch.pointer : '';
  for (const [member, value] of Object.entries(patch)) {
    const isAbsent =
      value === undefined || (member !== 'flags' && Array.isArray(value) && value.length === 0);
    if (!NOT_IN_A_PATCH.has(member) || isAbsent) continue;
    findings.report(diagnostic('PATCH_MEMBER', { member }, { pointer: `${root}/${member}` }));
  }
  findings.refuseErrors();
  const names = arches.map(({ name }) => name);
  const reader = { ...target, arch: names[0]!, architectures: names };
  // A default action that no entry has shows where none matches.
  const taken = new Set(
    resolveProfile(profile, reader).seccomp!.syscalls.map(({ errnoRet = 1 }) => errnoRet & SECCOMP_RET_DATA),
  );
  let free = 0;
  while (taken.has(free)) free++;
  if (free > SECCOMP_RET_DATA)
    throw new SeccompcError([undecided({ reason: 'the patch gives every errno', isBudget: false })]);
  Object.assign(patch, { defaultAction: 'SCMP_ACT_TRACE', defaultErrnoRet: free });
  const lowered = await lowerProfile(profile, { target: reader, file });
  if (!lowered.confined) throw new Error('internal error: a patch asks for no filter');
  return { side: overlay(lowered.reference), profile, lowered };
}

function overlay(patch: Reference): Joined {
  const { seccomp } = patch;
  const unmatched = actionValue(seccomp.defaultAction!, seccomp.defaultErrnoRet);
  return {
    // Without entries, it tells calls of its architectures from all others.
    sides: [patch, { ...patch, seccomp: { ...seccomp, syscalls: [] } }],
    start: undefined,
    join: (answer, within) => (within === unmatched && answer !== unmatched ? answer : UNMATCHED),
  };
}

/**
 * The architectures of a filter, native first: those that it does not answer as any other.
 * @throws SeccompcError UNDECIDED
 */
export function archesOfFilter(side: Side, native: Arch, nodeBudget?: number): Arch[] {
  try {
    const { space, root } = joinedDiagram({ sides: [side], start: undefined, join: (a) => a }, nodeBudget);
    const abis = numberingsOf(space.bdd, root, native).numberings.flatMap((each) => each.abis);
    return abis.length === 0 ? [native] : abis;
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    throw new SeccompcError([undecided({ reason: error.message, isBudget: error.isBudget })]);
  }
}

/**
 * Warnings about names in entries without which the result is the same; none where that cannot be
 * computed.
 */
export function namesWithoutEffect(base: Side, patches: readonly Patch[], nodeBudget?: number): Diagnostic[] {
  const space = canonicalSpace(nodeBudget);
  const resultOf = (sides: readonly Joined[]) =>
    joinedDiagram(joined('extend', [base, ...sides]), nodeBudget, space).root;
  const sides = patches.map(({ side }) => side);
  const found: Diagnostic[] = [];
  try {
    const result = resultOf(sides);
    patches.forEach(({ profile, lowered }, at) => {
      const { reference, arches } = lowered;
      const { tables, seccomp } = reference;
      const [before, after] = [sides.slice(0, at), sides.slice(at + 1)];
      const earlier = resultOf(before);
      const withEntries = (syscalls: SyscallEntry[]) =>
        overlay({ ...reference, seccomp: { ...seccomp, syscalls } });
      for (const entry of seccomp.syscalls) {
        const reasons = new Map<string, string[]>();
        for (const name of new Set(entry.names)) {
          // The reader warns of these.
          if (tables.idOf(name) < 0) continue;
          const others = seccomp.syscalls.map((each) =>
            each === entry ? { ...each, names: each.names!.filter((other) => other !== name) } : each,
          );
          if (resultOf([...before, withEntries(others), ...after]) !== result) continue;
          const isAlready = resultOf([...before, withEntries([{ ...entry, names: [name] }])]) === earlier;
          const isAbsent = arches.every((abi) => tables.of(abi.name).numberOf(name) === undefined);
          const reason = !isAlready
            ? 'another entry decides these calls'
            : isAbsent
              ? 'no architecture of the base has these calls'
              : 'the base answers these calls so already';
          reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
        }
        for (const [reason, names] of reasons) {
          const { pointer } = entry;
          const values = { names: names.join(', '), reason };
          const warning = diagnostic('PATCH_WITHOUT_EFFECT', values, { pointer });
          found.push({ ...warning, file: profile.file, ...profile.locate(pointer) });
        }
      }
    });
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    return [];
  }
  return found;
}
