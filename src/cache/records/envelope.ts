import { membersOf, parseJson } from '../json-object.ts';
import { sha256 } from './sha256.ts';
import type { Signer, TrustedKeys } from '../../signature.ts';

/** Version of all texts in a store; part of every key, so an older text is never found. */
export const RECORD_FORMAT = 2;

/** A text that is bound to its key. Checksum and signature cover the same bytes. */
interface Envelope {
  format: number;
  key: string;
  body: string;
  /** SHA-256, 64 hex digits. */
  checksum: string;
  signature?: { by: string; value: string };
}

/** What was in an envelope. */
export interface Opened {
  /** The parsed body; whose form is still to be checked. */
  body: unknown;
  /** Whether it is signed by a key that is trusted. */
  signed: boolean;
  /** Which key it claims to be signed by, trusted or not; absent without a signature. */
  by?: string;
}

/** The text that keeps a body under a key. */
export function writeEnvelope(key: string, content: object, signer?: Signer): string {
  return seal(key, JSON.stringify(content), signer);
}

/** The same text with this signature instead of any other, or why it cannot be signed. */
export function signEnvelope(text: string, key: string, signer: Signer): string | Refused {
  const bound = unseal(text, key);
  return 'refused' in bound ? bound : seal(key, bound.body, signer);
}

/** The body that was kept under a key, or the reason why the text is not that record. */
export function openEnvelope(text: string, key: string, trusted?: TrustedKeys): Opened | Refused {
  const bound = unseal(text, key);
  if ('refused' in bound) return bound;
  const { body, bytes, signature } = bound;
  const by = membersOf(signature)?.get('by');
  const signed = isSigned(signature, bytes, trusted);
  if (typeof signed !== 'boolean') return signed;
  return { body: parseJson(body), signed, ...(typeof by === 'string' ? { by } : {}) };
}

function seal(key: string, body: string, signer?: Signer): string {
  const bytes = boundBytes(key, body);
  const envelope: Envelope = { format: RECORD_FORMAT, key, body, checksum: sha256(bytes) };
  if (signer !== undefined) envelope.signature = { by: signer.id, value: signer.sign(bytes) };
  return JSON.stringify(envelope);
}

/** What checksum and signature cover, as bytes too; the signature is still to be checked. */
function unseal(
  text: string,
  key: string,
): { body: string; bytes: Uint8Array; signature: unknown } | Refused {
  const envelope = membersOf(parseJson(text));
  if (envelope === undefined) return { refused: 'it is damaged' };
  if (envelope.get('format') !== RECORD_FORMAT) return { refused: 'it has another format' };
  if (envelope.get('key') !== key) return { refused: 'it belongs to another key' };
  const body = envelope.get('body');
  if (typeof body !== 'string') return { refused: 'it is damaged' };
  const bytes = boundBytes(key, body);
  if (envelope.get('checksum') !== sha256(bytes)) return { refused: 'its checksum is wrong' };
  return { body, bytes, signature: envelope.get('signature') };
}

/** Why a text is not what it should be. */
export interface Refused {
  refused: string;
}

/** Refused is only a damaged signature, or a wrong one that claims a trusted key. */
function isSigned(
  signature: unknown,
  bound: Uint8Array,
  trusted: TrustedKeys | undefined,
): boolean | Refused {
  if (trusted === undefined || signature === undefined) return false;
  const members = membersOf(signature);
  const [by, value] = [members?.get('by'), members?.get('value')];
  if (typeof by !== 'string' || typeof value !== 'string') return { refused: 'its signature is damaged' };
  const verdict = trusted.verify(by, value, bound);
  return verdict === 'forged' ? { refused: 'its signature is wrong' } : verdict === 'good';
}

/** Each part comes after its length, so that no two pairs of key and body have the same bytes. */
function boundBytes(key: string, body: string): Uint8Array {
  const parts = [key, body].flatMap((text) => {
    const isAscii = Buffer.byteLength(text) === text.length;
    // UTF-8 would turn every unpaired surrogate into the same bytes.
    const bytes = Buffer.from(text, isAscii ? 'latin1' : 'utf16le');
    return [Buffer.from(`${isAscii ? 's' : 'w'}${bytes.length}:`), bytes];
  });
  return Buffer.concat([Buffer.from(`a4:s8:seccompcd1:${RECORD_FORMAT}`), ...parts]);
}
