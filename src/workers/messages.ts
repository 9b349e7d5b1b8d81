import type { KeyTexts } from '../signature.ts';
import type { CacheStore, RecordInfo } from '../cache/stores/store.ts';
import type { CompileSettings } from '../compile.ts';
import type { Diagnostic } from '../errors.ts';
import type { FilterDocument } from '../format/filter-document.ts';

/** One compilation. The bytes are copied to the worker. */
export interface Job {
  input: Uint8Array;
  options: CompileSettings;
}

/** The result of a job with a valid profile. */
export interface Product {
  /** Without the warnings of the cache. */
  document: FilterDocument;
  /** The raw program. */
  bytes: Uint8Array;
  /** Faults of the cache. */
  warnings: Diagnostic[];
}

/**
 * Workers have no store of their own, so that one can be ended at any moment: they ask the main
 * thread.
 */
export interface StoreRequest {
  /** Returned with the answer, so that a late answer is not taken for that of a later request. */
  id: number;
  /** Position of the store in the cache. */
  store: number;
  key: string;
  /** The text to store under the key; without it the request reads the key. */
  kept?: RecordInfo & { text: string };
}
export type StoreAnswer = { id: number } & ({ text: string | undefined } | { fault: Diagnostic });

export type ToWorker = ({ kind: 'compile' } & Job) | { kind: 'stored'; answer: StoreAnswer };

export type FromWorker =
  /** The first message: the compiler is loaded. */
  | { kind: 'ready' }
  | { kind: 'store'; request: StoreRequest }
  | { kind: 'compiled'; product: Product }
  | { kind: 'refused'; diagnostics: readonly Diagnostic[] };

/** The start options of a worker. */
export interface WorkerSettings {
  /** Undefined: there is no cache. */
  cache: { stores: Pick<CacheStore, 'tier' | 'location' | 'shared'>[]; keys: KeyTexts } | undefined;
}
