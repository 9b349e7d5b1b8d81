/**
 * Whose a manifest is: our own signature in its annotations, and those that cosign puts beside it.
 */
import type { Refused } from '../cache/records/envelope.ts';
import type { Repository, StoredManifest } from '../distribution/repository.ts';
import { isSignedBy } from '../signature.ts';
import type { Signer, TrustedKeys } from '../signature.ts';
import { isExactlyFor, PREFIX } from './artifact.ts';

/** What a signature covers of a manifest: all that readers of ours look at. */
export interface Signable {
  artifactType?: string;
  subject?: { digest: string };
  config?: { digest: string };
  layers?: readonly { digest: string }[];
  annotations?: Readonly<Record<string, string>>;
}

const SIGNATURE = `${PREFIX}signature`;
const SIGNER = `${PREFIX}signature.key`;

/** The manifest with this signature instead of any other. */
export function signManifest<T extends Signable>(manifest: T, signer: Signer): T {
  const annotations = { ...manifest.annotations, [SIGNER]: signer.id };
  const signed = { ...manifest, annotations };
  return { ...signed, annotations: { ...annotations, [SIGNATURE]: signer.sign(statementOf(signed)) } };
}

/** `unknown`: signed by a key that is not trusted; `forged`: it claims one that is. */
export function ownSignature(
  manifest: Signable,
  trusted: TrustedKeys,
): 'good' | 'unsigned' | 'unknown' | 'forged' {
  const { [SIGNATURE]: signature, [SIGNER]: by } = manifest.annotations ?? {};
  if (signature === undefined || by === undefined) return 'unsigned';
  return trusted.verify(by, signature, statementOf(manifest));
}

/**
 * A JSON array of texts, so no two manifests have the same, and nothing else that a key signs
 * begins like it.
 */
function statementOf({ artifactType, subject, config, layers = [], annotations = {} }: Signable): Uint8Array {
  const { [SIGNATURE]: _, ...rest } = annotations;
  const parts = [
    'seccompc manifest 1',
    artifactType ?? null,
    subject?.digest ?? null,
    config?.digest ?? null,
    layers.map(({ digest }) => digest),
    Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ];
  return Buffer.from(JSON.stringify(parts));
}

/** What is read of a repository. */
export type SignatureSource = Pick<Repository, 'referrers' | 'manifest' | 'blob'>;

/** A manifest as it came, and its digest, which was computed here. */
export type Received = Pick<StoredManifest, 'digest' | 'bytes'>;

/**
 * Whether a filter may be used without a proof: a trusted key has signed it, and it is exactly for
 * this target and build. `unproved`: only with a proof; `refused`: not at all.
 */
export async function filterTrust(
  source: SignatureSource,
  stored: StoredManifest,
  wanted: Readonly<Record<string, string>>,
  trusted: TrustedKeys | undefined,
): Promise<'signed' | 'unproved' | Refused> {
  if (trusted === undefined) return 'unproved';
  const signed = await isSigned(source, stored, trusted);
  if (typeof signed !== 'boolean') return signed;
  return signed && isExactlyFor(stored.manifest, wanted) ? 'signed' : 'unproved';
}

/**
 * By our own signature, or one of cosign's. Refused is only what claims a trusted key that has not
 * signed it.
 */
export async function isSigned(
  source: SignatureSource,
  stored: StoredManifest,
  trusted: TrustedKeys,
): Promise<boolean | Refused> {
  const own = ownSignature(stored.manifest, trusted);
  if (own === 'forged') return { refused: 'its signature is wrong: it was made for something else' };
  return own === 'good' || isSignedByCosign(source, stored, trusted);
}

const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle/;
const SIMPLE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIMPLE_SIGNATURE = 'dev.cosignproject.cosign/signature';
/**
 * cosign lists a bundle in the tag that stands for the list of referrers by the type of its config.
 */
const LISTED_AS = 'application/vnd.oci.empty.v1+json';
/**
 * Each is two questions. Somebody who adds more than these hides signatures, and a manifest without
 * any is not used.
 */
const MOST_SIGNATURES = 64;
const LARGEST_SIGNATURE = 1024 * 1024;

/**
 * Whether a trusted key has signed the manifest by cosign: a bundle that refers to it, or the older
 * tag beside it.
 */
export async function isSignedByCosign(
  source: SignatureSource,
  received: Received,
  trusted: TrustedKeys,
): Promise<boolean> {
  const beside = await source.manifest(`${received.digest.replace(':', '-')}.sig`);
  for (const layer of beside?.manifest.layers?.slice(0, MOST_SIGNATURES) ?? []) {
    const signature = layer.annotations?.[SIMPLE_SIGNATURE];
    if (layer.mediaType !== SIMPLE || signature === undefined) continue;
    const payload = await source.blob(layer, LARGEST_SIGNATURE);
    if (isSignedSimply(payload, signature, received, trusted)) return true;
  }
  const bundles = (await source.referrers(received.digest)).filter(
    ({ artifactType = LISTED_AS }) => BUNDLE.test(artifactType) || artifactType === LISTED_AS,
  );
  for (const { digest } of bundles.slice(0, MOST_SIGNATURES)) {
    const [layer, ...more] = (await source.manifest(digest))?.manifest.layers ?? [];
    if (layer === undefined || more.length > 0 || !BUNDLE.test(layer.mediaType)) continue;
    if (await isSignedByBundle(await source.blob(layer, LARGEST_SIGNATURE), received, trusted)) return true;
  }
  return false;
}

/**
 * What cosign says when it signs an image, in both formats: other statements on a manifest approve
 * of nothing.
 */
const SIGNS = 'https://sigstore.dev/cosign/sign/v1';
const SIGNS_SIMPLY = 'cosign container image signature';

/**
 * Whether a Sigstore bundle is the signature of this manifest by a trusted key. What else it holds
 * is not needed for that.
 */
export async function isSignedByBundle(
  bundle: Uint8Array,
  { digest, bytes }: Received,
  { all }: TrustedKeys,
): Promise<boolean> {
  const [{ bundleFromJSON }, { toSignedEntity }] = await Promise.all([
    import('@sigstore/bundle'),
    import('@sigstore/verify'),
  ]);
  try {
    const parsed = bundleFromJSON(parse(bundle));
    const { signature } = toSignedEntity(parsed, Buffer.from(bytes));
    if (!all.some((key) => signature.verifySignature(key))) return false;
    if (parsed.content.$case === 'messageSignature') return true;
    const { payload, payloadType } = parsed.content.dsseEnvelope;
    const statement = parse(payload) as { predicateType: string; subject: { digest: { sha256: string } }[] };
    return (
      payloadType === 'application/vnd.in-toto+json' &&
      statement.predicateType === SIGNS &&
      statement.subject.some((subject) => `sha256:${subject.digest.sha256}` === digest)
    );
  } catch {
    return false; // it is no bundle
  }
}

/** The same for the older format: a text, and a signature in the annotations of its descriptor. */
export function isSignedSimply(
  payload: Uint8Array,
  signature: string,
  { digest }: Received,
  { all }: TrustedKeys,
): boolean {
  try {
    const { critical } = parse(payload) as {
      critical: { type: string; image: { 'docker-manifest-digest': string } };
    };
    return (
      all.some((key) => isSignedBy(key, signature, payload)) &&
      critical.type === SIGNS_SIMPLY &&
      critical.image['docker-manifest-digest'] === digest
    );
  } catch {
    return false; // it is no such text
  }
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}
