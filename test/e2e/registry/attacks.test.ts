/**
 * A registry that lies, and somebody who can write to it: no filter comes out that is not the
 * profile's.
 */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseReference } from '../../../src/distribution/reference.ts';
import { Repository } from '../../../src/distribution/repository.ts';
import type { Manifest } from '../../../src/distribution/repository.ts';
import { SeccompcError } from '../../../src/errors.ts';
import { pullFilter, pullProfile } from '../../../src/registry/pull.ts';
import { Pusher } from '../../../src/registry/push.ts';
import type { Pushed } from '../../../src/registry/push.ts';
import { signManifest } from '../../../src/registry/trust.ts';
import { readTrustedKeys } from '../../../src/signature.ts';
import type { TrustedKeys } from '../../../src/signature.ts';
import { makeTarget } from '../../../src/target.ts';
import type { Target } from '../../../src/target.ts';
import { documentOf, environment, MAIN, runIn, scratch } from '../../cli/run.ts';
import { available, skipWithout } from '../../oracle/compare.ts';
import type { Server } from '../../stores/servers.ts';
import { makeKey } from '../../unit/cache-records.ts';
import { startLiar } from './liar.ts';
import type { Answer, Liar, Lie } from './liar.ts';
import { findRegistry, startRegistry } from './start.ts';

const allowing = (...names: string[]) =>
  JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['exit_group', ...names], action: 'SCMP_ACT_ALLOW' }],
  });
/** What is attacked, and a profile that allows more. */
const PROFILES = { strict: allowing('read'), lax: allowing('read', 'write', 'execve', 'mount') };
const X86_64 = makeTarget({ arch: 'x86_64' });
const AARCH64 = makeTarget({ arch: 'aarch64' });

const registry = findRegistry();
const { signer, publicPem, privatePem } = makeKey();
const trusted = readTrustedKeys([publicPem]);
const digestOf = (content: string | Uint8Array) =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;
const ONCE = { time: 30_000, tries: 1 };

