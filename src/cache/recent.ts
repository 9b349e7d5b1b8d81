import type { CompileSettings, Filter } from '../compile.ts';
import { sha256 } from './records/sha256.ts';
import { Lru } from './stores/lru.ts';

/** Filters that this process compiled before, found by their input and options. */
export interface RecentFilters {
  find(input: string | Uint8Array, options: CompileSettings): RecentFilter | undefined;
  keep(input: string | Uint8Array, options: CompileSettings, made: RecentFilter): void;
  clear(): void;
  /** Size of all filters, about. */
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

/** @param limit bytes of all filters; above it, the least recently used are forgotten */
export function recentFilters(limit: number = 64 * 1024 * 1024): RecentFilters {
  const kept = new Lru<RecentFilter>(limit);
  return {
    find(input, options) {
      const found = kept.get(nameOf(input, options));
      return found && { filter: copyOf(found.filter), key: found.key };
    },
    keep(input, options, { filter, key }) {
      const { instructions, diagnostics } = filter;
      const bytes = 40 * instructions.length + 400 * diagnostics.length + OVERHEAD;
      kept.set(nameOf(input, options), { filter: copyOf(filter), key }, bytes);
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

function nameOf(input: string | Uint8Array, options: CompileSettings): string {
  if (typeof input !== 'string') return `bytes ${sha256(input)} ${JSON.stringify(options)}`;
  // UTF-8, which is hashed in a third of the time, turns every unpaired surrogate into the same
  // bytes.
  const encoding = input.isWellFormed() ? 'utf8' : 'utf16le';
  return `${encoding} ${sha256(Buffer.from(input, encoding))} ${JSON.stringify(options)}`;
}

/** A caller may change its filter. structuredClone would take 0.4 ms for 500 instructions. */
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
