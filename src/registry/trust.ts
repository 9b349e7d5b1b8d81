import type { TrustedKeys } from '../cache/records/signature.ts';
import type { Manifest } from '../distribution/repository.ts';

/** What a registry gives as the filter of a profile. */
export interface FilterClaim {
  manifest: Manifest;
  /** Digest of the profile's manifest. */
  subject: string;
  /** The raw program. */
  layerBytes: Uint8Array;
  /** Whose signatures are believed. */
  keys: TrustedKeys | undefined;
}

/** Whether a filter may be used without a proof. `unproved`: only with one; `refused`: not at all. */
export const filterTrust: (
  claim: FilterClaim,
) => Promise<'signed' | 'unproved' | { refused: string }> = async () => 'unproved';
