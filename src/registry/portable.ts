/** What a profile must be to travel as an artifact, so that every runtime reads it alike. */
import { carriesErrno } from '../action.ts';
import { parseArch } from '../arch.ts';
import { lowerProfile } from '../compile.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { resolveProfile } from '../profile/docker.ts';
import { formatOci } from '../profile/oci-text.ts';
import { parseProfile } from '../profile/read.ts';
import type { Seccomp, SyscallEntry } from '../profile/types.ts';
import type { Target } from '../target.ts';
import { LARGEST_PROFILE } from './artifact.ts';

/**
 * Limits of the library with which runtimes merge profiles
 * (kubernetes-sigs/security-profiles-merger).
 */
const MOST = { entriesOfCall: 128, rulesOfCall: 256, namesOfEntry: 1024, rules: 16_384 };

/** What a profile has to compile for. */
export interface Aim {
  targets: readonly Target[];
  /**
   * Why a profile of the Docker dialect cannot be resolved; undefined if it can be, for the first
   * target.
   */
  unresolved: string | undefined;
  /** Without a target: this one, for the first architecture that the profile names. */
  otherwise: Target;
}

export interface Portable {
  /** The `linux.seccomp` object as JSON: the same for all profiles that say the same. */
  text: Uint8Array;
  /** Warnings and notes. */
  diagnostics: Diagnostic[];
}

/**
 * @throws SeccompcError for a profile with faults, PROFILE_NEEDS_TARGET, PROFILE_NOT_PORTABLE
 */
export async function portableProfile(
  input: Uint8Array,
  file: string,
  { targets, unresolved, otherwise }: Aim,
): Promise<Portable> {
  const { profile, diagnostics } = parseProfile(input, { file, semantics: otherwise.semantics });
  if (profile === undefined) throw new SeccompcError(diagnostics);
  if (profile.dialect === 'docker' && unresolved !== undefined)
    throw new SeccompcError([diagnostic('PROFILE_NEEDS_TARGET', { reason: unresolved }, { file })]);
  const named = profile.dialect === 'oci' ? profile.seccomp?.architectures[0]?.name : undefined;
  const arch = named === undefined ? undefined : parseArch(named);
  const checked = targets[0] ?? (arch === undefined ? otherwise : { ...otherwise, arch });
  const lowered = await lowerProfile(profile, { target: checked, file });
  const { seccomp } = resolveProfile(profile, checked);
  const reason = seccomp === null || !lowered.confined ? 'it asks for no filter' : faultOf(seccomp);
  if (reason !== undefined)
    throw new SeccompcError([diagnostic('PROFILE_NOT_PORTABLE', { reason }, { file })]);
  const text = Buffer.from(formatOci(seccomp!));
  if (text.length > LARGEST_PROFILE)
    throw new SeccompcError([
      diagnostic(
        'PROFILE_NOT_PORTABLE',
        { reason: `it has ${text.length} bytes, the most are ${LARGEST_PROFILE}` },
        { file },
      ),
    ]);
  return { text, diagnostics: lowered.diagnostics };
}

/** The first thing for which it would be refused. */
function faultOf({
  defaultAction,
  defaultErrnoRet,
  flags,
  listenerPath,
  listenerMetadata,
  syscalls,
}: Seccomp) {
  if (listenerPath !== undefined) return 'it has a listenerPath';
  if (listenerMetadata !== undefined) return 'it has a listenerMetadata';
  if (flags?.includes('SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV')) return 'it has the flag WAIT_KILLABLE_RECV';
  const answers = [{ action: defaultAction!, errnoRet: defaultErrnoRet }, ...syscalls];
  for (const { action, errnoRet } of answers) {
    if (action === 'SCMP_ACT_NOTIFY') return 'it asks a supervisor (SCMP_ACT_NOTIFY)';
    if (errnoRet !== undefined && !carriesErrno(action))
      return `it has an errno for ${action}, which gives none`;
  }
  return countFault(syscalls) ?? conflict(syscalls);
}

function countFault(syscalls: readonly SyscallEntry[]): string | undefined {
  const calls = new Map<string, { entries: number; rules: number }>();
  let total = 0;
  for (const { names = [], args } of syscalls) {
    if (names.length > MOST.namesOfEntry)
      return `an entry has ${names.length} names, the most are ${MOST.namesOfEntry}`;
    // Conditions on one argument are alternatives.
    const alternatives = new Set(args.map(({ index }) => index)).size < args.length ? args.length : 1;
    for (const name of names) {
      const call = calls.get(name) ?? { entries: 0, rules: 0 };
      calls.set(name, { entries: call.entries + 1, rules: call.rules + alternatives });
      total += alternatives;
    }
  }
  for (const [name, { entries, rules }] of calls) {
    if (entries > MOST.entriesOfCall)
      return `${entries} entries name ${name}, the most are ${MOST.entriesOfCall}`;
    if (rules > MOST.rulesOfCall) return `${name} has ${rules} rules, the most are ${MOST.rulesOfCall}`;
  }
  return total > MOST.rules ? `it has ${total} rules, the most are ${MOST.rules}` : undefined;
}

/** Two answers to a call under the same conditions. */
function conflict(syscalls: readonly SyscallEntry[]): string | undefined {
  const answers = new Map<string, string>();
  for (const { names = [], args, action, errnoRet } of syscalls) {
    const conditions = args.map(({ index, op, value, valueTwo }) => `${index} ${op} ${value} ${valueTwo}`);
    const under = conditions.toSorted().join(', ');
    const answer = `${action} ${errnoRet ?? ''}`;
    for (const name of names) {
      const key = `${name} ${under}`;
      if ((answers.get(key) ?? answer) !== answer)
        return `it has two answers to ${name} under the same conditions`;
      answers.set(key, answer);
    }
  }
  return undefined;
}
