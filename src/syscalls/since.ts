import type { TableName } from '../arch.ts';
import type { KernelVersion } from '../target.ts';
import { general, later, start } from './generated/since.ts';

/** Since which Linux release a call answers. Source and rules: syscall-tables/since.tsv. */

/**
 * First release that has this call on this table: `5.3`, `2.6.28`, or `<=3.0` where the true one is
 * only known to be older. The table has to have the call; `id` is its position among the names of
 * all tables.
 */
export function firstRelease(id: number, name: string, table: TableName): string {
  const own = Object.hasOwn(later, name) ? later[name]?.[table] : undefined;
  const first = start[table];
  if (own !== undefined || first === undefined) return own ?? general[id]!;
  return isNewer(kernelVersion(first), kernelVersion(general[id]!)) ? first : general[id]!;
}

/** The oldest of some releases, one at least: 2.6.9 comes before 2.6.28. */
export function oldestRelease(releases: readonly string[]): string {
  const { compare } = new Intl.Collator('en', { numeric: true });
  return releases.toSorted((a, b) => compare(a.replace('<=', ''), b.replace('<=', '')))[0]!;
}

/** A release without its third number. */
export function kernelVersion(release: string): KernelVersion {
  const [major, minor] = release.replace('<=', '').split('.').map(Number);
  return { major: major!, minor: minor! };
}

function isNewer(a: KernelVersion, b: KernelVersion): boolean {
  return a.major === b.major ? a.minor > b.minor : a.major > b.major;
}
