/** Signatures of manifests: our own, and real ones of cosign (test/fixtures/cosign). */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  isSignedByBundle,
  isSignedByCosign,
  isSignedSimply,
  ownSignature,
  signManifest,
} from '../../src/registry/trust.ts';
import type { Received, Signable, SignatureSource } from '../../src/registry/trust.ts';
import { readTrustedKeys } from '../../src/signature.ts';
import { makeKey } from './cache-records.ts';

const [own, other] = [makeKey(), makeKey()];
const trusted = readTrustedKeys([own.publicPem]);
const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

const FILTER = {
  schemaVersion: 2,
  artifactType: 'application/vnd.seccompc.filter.v1',
  config: { digest: digestOf('{}') },
  layers: [{ digest: digestOf('program') }],
  subject: { digest: digestOf('profile') },
  annotations: { arch: 'x86_64', flags: '', revision: '6' },
};

describe('our signature of a manifest', () => {
  const signed = signManifest(FILTER, own.signer);

  it('is good for the manifest, in any order of its members and annotations', () => {
    expect(ownSignature(signed, trusted)).toBe('good');
    const annotations = Object.fromEntries(Object.entries(signed.annotations).toReversed());
    expect(ownSignature({ ...signed, annotations }, trusted)).toBe('good');
    expect(JSON.stringify(signManifest(FILTER, own.signer))).toBe(JSON.stringify(signed));
    expect(signManifest(signed, own.signer)).toEqual(signed);
  });

  it('is not there, or is of somebody else', () => {
    expect(ownSignature(FILTER, trusted)).toBe('unsigned');
    expect(ownSignature(signManifest(FILTER, other.signer), trusted)).toBe('unknown');
    expect(ownSignature(signManifest(signed, other.signer), trusted)).toBe('unknown');
    const [ours, theirs] = [signed, signManifest(FILTER, other.signer)].map(({ annotations }) => annotations);
    const claimed = {
      ...theirs,
      'vnd.seccompc.signature.key': ours!['vnd.seccompc.signature.key' as 'arch'],
    };
    expect(ownSignature({ ...FILTER, annotations: claimed }, trusted)).toBe('forged');
  });

  const { artifactType: _, ...untyped } = signed;
  const replays: Record<string, Signable> = {
    'another profile': { ...signed, subject: { digest: digestOf('other') } },
    'no profile': { ...signed, subject: undefined } as unknown as Signable,
    'another target': { ...signed, annotations: { ...signed.annotations, arch: 'aarch64' } },
    'other flags': { ...signed, annotations: { ...signed.annotations, flags: 'SECCOMP_FILTER_FLAG_LOG' } },
    'one more annotation': { ...signed, annotations: { ...signed.annotations, proved: 'true' } },
    'one annotation less': {
      ...signed,
      annotations: Object.fromEntries(
        Object.entries(signed.annotations).filter(([name]) => name !== 'flags'),
      ),
    },
    'another program': { ...signed, layers: [{ digest: digestOf('other') }] },
    'one more program': { ...signed, layers: [...signed.layers, { digest: digestOf('other') }] },
    'another kind of artifact': { ...signed, artifactType: 'application/vnd.other' },
    'no kind of artifact': untyped,
    'another config': { ...signed, config: { digest: digestOf('other') } },
  };
  it.each(Object.entries(replays))('is refused for %s', (_name, manifest) => {
    expect(ownSignature(manifest, trusted)).toBe('forged');
  });
});

