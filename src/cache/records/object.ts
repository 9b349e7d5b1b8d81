import { sha256 } from './sha256.ts';
import type { Refused } from './envelope.ts';

/**
 * A program as a store keeps it: in base64, under the SHA-256 of its bytes. It needs nothing else:
 * a caller that reads it computes the digest again.
 */
export function writeObject(bytes: Uint8Array): { digest: string; text: string } {
  return { digest: sha256(bytes), text: Buffer.from(bytes).toString('base64') };
}

/** The program with this digest (64 hex digits), or the reason why the text is not that program. */
export function readObject(text: string, digest: string): Uint8Array | Refused {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  if (Buffer.from(bytes).toString('base64') !== text) return { refused: 'its program is damaged' };
  return sha256(bytes) === digest ? bytes : { refused: 'its program is not the one that it names' };
}
