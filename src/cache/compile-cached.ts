import type { CompileOptions, CompileSettings, Filter } from '../compile.ts';
import type { LoweredProfile } from '../compile/lowered.ts';
import { refuseUnconfined } from '../compile/filter.ts';
import { compileSettings } from '../compile/settings.ts';
import type { Diagnostic } from '../errors.ts';
import { filterOf, readInputAlias, readLoweredAlias, readProgram, writeInputAlias, writeLoweredAlias } from './records/alias.ts'; // prettier-ignore
import type { Refused } from './records/envelope.ts';
import { keyedOptions, loweredKey } from './key.ts';
import { readObject, writeObject } from './records/object.ts';
import { plainLabel } from './records/record.ts';
import type { RecentFilters } from './recent.ts';
import type { Keys, Signer, TrustedKeys } from '../signature.ts';
import type { CacheStore, NewRecord } from './stores/store.ts';
import { Tiers } from './tiers.ts';
import { takeTurn } from './turn.ts';
import type { Turns } from './turn.ts';

/** Milliseconds for one answer of a store. After that the profile is compiled without it. */
export const STORE_DEADLINE = 2000;

/** What the compiler calls an input without a name. */
const UNNAMED = '-';

/** A filter, and where it came from. */
export interface CachedFilter {
  /** The same on a hit as on a miss, to the byte and to the diagnostic. */
  filter: Filter;
  /** The kind of store that had its program; `none` when it was compiled just now. */
  tier: string;
  /** 64 hex digits; the same input, options and build have the same. */
  key: string;
  /** What was wrong with the cache: nothing that touches the filter. */
  warnings: Diagnostic[];
}

/** Where filters are looked up and kept. */
export interface Cache {
  /** Filters of this process, which come before all stores; for one that compiles often. */
  recent?: RecentFilters | undefined;
  /** The nearest first. */
  stores: readonly CacheStore[];
  /**
   * For stores that others can write to: without any, nothing there is believed without a proof.
   */
  keys?: Keys | undefined;
  /** Milliseconds that a store may take for one answer; {@link STORE_DEADLINE} unless given. */
  deadline?: number;
  /** Where processes agree on who compiles a large input; each does unless given. */
  turns?: Turns | undefined;
}

/**
 * Compiles, unless one of the stores has the result already; a nearer store gets what a farther one
 * has. Any fault of a store is a warning, and a compile that fails is not kept.
 *
 * A filter from a store of one's own is used after its key, checksum, form and content were checked
 * and its program passed the kernel's acceptance rules. From a store that others can write to, only
 * what a trusted key has signed is used like that. Of everything else there, only the program is
 * used, and only if it is proved equal to the profile.
 *
 * The input is the text or the bytes of the document: a parsed profile has lost what the key
 * covers.
 * @param onMiss called before the profile is compiled, which it is if no store has the result
 * @throws SeccompcError as {@link compile} does.
 */
export async function compileCached(
  input: string | Uint8Array,
  options: CompileOptions,
  cache: Cache,
  onMiss?: () => void,
): Promise<CachedFilter> {
  const settings = compileSettings(options);
  const { recent } = cache;
  const known = recent?.find(input, settings);
  const found = known
    ? { ...known, tier: 'memory', warnings: [] }
    : await compileByStores(input, settings, cache, onMiss);
  if (!known) recent?.keep(input, settings, found);
  refuseUnconfined(found.filter, options);
  return found;
}

async function compileByStores(
  input: string | Uint8Array,
  options: CompileSettings,
  { stores, keys, deadline = STORE_DEADLINE, turns }: Cache,
  onMiss?: () => void,
): Promise<CachedFilter> {
  const tiers = new Tiers(stores, deadline);
  const { warnings } = tiers;
  const { keyOf } = await keyedOptions(options);
  const key = keyOf(input);

  const look = () => tiers.find((store) => findFilter(store, key, options, keys?.trusted));
  const early = await look();
  // After a refusal, which would only be reported twice, each makes a new entry.
  const waits = early === undefined && input.length >= LARGE && tiers.hasOwn() && !isRefused(warnings);
  const turn = waits && turns !== undefined ? await takeTurn(turns, key, look) : {};
  const hit = early ?? turn.found;
  if (hit !== undefined) {
    const { filter, records } = hit.found;
    const nearer = stores.slice(0, stores.indexOf(hit.store));
    await tiers.keep((store) => (nearer.includes(store) ? records : []));
    return { filter, tier: hit.store.tier, key, warnings };
  }

  try {
    onMiss?.();
    // Only a miss pays for loading the compiler.
    const { runPipeline } = await import('../compile.ts');
    let from: CacheStore | undefined;
    let ofLowered: string | undefined;
    const filter = await runPipeline(input, options, {
      async find(lowered) {
        ofLowered = await loweredKey(lowered, options);
        const known = await findByLowered(tiers, ofLowered, lowered, options, keys?.trusted);
        from = known?.store;
        return known?.found;
      },
    });
    await keepFilter(tiers, filter, { ofInput: key, ofLowered, from }, options, keys?.signer);
    return { filter, tier: from?.tier ?? 'none', key, warnings };
  } finally {
    turn.end?.();
  }
}