describe('a signature of cosign', () => {
  const file = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/cosign', name));
  const bytes = file('manifest.txt');
  const manifest: Received = { digest: digestOf(bytes.toString()), bytes };
  const keys = (name: string) => readTrustedKeys([file(`${name}.pub`).toString()]);
  const changed = Buffer.from(bytes.toString().replace('"size":106', '"size":107'));
  const others: Received = { digest: digestOf(changed.toString()), bytes: changed };
  const payload = file('simple-payload.txt');
  const signatures = JSON.parse(file('simple-signatures.txt').toString()) as Record<string, string>;

  it('is read in a bundle', async () => {
    const bundle = file('p256.bundle');
    expect(await isSignedByBundle(bundle, manifest, keys('p256'))).toBe(true);
    expect(await isSignedByBundle(bundle, others, keys('p256'))).toBe(false);
    expect(await isSignedByBundle(bundle, manifest, keys('ed25519'))).toBe(false);
    const both = readTrustedKeys(['ed25519', 'p256'].map((name) => file(`${name}.pub`).toString()));
    expect(await isSignedByBundle(bundle, manifest, both)).toBe(true);
  });

  it.each(['p256', 'ed25519'])('of %s is read in the older format', (kind) => {
    const foreign = keys(kind === 'p256' ? 'ed25519' : 'p256');
    expect(isSignedSimply(payload, signatures[kind]!, manifest, keys(kind))).toBe(true);
    expect(isSignedSimply(payload, signatures[kind]!, others, keys(kind))).toBe(false);
    expect(isSignedSimply(payload, signatures[kind]!, manifest, foreign)).toBe(false);
  });

  it('may be of any tool that signs such a statement with Ed25519', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const real = JSON.parse(file('p256.bundle').toString()) as {
      dsseEnvelope: { payload: string; payloadType: string };
    };
    // As the DSSE specification has it.
    const made = (payloadType: string) => {
      const body = Buffer.from(real.dsseEnvelope.payload, 'base64');
      const bound = `DSSEv1 ${payloadType.length} ${payloadType} ${body.length} ${body.toString()}`;
      const sig = sign(null, Buffer.from(bound), privateKey).toString('base64');
      const dsseEnvelope = { ...real.dsseEnvelope, payloadType, signatures: [{ sig }] };
      return Buffer.from(JSON.stringify({ ...real, dsseEnvelope }));
    };
    const verdict = (type: string) => isSignedByBundle(made(type), manifest, readTrustedKeys([pem]));
    expect(await verdict('application/vnd.in-toto+json')).toBe(true);
    expect(await verdict('application/json')).toBe(false);
  });

  it('of the bytes themselves is read too', async () => {
    const bundle = file('p256.blob.bundle');
    expect(await isSignedByBundle(bundle, manifest, keys('p256'))).toBe(true);
    expect(await isSignedByBundle(bundle, others, keys('p256'))).toBe(false);
    expect(await isSignedByBundle(bundle, manifest, keys('ed25519'))).toBe(false);
  });

  it('of another statement about the manifest does not count', async () => {
    const bundle = file('p256.attestation.bundle');
    const { dsseEnvelope } = JSON.parse(bundle.toString()) as { dsseEnvelope: { payload: string } };
    const statement = Buffer.from(dsseEnvelope.payload, 'base64').toString();
    expect(statement).toContain(manifest.digest.slice('sha256:'.length));
    expect(await isSignedByBundle(bundle, manifest, keys('p256'))).toBe(false);
  });

  it('that was changed anywhere does not count, and nor does what is no signature', async () => {
    const text = file('p256.bundle').toString();
    const bundle = JSON.parse(text) as { dsseEnvelope: { payload: string; signatures: { sig: string }[] } };
    const { payload: body } = bundle.dsseEnvelope;
    const forMore = Buffer.from(body, 'base64')
      .toString()
      .replace(manifest.digest.slice(7), others.digest.slice(7));
    const withBody = (text_: string) => ({
      ...bundle,
      dsseEnvelope: { ...bundle.dsseEnvelope, payload: Buffer.from(text_).toString('base64') },
    });
    expect(await isSignedByBundle(Buffer.from(JSON.stringify(withBody(forMore))), others, keys('p256'))).toBe(
      false,
    );
    const unsigned = { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, signatures: [] } };
    const odd = ['', 'null', '{}', '[]', text.slice(1), JSON.stringify(unsigned), '{"dsseEnvelope":{}}'];
    for (const each of odd)
      expect(await isSignedByBundle(Buffer.from(each), manifest, keys('p256'))).toBe(false);
    const simple = (body_: string, signature = signatures['p256']!) =>
      isSignedSimply(Buffer.from(body_), signature, manifest, keys('p256'));
    expect(simple(payload.toString())).toBe(true);
    for (const each of ['', 'null', '{}', `${String(payload)} `]) expect(simple(each)).toBe(false);
    for (const each of ['', 'AAAA', signatures['ed25519']!])
      expect(simple(payload.toString(), each)).toBe(false);
  });

  describe('in a repository', () => {
    const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    const descriptor = (mediaType: string, content: Buffer, more: object = {}) => ({
      mediaType,
      digest: digestOf(content.toString()),
      size: content.length,
      ...more,
    });
    /**
     * What cosign leaves: bundles that are listed as `listed`, and signatures of the older format.
     */
    const repository = (
      bundles: Buffer[],
      listed: string | undefined,
      simple: Record<string, string>[] = [],
    ) => {
      const blobs = new Map([...bundles, payload].map((content) => [digestOf(content.toString()), content]));
      const manifests = new Map(
        bundles.map((bundle, at) => [`bundle ${at}`, { layers: [descriptor(bundleType, bundle)] }]),
      );
      const type = 'application/vnd.dev.cosign.simplesigning.v1+json';
      const layers = simple.map((annotations) => descriptor(type, payload, { annotations }));
      manifests.set(`${manifest.digest.replace(':', '-')}.sig`, { layers });
      const artifactType = listed === undefined ? {} : { artifactType: listed };
      return {
        referrers: (digest: string) =>
          Promise.resolve(
            digest !== manifest.digest
              ? []
              : bundles.map((_, at) => ({ mediaType: '', size: 1, digest: `bundle ${at}`, ...artifactType })),
          ),
        manifest: (reference: string) => {
          const found = manifests.get(reference);
          return Promise.resolve(found && { manifest: found });
        },
        blob: ({ digest }: { digest: string }) => Promise.resolve(blobs.get(digest)!),
      } as unknown as SignatureSource;
    };
    const bundle = file('p256.bundle');
    const attestation = file('p256.attestation.bundle');
    const annotation = (value: string) => ({ 'dev.cosignproject.cosign/signature': value });

    it.each([bundleType, 'application/vnd.oci.empty.v1+json', undefined])(
      'is found as a referrer that is listed as %s',
      async (listed) => {
        const verdict = (bundles: Buffer[], of = manifest) =>
          isSignedByCosign(repository(bundles, listed), of, keys('p256'));
        expect(await verdict([attestation, bundle])).toBe(true);
        expect(await verdict([attestation])).toBe(false);
        expect(await verdict([bundle], others)).toBe(false);
      },
    );

    it('is found beside it, in the older format', async () => {
      const verdict = (kind: string, signed: string[], of = manifest) => {
        const simple = signed.map((each) => annotation(signatures[each]!));
        return isSignedByCosign(repository([], undefined, simple), of, keys(kind));
      };
      expect(await verdict('p256', ['ed25519', 'p256'])).toBe(true);
      expect(await verdict('ed25519', ['ed25519', 'p256'])).toBe(true);
      expect(await verdict('p256', ['ed25519'])).toBe(false);
      expect(await verdict('p256', ['p256'], others)).toBe(false);
    });

    it('is looked for among the first 64 only', async () => {
      const junk = Array.from({ length: 64 }, () => attestation);
      const verdict = (bundles: Buffer[]) =>
        isSignedByCosign(repository(bundles, bundleType), manifest, keys('p256'));
      expect(await verdict([...junk.slice(1), bundle])).toBe(true);
      expect(await verdict([...junk, bundle])).toBe(false);
    });
  });
});