describe.skipIf(skipWithout(registry))('a registry that lies', () => {
  const folder = scratch();
  let server: Server;
  let liar: Liar;
  const pushed: Record<string, Pushed> = {};
  /** Programs by `strict x86_64` and so on. */
  const programs: Record<string, Uint8Array> = {};

  beforeAll(async () => {
    server = await startRegistry(available(registry).program);
    liar = await startLiar(server.port);
    for (const [name, text] of Object.entries(PROFILES)) {
      pushed[name] = await push(name, text);
      for (const target of [X86_64, AARCH64])
        programs[`${name} ${target.arch}`] = (await pull(name, { target })).filter.bytes;
    }
    writeFileSync(join(folder, 'release.pub'), publicPem);
    writeFileSync(join(folder, 'release.pem'), privatePem);
  });
  beforeEach(() => {
    liar.lie = {};
    liar.asked.length = 0;
  });
  afterAll(async () => {
    await liar?.close();
    await server?.remove();
  });

  const addressOf = (name: string, at = '') =>
    parseReference(`${liar.url}/${name}:v1${at}`, { plainHttp: true });

  function push(name: string, text: string, settings: object = { signer }): Promise<Pushed> {
    const targets = [X86_64, AARCH64];
    const pusher = new Pusher({
      targets,
      unresolved: undefined,
      otherwise: X86_64,
      optimize: 'attach',
      cache: undefined,
      ...settings,
    });
    return pusher.push({ file: name, bytes: Buffer.from(text), reference: addressOf(name) });
  }

  /** As `seccompc pull --trust --filter` does it. */
  async function pull(
    name: string,
    {
      target = X86_64,
      keys = trusted,
      at = '',
    }: { target?: Target; keys?: TrustedKeys | null; at?: string } = {},
  ) {
    const reference = addressOf(name, at);
    const repository = new Repository(reference, { patience: ONCE });
    const profile = await pullProfile(repository, reference, keys ?? undefined);
    return { profile, filter: await pullFilter(repository, profile, target, keys ?? undefined) };
  }

  /** Code, exit code and message of what is thrown. */
  async function refusal(work: Promise<unknown>): Promise<{ code: string; exit: number; message: string }> {
    const error: unknown = await work.then(
      (value) => value,
      (cause: unknown) => cause,
    );
    if (!(error instanceof SeccompcError))
      throw new TypeError(`no refusal: ${JSON.stringify(error)}`, { cause: error });
    return { code: error.diagnostics[0]!.code, exit: error.exitCode, message: error.message };
  }

  const DAMAGED = { code: 'REGISTRY_DAMAGED', exit: 65 };
  const UNREACHABLE = { code: 'REGISTRY_UNREACHABLE', exit: 69 };
  const NO_PROFILE = { code: 'REGISTRY_NO_PROFILE', exit: 65 };
  const NO_FILTER = { code: 'REGISTRY_NO_FILTER', exit: 1 };
  const UNSIGNED = { code: 'REGISTRY_UNSIGNED', exit: 65 };

  it('is believed as long as it tells the truth', async () => {
    for (const keys of [trusted, null]) {
      const { profile, filter } = await pull('strict', { keys });
      expect(profile.digest).toBe(pushed['strict']!.digest);
      expect(filter.trust).toBe(keys === null ? 'proved' : 'signed');
      expect(digestOf(filter.bytes)).toBe(`sha256:${pushed['strict']!.filters[0]!.sha256}`);
    }
    const different = new Set(Object.values(programs).map(digestOf));
    expect(different.size).toBe(4);
  });

  /** Changes what comes for one kind of question. */
  const changing = (what: RegExp, change: (answer: Answer) => Answer): Lie => ({
    after: (asked, answer) => (asked.method === 'GET' && what.test(asked.path) ? change(answer) : answer),
  });
  const flip = ({ body, ...rest }: Answer) => {
    const bytes = Buffer.from(body);
    bytes[bytes.length - 3]! ^= 1;
    return { ...rest, body: bytes };
  };
  const cut = ({ body, ...rest }: Answer) => ({ ...rest, body: body.subarray(0, body.length / 2) });
  const BLOB = /\/blobs\/sha256:/;
  const MANIFEST = /\/manifests\/sha256:/;

  it.each([
    ['another blob of the same length', BLOB, flip],
    ['half a blob', BLOB, cut],
    ['another manifest for a digest', MANIFEST, flip],
    ['half a manifest', MANIFEST, cut],
    ['no manifest', MANIFEST, (answer: Answer) => ({ ...answer, body: Buffer.from('{}') })],
    ['another manifest for a tag', /\/manifests\/v1/, flip],
  ])('is refused with %s', async (_, what, change) => {
    liar.lie = changing(what, change);
    expect(await refusal(pull('strict'))).toMatchObject(DAMAGED);
    expect(await refusal(pull('strict', { keys: null }))).toMatchObject(DAMAGED);
  });

  it('is refused with an answer that breaks off', async () => {
    liar.lie = {
      after(asked, answer, response) {
        if (!BLOB.test(asked.path)) return answer;
        response.writeHead(200, { ...answer.headers, 'content-length': String(answer.body.length) });
        response.write(answer.body.subarray(0, 10), () => response.destroy());
        return 'sent';
      },
    };
    expect(await refusal(pull('strict'))).toMatchObject(UNREACHABLE);
  });

  it.each([
    ['blob', BLOB],
    ['manifest', /\/manifests\/v1/],
    ['list of referrers', /\/referrers\/|\/manifests\/sha256-/],
  ])('is refused with a %s that has no end', async (_, what) => {
    let closed = false;
    liar.lie = {
      after(asked, answer, response) {
        if (!what.test(asked.path)) return answer;
        response.writeHead(200, { 'content-type': answer.headers['content-type'] ?? 'application/json' });
        const part = Buffer.alloc(1024 * 1024, ' ');
        const more = () => void (response.destroyed || response.write(part, () => setImmediate(more)));
        response.on('close', () => (closed = true)).on('error', () => {});
        more();
        return 'sent';
      },
    };
    const refused = await refusal(pull('strict'));
    expect(refused).toMatchObject(DAMAGED);
    expect(refused.message).toMatch(/more than \d+ bytes/);
    await expect.poll(() => closed, { timeout: 60_000 }).toBe(true);
  });

  describe('and leads elsewhere', () => {
    const redirecting = (what: RegExp, location: string): Lie => ({
      after: ({ path }, answer) =>
        what.test(path) ? { status: 307, headers: { location }, body: Buffer.alloc(0) } : answer,
    });

    it.each(['http://registry.invalid/x', 'file:///etc/passwd', 'ftp://127.0.0.1/x', 'http://[::2]/x'])(
      'is refused with %s',
      async (location) => {
        liar.lie = redirecting(BLOB, location);
        expect(await refusal(pull('strict'))).toMatchObject(DAMAGED);
      },
    );

    it('is refused with no place at all, and in circles', async () => {
      liar.lie = redirecting(BLOB, 'http://:x');
      expect(await refusal(pull('strict'))).toMatchObject(DAMAGED);
      liar.lie = redirecting(BLOB, liar.asked[0]!.path);
      liar.asked.length = 0;
      expect(await refusal(pull('strict'))).toMatchObject(DAMAGED);
      liar.lie = {
        before: ({ path }) => ({ status: 307, headers: { location: path }, body: Buffer.alloc(0) }),
      };
      expect(await refusal(pull('strict'))).toMatchObject(DAMAGED);
      expect(liar.asked.length).toBeLessThan(20);
    });

    it('gives no credentials away, and no other content', async () => {
      const other = await startLiar(server.port);
      try {
        writeFileSync(
          join(folder, 'auth.json'),
          JSON.stringify({ auths: { [new URL(liar.url).host]: { auth: 'dTpw' } } }),
        );
        const challenge = {
          status: 401,
          headers: { 'www-authenticate': 'Basic realm="x"' },
          body: Buffer.alloc(0),
        };
        const elsewhere = redirecting(
          BLOB,
          `http://${new URL(other.url).host}/v2/lax/blobs/${digestOf('x')}`,
        );
        liar.lie = {
          ...elsewhere,
          before: ({ headers }) => (headers.authorization === undefined ? challenge : undefined),
        };
        const args = ['pull', `${liar.url}/strict:v1`, '--plain-http', '--json', '-o', 'out.json'];
        const result = await runIn(folder, args, { env: { REGISTRY_AUTH_FILE: join(folder, 'auth.json') } });
        expect(result.code).not.toBe(0);
        expect(liar.asked.some(({ headers }) => headers.authorization === 'Basic dTpw')).toBe(true);
        expect(other.asked.length).toBeGreaterThan(0);
        expect(other.asked.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
        expect(existsSync(join(folder, 'out.json'))).toBe(false);
      } finally {
        await other.close();
      }
    });
  });

  /** What somebody who can write to the registry puts there, by plain HTTP. */
  const base = (name: string) => `http://127.0.0.1:${server.port}/v2/${name}`;
  async function putBlob(name: string, content: string | Uint8Array) {
    const begun = await fetch(`${base(name)}/blobs/uploads/`, { method: 'POST' });
    const place = new URL(begun.headers.get('location')!, base(name));
    place.searchParams.set('digest', digestOf(content));
    const { status } = await fetch(place, { method: 'PUT', body: content });
    expect(status).toBe(201);
    return { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.length };
  }
  async function putManifest(name: string, manifest: object, tag?: string) {
    const text = JSON.stringify(manifest);
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const type = { mediaType, ...manifest }.mediaType;
    const headers = { 'content-type': type };
    const { status } = await fetch(`${base(name)}/manifests/${tag ?? digestOf(text)}`, {
      method: 'PUT',
      headers,
      body: text,
    });
    expect(status).toBe(201);
    return { mediaType: type, digest: digestOf(text), size: text.length };
  }
  async function manifestOf(name: string, reference: string): Promise<Manifest> {
    const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json';
    return (
      await fetch(`${base(name)}/manifests/${reference}`, { headers: { accept } })
    ).json() as Promise<Manifest>;
  }
  const INDEX = 'application/vnd.oci.image.index.v1+json';
  const FILTER = 'application/vnd.seccompc.filter.v1';

  /** A copy of the strict profile in a repository of its own, whose only referrers are these. */
  let copies = 0;
  async function withReferrers(make: (name: string) => Promise<object[]>): Promise<string> {
    const name = `copy${(copies += 1)}`;
    const { digest } = await push(name, PROFILES.strict, { signer, targets: [] });
    expect(digest).toBe(pushed['strict']!.digest);
    const manifests = await make(name);
    const index = { schemaVersion: 2, mediaType: INDEX, manifests };
    // Like a liar would: the registry refuses an index whose manifests it lacks.
    const body = Buffer.from(JSON.stringify(index));
    liar.lie = {
      before: ({ path }) =>
        path.includes(`/${name}/manifests/${digest.replace(':', '-')}`) && !path.endsWith('.sig')
          ? { status: 200, headers: { 'content-type': INDEX, 'docker-content-digest': digestOf(body) }, body }
          : undefined,
    };
    return name;
  }
  const filterOf = async (name: string, arch = 'X86_64') =>
    manifestOf(name, pushed[name]!.filters.find((each) => each.arch === arch)!.digest);
  const listed = (descriptor: object, { annotations, artifactType = FILTER }: Partial<Manifest>) => ({
    ...descriptor,
    artifactType,
    ...(annotations === undefined ? {} : { annotations }),
  });

  /** Puts a filter there that somebody made, with its program, and pulls. */
  async function pullWith(
    make: (real: Manifest) => Promise<Manifest> | Manifest,
    program: Uint8Array,
    options: Parameters<typeof pull>[1] = {},
  ) {
    const name = await withReferrers(async (copy) => {
      await putBlob(copy, '{}');
      await putBlob(copy, program);
      const made = await make(await filterOf('strict'));
      return [listed(await putManifest(copy, made), made)];
    });
    return pull(name, options);
  }
  const layersOf = (content: Uint8Array) => [
    { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.length },
  ];
  const unsigned = (manifest: Manifest): Manifest => ({
    ...manifest,
    annotations: Object.fromEntries(
      Object.entries(manifest.annotations!).filter(([name]) => !name.includes('signature')),
    ),
  });

  describe('and gives filters that are not the profile’s', () => {
    it.each([trusted, null])('the filters of another profile', async (keys) => {
      const theirs = pushed['lax']!.filters;
      const name = await withReferrers(async (copy) => {
        await putBlob(copy, '{}');
        for (const arch of ['X86_64', 'AARCH64']) await putBlob(copy, programs[`lax ${arch}`]!);
        const subject = await manifestOf('lax', 'v1');
        await putBlob(
          copy,
          Buffer.from(
            await (await fetch(`${base('lax')}/blobs/${subject.layers![0]!.digest}`)).arrayBuffer(),
          ),
        );
        await putManifest(copy, subject);
        return Promise.all(
          theirs.map(async ({ digest }) => {
            const manifest = await manifestOf('lax', digest);
            return listed(await putManifest(copy, manifest), manifest);
          }),
        );
      });
      const refused = await refusal(pull(name, { keys }));
      expect(refused).toMatchObject(NO_FILTER);
      expect(refused.message).toContain('another profile');
    });

    it('the program of another profile under a signature of ours', async () => {
      const program = programs['lax X86_64']!;
      const make = (real: Manifest) => ({ ...real, layers: layersOf(program) });
      const refused = await refusal(pullWith(make, program));
      expect(refused).toMatchObject(NO_FILTER);
      expect(refused.message).toContain('signature is wrong');
    });

    it('a signed filter of another profile that is told to be this one’s', async () => {
      const program = programs['lax X86_64']!;
      const make = async (real: Manifest) => ({ ...(await filterOf('lax')), subject: real.subject! });
      expect(await refusal(pullWith(make, program))).toMatchObject(NO_FILTER);
    });

    it.each([trusted, null])('the program of another profile without a signature', async (keys) => {
      const program = programs['lax X86_64']!;
      const make = (real: Manifest) => unsigned({ ...real, layers: layersOf(program) });
      const refused = await refusal(pullWith(make, program, { keys }));
      expect(refused).toMatchObject(NO_FILTER);
      expect(refused.message).toContain('not proved');
    });

    it('a signed filter for another architecture', async () => {
      const program = programs['strict AARCH64']!;
      const arm = await filterOf('strict', 'AARCH64');
      const relabelled = { ...arm, annotations: { ...arm.annotations, 'vnd.seccompc.arch': 'x86_64' } };
      expect(await refusal(pullWith(() => relabelled, program))).toMatchObject(NO_FILTER);
      const { message } = await refusal(pullWith(() => arm, program));
      expect(message).toContain('other architectures');
    });

    it('an older filter that a trusted key has signed, with another program', async () => {
      const program = programs['lax X86_64']!;
      const old = (real: Manifest) =>
        signManifest(
          {
            ...real,
            layers: layersOf(program),
            annotations: { ...real.annotations, 'vnd.seccompc.compiler': '0.0.9 1' },
          },
          signer,
        );
      const refused = await refusal(pullWith(old, program));
      expect(refused).toMatchObject(NO_FILTER);
      expect(refused.message).toContain('not proved');
      // The right program needs a proof then.
      const right = programs['strict X86_64']!;
      const { filter } = await pullWith(
        (real) =>
          signManifest(
            { ...real, annotations: { ...real.annotations, 'vnd.seccompc.compiler': '0.0.9 1' } },
            signer,
          ),
        right,
      );
      expect(filter.trust).toBe('proved');
    });

    it('a signed filter for another target of the same architecture', async () => {
      const target = makeTarget({ arch: 'x86_64', enosysAfter: '5.4' });
      const name = `old${(copies += 1)}`;
      await push(name, PROFILES.strict, { signer, targets: [target] });
      expect((await pull(name, { target })).filter.trust).toBe('signed');
      for (const refused of [await refusal(pull(name)), await refusal(pull('strict', { target }))]) {
        expect(refused).toMatchObject(NO_FILTER);
        expect(refused.message).toContain('not proved');
      }
    });

    it('a filter that a stranger has signed', async () => {
      const program = programs['lax X86_64']!;
      const make = (real: Manifest) => signManifest({ ...real, layers: layersOf(program) }, makeKey().signer);
      const refused = await refusal(pullWith(make, program));
      expect(refused).toMatchObject(NO_FILTER);
      expect(refused.message).toContain('not proved');
      const right = programs['strict X86_64']!;
      const { filter } = await pullWith((real) => signManifest(real, makeKey().signer), right);
      expect(filter.trust).toBe('proved');
    });

    it('programs of any form', async () => {
      const odd = [
        Buffer.alloc(0),
        Buffer.alloc(7),
        Buffer.alloc(8, 0xff),
        Buffer.alloc(32 * 1024 + 8),
        Buffer.from('{}'),
      ];
      for (const program of odd) {
        const make = (real: Manifest) => unsigned({ ...real, layers: layersOf(program) });
        const { code } = await refusal(pullWith(make, program));
        expect(['REGISTRY_NO_FILTER', 'REGISTRY_DAMAGED']).toContain(code);
      }
    });

    it('two programs', async () => {
      const program = programs['strict X86_64']!;
      const make = (real: Manifest) =>
        unsigned({ ...real, layers: [...real.layers!, ...layersOf(programs['lax X86_64']!)] });
      const name = await withReferrers(async (copy) => {
        for (const content of ['{}', program, programs['lax X86_64']!]) await putBlob(copy, content);
        const made = make(await filterOf('strict'));
        return [listed(await putManifest(copy, made), made)];
      });
      const refused = await refusal(pull(name));
      expect(refused).toMatchObject(NO_FILTER);
      expect(refused.message).toContain('2 layers');
    });

    it('another type than it is listed by', async () => {
      const program = programs['strict X86_64']!;
      const name = await withReferrers(async (copy) => {
        for (const content of ['{}', program]) await putBlob(copy, content);
        const made = unsigned({ ...(await filterOf('strict')), artifactType: 'application/vnd.other' });
        return [listed(await putManifest(copy, made), { annotations: made.annotations! })];
      });
      expect((await refusal(pull(name))).message).toContain('application/vnd.other');
    });

    it('ten thousand referrers that it does not have', async () => {
      const { annotations } = await filterOf('strict');
      const name = await withReferrers(async () =>
        Array.from({ length: 10_000 }, (_, at) => ({
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          size: 1000,
          digest: digestOf(`${at}`),
          artifactType: FILTER,
          annotations: { 'vnd.seccompc.arch': annotations!['vnd.seccompc.arch'] },
        })),
      );
      liar.asked.length = 0;
      expect(await refusal(pull(name))).toMatchObject(NO_FILTER);
      expect(liar.asked.length).toBeLessThan(100);
    });

    it('a list that leads to itself, and pages without an end', async () => {
      const name = await withReferrers(async () => [
        { mediaType: INDEX, size: 100, digest: pushed['strict']!.digest, artifactType: FILTER },
      ]);
      expect(await refusal(pull(name))).toMatchObject(NO_FILTER);
      const page = Buffer.from('{"manifests":[]}');
      liar.lie = {
        before: ({ path }) =>
          path.includes('/referrers/')
            ? { status: 200, headers: { 'content-type': INDEX, link: `<${path}>; rel="next"` }, body: page }
            : undefined,
      };
      liar.asked.length = 0;
      const refused = await refusal(pull('strict'));
      expect(refused).toMatchObject(DAMAGED);
      expect(refused.message).toContain('no end');
      expect(liar.asked.length).toBeLessThan(200);
    });
  });

  describe('and gives profiles that are none, or not the signer’s', () => {
    async function putProfile(change: (real: Manifest) => object): Promise<string> {
      const name = `profile${(copies += 1)}`;
      await push(name, PROFILES.strict, { signer, targets: [] });
      await putManifest(name, change(await manifestOf(name, 'v1')), 'v1');
      return name;
    }

    it('of two layers, of another type, or a list', async () => {
      const two = await putProfile((real) => ({ ...real, layers: [...real.layers!, ...real.layers!] }));
      expect(await refusal(pull(two, { keys: null }))).toMatchObject(NO_PROFILE);
      const image = await putProfile((real) => ({ ...real, artifactType: 'application/vnd.other' }));
      expect(await refusal(pull(image, { keys: null }))).toMatchObject(NO_PROFILE);
      const list = await putProfile(() => ({ schemaVersion: 2, mediaType: INDEX, manifests: [] }));
      expect(await refusal(pull(list, { keys: null }))).toMatchObject(NO_PROFILE);
      const large = await putProfile((real) => ({
        ...real,
        layers: [{ ...real.layers![0]!, size: 2 ** 40 }],
      }));
      expect(await refusal(pull(large, { keys: null }))).toMatchObject(DAMAGED);
    });

    it.each([
      ['half a profile', '{"defaultAction":', 'JSON_SYNTAX'],
      ['nothing', 'null', 'NOT_A_PROFILE'],
      ['an unknown action', PROFILES.strict.replace('ACT_ALLOW', 'ACT_PERMIT'), 'UNKNOWN_ACTION'],
      [
        'a config.json',
        `{"ociVersion":"1.0.2","linux":{"seccomp":${PROFILES.strict}}}`,
        'REGISTRY_NO_PROFILE',
      ],
      [
        'conditions of the Docker dialect',
        PROFILES.strict.replace('"action":"SCMP_ACT_ALLOW"', '$&,"includes":{"caps":["CAP_SYS_ADMIN"]}'),
        'REGISTRY_NO_PROFILE',
      ],
      ['a config.json without a profile', '{"ociVersion":"1.0.2","linux":{}}', 'REGISTRY_NO_PROFILE'],
    ])('with %s in it', async (_, content, code) => {
      const name = `content${(copies += 1)}`;
      const layers = [await putBlob(name, content)];
      await putBlob(name, '{}');
      await putManifest(name, { ...(await manifestOf('strict', 'v1')), layers }, 'v1');
      expect(await refusal(pull(name, { keys: null }))).toMatchObject({ code, exit: 65 });
    });

    it('are written as they are, shown without escape sequences, and warned of', async () => {
      const name = `odd${(copies += 1)}`;
      const content = PROFILES.strict.replace('{', '{"x":"\u009b31m\u202e",');
      const layers = [await putBlob(name, Buffer.from(content))];
      await putBlob(name, '{}');
      await putManifest(name, { ...(await manifestOf('strict', 'v1')), layers }, 'v1');
      const words = ['pull', `${liar.url}/${name}:v1`, '--plain-http'];
      const result = await runIn(folder, [...words, '--json', '-o', 'odd.json']);
      expect(result.code).toBe(0);
      expect(readFileSync(join(folder, 'odd.json'), 'utf8')).toBe(content);
      expect(documentOf(result)).toMatchObject({ diagnostics: [{ code: 'UNKNOWN_KEY' }] });
      expect((await runIn(folder, words)).stdout.toString()).toBe(content);
      const command = [process.execPath, MAIN, ...words].join(' ');
      const env = environment(folder);
      // The liar answers in this process.
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const shown = await readText(child.stdout);
      expect(shown).toContain(String.raw`"\u009b31m\u202e"`);
      // oxlint-disable-next-line no-control-regex
      expect(shown).not.toMatch(/[\u009b\u202e]/);
    });

    it('have a place of their own', async () => {
      const words = ['pull', `${liar.url}/strict:v1`, '--plain-http', '-o', 'one', '--filter', './one'];
      expect(await runIn(folder, words)).toMatchObject({ code: 64 });
      expect(existsSync(join(folder, 'one'))).toBe(false);
    });

    it('under a tag, changed, with or without the signature', async () => {
      const changed = await putProfile((real) => ({
        ...real,
        annotations: { ...real.annotations, more: 'x' },
      }));
      const refused = await refusal(pull(changed));
      expect(refused).toMatchObject(UNSIGNED);
      expect(refused.message).toContain('signature is wrong');
      const bare = await putProfile(unsigned);
      expect(await refusal(pull(bare))).toMatchObject(UNSIGNED);
      // A digest says which profile is meant, so nobody else can have changed it.
      const { digest } = (await new Repository(addressOf(bare), { patience: ONCE }).manifest('v1'))!;
      expect((await refusal(pull(bare, { at: `@${digest}` }))).code).toBe('REGISTRY_NO_FILTER');
    });

    it('under a digest, another one', async () => {
      const { digest } = pushed['strict']!;
      const lax = await manifestOf('lax', 'v1');
      const body = Buffer.from(JSON.stringify(lax));
      const headers = { 'content-type': lax.mediaType, 'docker-content-digest': digest };
      liar.lie = {
        before: ({ path }) => (path.includes('/manifests/') ? { status: 200, headers, body } : undefined),
      };
      expect(await refusal(pull('strict', { at: `@${digest}` }))).toMatchObject(DAMAGED);
      // Nor under a tag, whose digest the registry names.
      expect(await refusal(pull('strict'))).toMatchObject(DAMAGED);
    });
  });

  it('as a cache is not believed when it exchanges records', async () => {
    const cache = `${liar.url}/records?plain-http`;
    // Each time without a cache of one's own.
    const compile = (name: string, ...words: string[]) =>
      runIn(folder, ['compile', `${name}.json`, '--arch', 'x86_64', '--format', 'raw', ...words], {
        env: { XDG_CACHE_HOME: join(folder, `cache${(copies += 1)}`) },
      });
    for (const [name, text] of Object.entries(PROFILES)) {
      writeFileSync(join(folder, `${name}.json`), text);
      expect((await compile(name, '--cache', cache, '--sign', 'release.pem')).code).toBe(0);
    }
    const { tags } = (await (await fetch(`${base('records')}/tags/list`)).json()) as { tags: string[] };
    expect(tags.length).toBe(6);
    const swapped = new Map(tags.map((tag, at) => [tag, tags[(at + 1) % tags.length]!]));
    liar.lie = {
      async before(asked) {
        const tag = /\/records\/manifests\/(\w{64})$/.exec(asked.path)?.[1];
        if (asked.method !== 'GET' || tag === undefined) return undefined;
        const manifest = await manifestOf('records', swapped.get(tag)!);
        const headers = { 'content-type': manifest.mediaType };
        return { status: 200, headers, body: Buffer.from(JSON.stringify(manifest)) };
      },
    };
    for (const trust of [[], ['--trust', 'release.pub']]) {
      const { code, stdout, stderr } = await compile('strict', '--cache', cache, ...trust);
      expect(code).toBe(0);
      expect(stdout.equals(programs['strict X86_64']!)).toBe(true);
      expect(stderr).toContain('CACHE_ENTRY_REFUSED');
    }
  });

  it('ends the command with the exit code and the document, and without a file', async () => {
    liar.lie = changing(BLOB, flip);
    const args = [
      'pull',
      `${liar.url}/strict:v1`,
      '--plain-http',
      '--json',
      '-o',
      'p.json',
      '--filter',
      'f.bpf',
    ];
    const result = await runIn(folder, [...args, '--arch', 'x86_64', '--trust', 'release.pub']);
    expect(result.code).toBe(65);
    expect(JSON.parse(result.stdout.toString())).toMatchObject({
      diagnostics: [{ code: 'REGISTRY_DAMAGED' }],
    });
    for (const file of ['p.json', 'f.bpf']) expect(existsSync(join(folder, file))).toBe(false);
    liar.lie = {};
    const good = await runIn(folder, [...args, '--arch', 'x86_64', '--trust', 'release.pub']);
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout.toString())).toMatchObject({ filter: { trust: 'signed' } });
    for (const file of ['p.json', 'f.bpf']) expect(existsSync(join(folder, file))).toBe(true);
  });
});
