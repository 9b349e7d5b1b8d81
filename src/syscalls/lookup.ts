import { allArches, type Arch, type ArchName, archOf } from '../arch.ts';
import { closest } from '../closest.ts';
import { allNames, loadTables, nameId } from './load.ts';
import { firstRelease } from './since.ts';
import type { SyscallTables } from './tables.ts';

/** One call on one architecture. */
export interface ArchCall {
  readonly arch: ArchName;
  /** `seccomp_data.arch`, u32; as text {@link auditArchHex}. */
  readonly auditArch: number;
  readonly name: string;
  /** As the kernel shows it in `seccomp_data.nr`: the MIPS bases and bit 30 of x32 included. */
  readonly nr: number;
  /** First Linux release: `5.3`, or `<=3.0` where it is only known to be older. */
  readonly since: string;
}

/** The question: a name as written, or a number. */
export type LookupQuery = { readonly name: string } | { readonly nr: number };

export type LookupResult =
  /**
   * `calls` and `absent` together are the architectures asked, in their order; at least one call.
   */
  | {
      readonly kind: 'found';
      readonly query: LookupQuery;
      readonly calls: readonly ArchCall[];
      readonly absent: readonly ArchName[];
    }
  /** No such call on any architecture asked, but on these others. */
  | { readonly kind: 'elsewhere'; readonly query: LookupQuery; readonly calls: readonly ArchCall[] }
  /** On no architecture at all. `nearest`: names it may have been meant to be, best first. */
  | { readonly kind: 'unknown'; readonly query: LookupQuery; readonly nearest: readonly string[] };

/**
 * Everything known of a system call, by name or by number (decimal or 0x hex, u32), on the
 * architectures asked. Pure data; the command line puts it into words.
 */
export async function lookup(text: string, arches: readonly ArchName[] | 'all'): Promise<LookupResult> {
  const query = parseQuery(text);
  if ('name' in query && nameId(query.name) < 0)
    return { kind: 'unknown', query, nearest: nearestNames(query.name, 3) };

  const asked = arches === 'all' ? allArches() : [...new Set(arches)].map(archOf);
  const calls = await callsOn(asked, query);
  if (calls.length > 0) {
    const found = new Set(calls.map((call) => call.arch));
    const absent = asked.map((arch) => arch.name).filter((name) => !found.has(name));
    return { kind: 'found', query, calls, absent };
  }
  const others = await callsOn(
    allArches().filter((arch) => !asked.includes(arch)),
    query,
  );
  return others.length > 0
    ? { kind: 'elsewhere', query, calls: others }
    : { kind: 'unknown', query, nearest: [] };
}

/** `0xc000003e`: eight digits, as the kernel's log and its headers write an audit arch. */
export function auditArchHex(auditArch: number): string {
  return `0x${auditArch.toString(16).padStart(8, '0')}`;
}

/**
 * A number that does not fit 32 bits, or is written in another way, is taken as a name, and so
 * unknown.
 */
function parseQuery(text: string): LookupQuery {
  const nr = /^(?:[0-9]{1,10}|0x[0-9a-f]{1,8})$/i.test(text) ? Number(text) : NaN;
  return nr <= 0xffffffff ? { nr } : { name: text };
}

async function callsOn(arches: readonly Arch[], query: LookupQuery): Promise<ArchCall[]> {
  const tables = await loadTables(arches.map((arch) => arch.table));
  return arches.flatMap((arch) => callOn(arch, tables, query));
}

function callOn(arch: Arch, tables: SyscallTables, query: LookupQuery): ArchCall[] {
  const table = tables.table(arch.table);
  const name = 'name' in query ? query.name : table.nameOf(query.nr);
  const nr = 'name' in query ? table.numberOf(query.name) : query.nr;
  if (name === undefined || nr === undefined) return [];
  const since = firstRelease(nameId(name), name, arch.table);
  return [{ arch: arch.name, auditArch: arch.auditArch, name, nr, since }];
}

/**
 * What people copy from headers, tracers and kernel sources, and what distinguishes calls of one
 * name.
 */
const stemOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/^(?:__nr_|__x64_sys_|__ia32_sys_|sys_)/, '')
    .replace(/^_|(?:32|64)$/g, '');

/**
 * Names of calls that are close to a name, as {@link closest} says; prefixes, case, a leading
 * underscore and a 32 or 64 at the end hardly count.
 */
export function nearestNames(name: string, limit: number): string[] {
  return closest(name, allNames(), stemOf).slice(0, limit);
}
