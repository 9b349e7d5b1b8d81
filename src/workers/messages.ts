import type { CacheStore, KeyTexts, RecordInfo } from '../cache/index.ts';
import type { CompileOptions } from '../compile.ts';
import type { Diagnostic } from '../errors.ts';
import type { FilterDocument } from '../format/filter-document.ts';

/** One compilation. The bytes are copied to the worker. */
export interface Job {
  input: Uint8Array;
  options: CompileOptions;
}

/** What comes of a job whose profile is acceptable. */
export interface Product {
  /** Without the warnings of the cache. */
  document: FilterDocument;
  /** The raw program. */
  bytes: Uint8Array;
  /** What was wrong with the cache. */
  warnings: Diagnostic[];
}

/** The store stays with the main thread, so that a worker can be ended at any moment; these ask for it. */
export interface StoreRequest {
  /** Comes back with the answer: one that is late must not be taken for that of a later request. */
  id: number;
  /** Position of the store in the cache. */
  store: number;
  key: string;
  /** To be kept under the key; the request is for what is kept there without it. */
  kept?: RecordInfo & { text: string };
}
export type StoreAnswer = { id: number } & ({ text: string | undefined } | { fault: Diagnostic });

export type ToWorker = ({ kind: 'compile' } & Job) | { kind: 'stored'; answer: StoreAnswer };

export type FromWorker =
  | { kind: 'store'; request: StoreRequest }
  | { kind: 'compiled'; product: Product }
  | { kind: 'refused'; diagnostics: readonly Diagnostic[] };

/** What a worker is started with. */
export interface WorkerSettings {
  /** Undefined: there is no cache. */
  cache: { stores: Pick<CacheStore, 'tier' | 'location' | 'shared'>[]; keys: KeyTexts } | undefined;
}
