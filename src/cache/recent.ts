import type { CompileSettings, Filter } from '../compile.ts';
import { lruByBytes } from './stores/lru.ts';

/** Filters that this process has had already, found by the very input and options that they were compiled from. */
export interface RecentFilters {
  find(input: string | Uint8Array, options: CompileSettings): RecentFilter | undefined;
  keep(input: string | Uint8Array, options: CompileSettings, made: RecentFilter): void;
  clear(): void;
  /** How much it holds, about. */
  readonly bytes: number;
  readonly entries: number;
  /** How many were forgotten to make room. */
  readonly evicted: number;
}

/** A filter with its key in the cache. */
export interface RecentFilter {
  filter: Filter;
  key: string;
}

/** Of a filter beside its program, about. */
const OVERHEAD = 2000;

/** @param limit bytes that inputs and filters may have together; those not asked for longest are forgotten */
export function recentFilters(limit: number = 64 * 1024 * 1024): RecentFilters {
  const kept = lruByBytes<RecentFilter & { input: string | Uint8Array }>(limit);
  return {
    find(input, options) {
      const found = kept.get(slotOf(input, options));
      if (found === undefined || !isSame(found.input, input)) return undefined;
      return { filter: copyOf(found.filter), key: found.key };
    },
    keep(input, options, { filter, key }) {
      const { instructions, diagnostics } = filter;
      const bytes = input.length + 40 * instructions.length + 400 * diagnostics.length + OVERHEAD;
      const own = typeof input === 'string' ? input : Buffer.from(input);
      kept.set(slotOf(input, options), { input: own, filter: copyOf(filter), key }, bytes);
    },
    clear: () => kept.clear(),
    get bytes() {
      return kept.bytes;
    },
    get entries() {
      return kept.entries;
    },
    get evicted() {
      return kept.evicted;
    },
  };
}

/** Bytes of an input that tell its slot. */
const SAMPLES = 61;

/** Where to look; of two inputs that meet in a slot, the later one has it. Hashing all of an input takes 10 us more. */
function slotOf(input: string | Uint8Array, options: CompileSettings): string {
  const { length } = input;
  const step = Math.max(1, Math.floor(length / SAMPLES));
  let hash = length;
  if (typeof input === 'string')
    for (let at = 0; at < length; at += step) hash = Math.imul(hash ^ input.charCodeAt(at), 0x9e3779b1);
  else for (let at = 0; at < length; at += step) hash = Math.imul(hash ^ input[at]!, 0x9e3779b1);
  return `${typeof input} ${hash >>> 0} ${JSON.stringify(options)}`;
}

function isSame(one: string | Uint8Array, other: string | Uint8Array): boolean {
  if (typeof one === 'string' || typeof other === 'string') return one === other;
  return Buffer.compare(one, other) === 0;
}

/** What a caller does to its filter is its own business. */
function copyOf(filter: Filter): Filter {
  const { target, flags } = filter;
  return {
    ...filter,
    instructions: filter.instructions.map(({ code, jt, jf, k }) => ({ code, jt, jf, k })),
    bytes: filter.bytes.slice(),
    arches: [...filter.arches],
    flags: flags && [...flags],
    target: {
      ...target,
      capabilities: [...target.capabilities],
      ...(target.architectures === undefined ? {} : { architectures: [...target.architectures] }),
    },
    diagnostics: filter.diagnostics.map((found) => ({ ...found })),
  };
}