/**
 * Length of an input whose compilation may take longer than the start of a process. That of
 * Docker's default profile, which is less than half as long, does not.
 */
const LARGE = 32 * 1024;

function isRefused(warnings: readonly Diagnostic[]): boolean {
  return warnings.some(({ code }) => code === 'CACHE_ENTRY_REFUSED');
}

/** The filter for an input that was compiled before, with the texts that it was read from. */
async function findFilter(
  store: CacheStore,
  key: string,
  { file = UNNAMED, target, prove }: CompileSettings,
  trusted: TrustedKeys | undefined,
): Promise<{ filter: Filter; records: NewRecord[] } | Refused | undefined> {
  if (store.shared && trusted === undefined) return undefined;
  const text = await store.get(key);
  if (text === undefined) return undefined;
  const read = readInputAlias(text, key, { proved: prove === 'require', arch: target.arch }, trusted);
  if ('refused' in read) return read;
  const { alias, signed } = read;
  if (store.shared && !signed) return undefined;
  const object = alias.object === null ? NO_PROGRAM : await findObject(store, alias.object);
  if (object === undefined || 'refused' in object) return object;
  const filter = filterOf(alias, object.bytes, file);
  if ('refused' in filter) return filter;
  const records = [...object.records, aliasRecord(key, text, filter)];
  return { filter, records };
}

/** A program by its digest; undefined if it is no longer there. */
async function findObject(
  store: CacheStore,
  digest: string,
): Promise<{ bytes: Uint8Array; records: NewRecord[] } | Refused | undefined> {
  const text = await store.get(digest);
  if (text === undefined) return undefined;
  const bytes = readObject(text, digest);
  if ('refused' in bytes) return bytes;
  return { bytes, records: [objectRecord(digest, text, bytes)] };
}

const NO_PROGRAM = { bytes: new Uint8Array(), records: [] };

/** The program of another profile with the same lowered form. */
async function findByLowered(
  tiers: Tiers,
  key: string,
  { policy, reference }: LoweredProfile & { confined: true },
  { prove = 'auto' }: CompileSettings,
  trusted: TrustedKeys | undefined,
): Promise<{ found: Pick<Filter, 'instructions' | 'proved'>; store: CacheStore } | undefined> {
  const { isProved } = await import('../compile/proof.ts');
  return tiers.find(async (store) => {
    // Without trusted keys a program needs a proof, which is not wanted here.
    if (store.shared && trusted === undefined && prove === 'never') return undefined;
    const text = await store.get(key);
    if (text === undefined) return undefined;
    const read = readLoweredAlias(text, key, trusted);
    if ('refused' in read) return read;
    const { alias, signed } = read;
    // Compiling it anew gives the reason why it could not be proved.
    if (!alias.proved && prove !== 'never') return undefined;
    const object = await findObject(store, alias.object);
    if (object === undefined || 'refused' in object) return object;
    const instructions = readProgram(object.bytes, policy.endian);
    if ('refused' in instructions) return instructions;
    if (store.shared && !signed) {
      if (prove === 'never') return undefined;
      if (!isProved(instructions, reference)) return { refused: 'it is the program of another profile' };
    }
    return { instructions, proved: alias.proved };
  });
}

/**
 * Keeps a program, and both ways to it. A store that the program is `from` has all but one of them.
 */
async function keepFilter(
  tiers: Tiers,
  filter: Filter,
  {
    ofInput,
    ofLowered,
    from,
  }: { ofInput: string; ofLowered: string | undefined; from: CacheStore | undefined },
  { file = UNNAMED }: CompileSettings,
  signer: Signer | undefined,
): Promise<void> {
  const { digest, text } = writeObject(filter.bytes);
  await tiers.keep((store) => {
    // A store of one's own needs no signature.
    const by = store.shared ? signer : undefined;
    const input = writeInputAlias(ofInput, { filter, file, object: digest }, by);
    const records = input === undefined ? [] : [aliasRecord(ofInput, input, filter)];
    if (store === from && by === undefined) return records;
    const lowered = ofLowered && writeLoweredAlias(ofLowered, { object: digest, proved: filter.proved }, by);
    return [
      ...(filter.confined ? [objectRecord(digest, text, filter.bytes)] : []),
      ...(lowered ? [aliasRecord(ofLowered, lowered, filter)] : []),
      ...records,
    ];
  });
}

function objectRecord(key: string, text: string, bytes: Uint8Array): NewRecord {
  return { key, text, kind: 'object', label: `${bytes.length / 8} instructions` };
}

function aliasRecord(key: string, text: string, { arches, confined, proved }: Filter): NewRecord {
  const what = confined ? `${arches.join(' ')}, ${proved ? 'proved' : 'not proved'}` : 'no filter';
  return { key, text, kind: 'alias', label: plainLabel(what) };
}
