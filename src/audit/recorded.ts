/** A profile that allows what was recorded, and nothing else. */
import { ociArchName } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { allFacts } from '../doctor/facts.ts';
import { formatJson } from '../profile/oci-text.ts';
import type { AuditRecord } from './records.ts';

/**
 * The calls that crun and runc make once the filter is on, up to the execve of the program, and
 * that end the start where they get EPERM. Source: syscall-tables/starts.tsv.
 */
export function startCalls(): string[] {
  const needed = allFacts().filter(
    ({ part, effects }) => (part === 'crun' || part === 'runc') && effects.EPERM !== 'starts',
  );
  return [...new Set(needed.map(({ call }) => call))];
}

/** More entries than this say less than one without conditions. */
const MOST_VALUES = 16;

export interface Recorded {
  text: string;
  /** Architectures that were seen, native first. */
  arches: ArchName[];
  /** Names from the run. */
  calls: number;
  /** `CALL:INDEX` where a value is not a number, or there are too many. */
  notNarrowed: string[];
}

/**
 * @param records of every call that was made
 * @param narrowed indexes of the arguments to compare, by call: only the recorded values are
 *   allowed
 */
export function recordedProfile(
  records: readonly AuditRecord[],
  native: ArchName,
  start: readonly string[],
  narrowed: ReadonlyMap<string, number>,
): Recorded {
  const arches = [...new Set([native, ...records.flatMap(({ abi }) => (abi === undefined ? [] : [abi]))])];
  const seen = new Set(records.flatMap(({ name }) => (name === undefined ? [] : [name])));
  const notNarrowed: string[] = [];
  const entries: object[] = [];
  for (const [call, index] of narrowed) {
    if (!seen.has(call) || start.includes(call)) continue;
    const values = new Set(records.filter(({ name }) => name === call).map(({ args }) => args?.[index]));
    if (values.has(undefined) || values.size > MOST_VALUES) {
      notNarrowed.push(`${call}:${index}`);
      continue;
    }
    seen.delete(call);
    for (const value of [...values].toSorted((a, b) => (a! < b! ? -1 : 1)))
      entries.push({ names: [call], action: 'SCMP_ACT_ALLOW', args: [{ index, value, op: 'SCMP_CMP_EQ' }] });
  }
  const names = [...new Set([...seen, ...start])].toSorted();
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: arches.map(ociArchName),
    syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }, ...entries],
  };
  return { text: `${formatJson(profile, '')}\n`, arches, calls: seen.size, notNarrowed };
}
