/**
 * A registry that is killed in the middle of a push or a pull: nothing wrong comes out, and the
 * next run does the rest.
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseReference } from '../../../src/distribution/reference.ts';
import { Repository } from '../../../src/distribution/repository.ts';
import { SeccompcError } from '../../../src/errors.ts';
import { pullFilter, pullProfile } from '../../../src/registry/pull.ts';
import { Pusher } from '../../../src/registry/push.ts';
import { readTrustedKeys } from '../../../src/signature.ts';
import { makeTarget } from '../../../src/target.ts';
import { randomFrom } from '../../bench/hostile.ts';
import { available, skipWithout } from '../../oracle/compare.ts';
import { runs } from '../../runs.ts';
import type { Server } from '../../stores/servers.ts';
import { makeKey } from '../../unit/cache-records.ts';
import { startLiar } from './liar.ts';
import type { Liar } from './liar.ts';
import { findRegistry, startRegistry } from './start.ts';

const KILLS = runs(6, 50);
const SEED = 15;
const TARGETS = ['x86_64', 'aarch64'].map((arch) => makeTarget({ arch }));
const CALLS = [
  'read',
  'write',
  'close',
  'mmap',
  'brk',
  'futex',
  'getpid',
  'sendmsg',
  'recvmsg',
  'socket',
  'bind',
];
/** A push and a pull take a few more. */
const [PUSH_REQUESTS, PULL_REQUESTS] = [16, 8];
const patience = { time: 30_000, tries: 1 };
/** What a command says of a registry that goes away, or has not got everything yet. */
const INTERRUPTED = ['REGISTRY_UNREACHABLE', 'REGISTRY_REFUSED'];
const INCOMPLETE = ['REGISTRY_MISSING', 'REGISTRY_NO_FILTER'];

const registry = findRegistry();
const { signer, publicPem } = makeKey();
const trusted = readTrustedKeys([publicPem]);

describe.skipIf(skipWithout(registry))('a registry that is killed', () => {
  let server: Server;
  let liar: Liar;
  beforeAll(async () => {
    server = await startRegistry(available(registry).program);
    liar = await startLiar(server.port);
  });
  afterAll(async () => {
    await liar?.close();
    await server?.remove();
  });

  const addressOf = (name: string) => parseReference(`${liar.url}/${name}:v1`, { plainHttp: true });

  /** SHA-256 of the programs, by architecture. */
  async function push(name: string, profile: string): Promise<Map<string, string>> {
    const aim = { targets: TARGETS, unresolved: undefined, otherwise: TARGETS[0]! };
    const pusher = new Pusher({ ...aim, optimize: 'attach', cache: undefined, signer, patience });
    const reference = addressOf(name);
    const { filters } = await pusher.push({ file: name, bytes: Buffer.from(profile), reference });
    return new Map(filters.map(({ arch, sha256 }) => [arch, sha256]));
  }

  async function pull(name: string): Promise<Map<string, string>> {
    const reference = addressOf(name);
    const repository = new Repository(reference, { patience });
    const profile = await pullProfile(repository, reference, trusted);
    const filters = await Promise.all(
      TARGETS.map(async (target) => {
        const { bytes, trust } = await pullFilter(repository, profile, target, trusted);
        expect(trust).toBe('signed');
        return [target.arch, createHash('sha256').update(bytes).digest('hex')] as const;
      }),
    );
    return new Map(filters);
  }

  /** The result, or the code of the fault. Anything else fails the test. */
  const outcome = (work: Promise<Map<string, string>>) =>
    work.catch((error: unknown) => {
      if (error instanceof SeccompcError) return error.diagnostics[0]!.code;
      throw error;
    });

  it(`${KILLS} times loses nothing and gives nothing wrong`, async () => {
    const random = randomFrom(SEED);
    const all = new Map<string, Map<string, string>>();
    let interrupted = 0;
    for (let round = 0; round < KILLS; round += 1) {
      const name = `round${round}`;
      const entry = {
        names: ['exit_group', ...CALLS.filter(() => random(2) === 0)],
        action: 'SCMP_ACT_ALLOW',
      };
      const profile = JSON.stringify({
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: round + 1,
        syscalls: [entry],
      });
      const isPull = round % 3 === 2;
      if (isPull) await push(name, profile);
      let left = random(isPull ? PULL_REQUESTS : PUSH_REQUESTS);
      const kill = async () => {
        left -= 1;
        if (left === -1) await server.kill();
      };
      // Before the registry has got the request, or before the answer is passed on.
      liar.lie =
        random(2) === 0
          ? { before: () => kill().then(() => undefined) }
          : { after: (_, answer) => kill().then(() => (left < 0 ? 'broken' : answer)) };
      const result = await outcome(isPull ? pull(name) : push(name, profile));
      if (typeof result === 'string') {
        expect(INTERRUPTED).toContain(result);
        interrupted += 1;
      }
      await server.kill();
      await server.start();
      liar.lie = {};
      // What is there already is right.
      const found = await outcome(pull(name));
      const pushed = await push(name, profile);
      if (typeof found === 'string') expect(INCOMPLETE).toContain(found);
      else expect(found).toEqual(pushed);
      if (typeof result !== 'string') expect(result).toEqual(pushed);
      all.set(name, pushed);
    }
    expect(interrupted).toBeGreaterThan(KILLS / 2);
    expect(all.size).toBe(KILLS);
    for (const [name, pushed] of all) expect(await pull(name)).toEqual(pushed);
  });
});
