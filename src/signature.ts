/**
 * Ed25519 (RFC 8032) signatures of what others could change, and ECDSA P-256 to check those of
 * cosign.
 */
import { createHash, createPrivateKey, createPublicKey, sign as signBytes, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** Signs what this process puts into shared stores and registries. */
export interface Signer {
  /** Of the public key. */
  readonly id: string;
  /** 64 bytes, in base64. */
  sign(bytes: Uint8Array): string;
}

/** Whose signatures are believed. */
export interface TrustedKeys {
  readonly all: readonly KeyObject[];
  /** `unknown`: the key is not trusted; `forged`: it is, but did not sign these bytes. */
  verify(id: string, signature: string, bytes: Uint8Array): 'good' | 'unknown' | 'forged';
}

/** Keys in PEM. */
export interface KeyTexts {
  /** Public keys; a text may hold several. */
  trust?: readonly string[];
  /** A private key. */
  sign?: string;
}

/** What a process signs with, and whose signatures it believes. */
export interface Keys {
  trusted: TrustedKeys | undefined;
  signer: Signer | undefined;
  /** What they were read from, for a thread that needs them too. */
  texts: KeyTexts;
}

/** @throws TypeError for a text that is no such key */
export function readKeys(texts: KeyTexts): Keys {
  const { trust = [], sign: own } = texts;
  return {
    trusted: trust.length === 0 ? undefined : readTrustedKeys(trust),
    signer: own === undefined ? undefined : readSigner(own),
    texts,
  };
}

/**
 * @param pem a private key in PKCS#8, as `openssl genpkey -algorithm ed25519` writes it
 * @throws TypeError for anything else
 */
export function readSigner(pem: string): Signer {
  const key = keyOf(() => createPrivateKey(pem), 'private Ed25519 key in PEM', ['ed25519']);
  return {
    id: idOf(createPublicKey(key)),
    sign: (bytes) => signBytes(null, bytes, key).toString('base64'),
  };
}

/**
 * @param pems public keys in SPKI, as `openssl pkey -pubout` and `cosign generate-key-pair` write
 *   them; one text may hold several
 * @throws TypeError for anything else, a private key included: it has no business where signatures
 *   are only checked
 */
export function readTrustedKeys(pems: readonly string[]): TrustedKeys {
  const keys = new Map<string, KeyObject>();
  for (const pem of pems) {
    const blocks = pem.match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g);
    if (blocks === null || pem.includes('PRIVATE KEY')) throw new TypeError(`it holds no ${PUBLIC_KEY}`);
    for (const block of blocks) {
      const key = keyOf(() => createPublicKey(block), PUBLIC_KEY, ['ed25519', 'prime256v1']);
      keys.set(idOf(key), key);
    }
  }
  return {
    all: [...keys.values()],
    verify(id, signature, bytes) {
      const key = keys.get(id);
      if (key === undefined) return 'unknown';
      return isSignedBy(key, signature, bytes) ? 'good' : 'forged';
    },
  };
}

/** @param signature in base64; of ECDSA in DER, over the SHA-256 of the bytes */
export function isSignedBy(key: KeyObject, signature: string, bytes: Uint8Array): boolean {
  const hash = key.asymmetricKeyType === 'ec' ? 'sha256' : null;
  return verify(hash, bytes, key, Buffer.from(signature, 'base64'));
}

const PUBLIC_KEY = 'public Ed25519 or ECDSA P-256 key in PEM';

function keyOf(read: () => KeyObject, what: string, kinds: readonly string[]): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read();
  } catch {}
  const kind = key?.asymmetricKeyDetails?.namedCurve ?? key?.asymmetricKeyType;
  if (key === undefined || !kinds.includes(kind ?? '')) throw new TypeError(`it holds no ${what}`);
  return key;
}

/** 32 hex digits of the SHA-256 of the key's SPKI form. */
function idOf(key: KeyObject): string {
  const spki = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex').slice(0, 32);
}
