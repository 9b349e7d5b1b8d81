/** What a start needs, as it was measured. Source and method: syscall-tables/starts.tsv. */
import { compareReleases } from '../target.ts';
import { starts } from './generated/starts.ts';

/**
 * Whose calls a row tells: those of a runtime before it executes the program, or those of a C
 * library from then on.
 */
export const RUNTIMES = ['crun', 'runc', 'exec', 'bwrap'] as const;
export const LIBCS = ['glibc', 'musl', 'static'] as const;
export type Runtime = (typeof RUNTIMES)[number];
export type Libc = (typeof LIBCS)[number];
export type Part = Runtime | Libc;

/**
 * What comes of a refusal. `sometimes`: the call is not made in every start, so a start can go well
 * or not.
 */
export type Effect = 'starts' | 'fails' | 'sometimes';

/** A call that somebody makes after the filter is on, and that cannot be refused in every way. */
export interface Fact {
  part: Part;
  release: string;
  /**
   * When a runtime loads the filter: with `no_new_privs` late, with `privileges` before it drops
   * them.
   */
  setting: 'no_new_privs' | 'privileges' | '-';
  call: string;
  /** Arguments by index, of those that a profile may test and that are the same in every start. */
  args: ReadonlyMap<number, bigint>;
  /** The call is made only if these are refused. */
  insteadOf: readonly string[];
  stage: 'runtime' | 'loader' | 'libc' | 'program';
  /** By the way of refusing. */
  effects: { EPERM: Effect; ENOSYS: Effect; KILL: Effect };
  /**
   * The last words of the runtime or the program, after an errno and after the signal; empty if it
   * started.
   */
  symptom: string;
  killed: string;
}

let parsed: readonly Fact[] | undefined;

/** In the order in which the calls are made. */
export function allFacts(): readonly Fact[] {
  return (parsed ??= starts.split('\n').map(factOf));
}

function factOf(line: string): Fact {
  const [part, release, setting, call, args, instead, stage, EPERM, ENOSYS, KILL, ...words] =
    line.split('\t');
  const [symptom, killed] = words.map((text) => (text === '-' ? '' : text));
  const pairs = args === '-' ? [] : args!.split(',').map((text) => text.split('=') as [string, string]);
  return {
    part, release, setting, call, stage, symptom, killed,
    args: new Map(pairs.map(([index, value]) => [Number(index), BigInt(value)])),
    insteadOf: instead === '-' ? [] : instead!.split('+'),
    effects: { EPERM, ENOSYS, KILL },
  } as Fact; // prettier-ignore
}

/** Recorded releases, ascending. */
export function releasesOf(part: Part): string[] {
  const releases = new Set(allFacts().flatMap((fact) => (fact.part === part ? [fact.release] : [])));
  return [...releases].toSorted(compareReleases);
}

/**
 * The newest recorded release that is not newer than `wanted`, else the oldest; without `wanted`
 * the newest.
 */
export function nearestRelease(part: Part, wanted?: string): string {
  const releases = releasesOf(part);
  if (wanted === undefined) return releases.at(-1)!;
  return releases.findLast((release) => compareReleases(release, wanted) <= 0) ?? releases[0]!;
}
