/** What podman and docker make of --cap-add and --cap-drop: the facts of the fast suite, asked again. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { capabilitySet } from '../../src/target.ts';
import { CAPABILITY_FACTS } from '../oracle/capabilities.ts';
import type { CapabilityFact } from '../oracle/capabilities.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeFolder, makePodman, makeRoot, run } from './oci/containers.ts';
import { DOCKER_IMAGE, dockerNeeds, startDocker } from './oci/docker.ts';
import type { Docker } from './oci/docker.ts';
import { requirements } from './oci/require.ts';

const HEADER = '/usr/include/linux/capability.h';
const podmanNeeds = requirements(['podman', 'conmon', 'crun', 'busybox'], { root: true });
const headerNeeds = existsSync(HEADER) ? {} : { missing: `no ${HEADER} (Debian package: linux-libc-dev)` };
const needs = [podmanNeeds, dockerNeeds, headerNeeds].find((part) => 'missing' in part) ?? {};

/** The names in the kernel's header, each at its number. */
function namesOfKernel(): string[] {
  const names: string[] = [];
  for (const [, name, number] of readFileSync(HEADER, 'utf8').matchAll(/^#define (CAP_[A-Z_]+)\s+(\d+)$/gm))
    names[Number(number)] = name!;
  return names;
}

type Ask = (options: readonly string[]) => Promise<string[] | 'refused'>;

describe.skipIf(skipWithout(needs))('the bounding set of a container', () => {
  let folder: ReturnType<typeof makeFolder>;
  let docker: Docker;
  const at = (...names: string[]) => join(folder.path, ...names);
  let names: string[];
  let podman: Awaited<ReturnType<typeof makePodman>>;
  const boundingSet = (status: string) => {
    const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)![1]}`);
    return names.filter((_, number) => (mask >> BigInt(number)) & 1n);
  };

  beforeAll(async () => {
    names = namesOfKernel();
    folder = makeFolder();
    const root = makeRoot(at('root'));
    podman = await makePodman(at('podman'), root);
    // A runtime that only keeps what it is asked for: not every machine could give all capabilities.
    writeFileSync(
      at('asked'),
      `#!/bin/sh
for word do [ "$before" != --bundle ] || cp "$word/config.json" ${at('asked.json')}; before=$word; done
exit 1\n`,
    );
    chmodSync(at('asked'), 0o755);
    docker = await startDocker({ folder: at('docker'), shared: folder.path, root, other: at('asked') });
  });
  afterAll(async () => {
    await docker?.stop();
    folder.remove();
  });

  const askPodman: Ask = async (args) => {
    const { code, text } = await podman.run({ args, command: ['/bin/grep', 'CapBnd:', '/proc/self/status'] });
    return code === 0 ? boundingSet(text).toSorted() : 'refused';
  };
  const askDocker: Ask = async (args) => {
    rmSync(at('asked.json'), { force: true });
    await run([docker.docker, 'run', '--rm', '--runtime=other', ...args, DOCKER_IMAGE, '/bin/true']);
    if (!existsSync(at('asked.json'))) return 'refused';
    const { process: asked } = JSON.parse(readFileSync(at('asked.json'), 'utf8'));
    return (asked.capabilities.bounding ?? []).toSorted();
  };

  it.each([
    ['podman', 'podman', askPodman],
    ['docker', 'moby', askDocker],
  ] as const)(
    'of %s is what the facts say, and what we make of the same options',
    async (name, engine, ask) => {
      const standard = await ask([]);
      expect(standard).toEqual(capabilitySet(engine, 'default'));
      const all = name === 'podman' ? boundingSet(readFileSync('/proc/self/status', 'utf8')) : names;
      const bases = { none: [], all, default: standard === 'refused' ? [] : standard };
      const within = (set: readonly string[]) => set.filter((held) => all.includes(held)).toSorted();
      const faults: string[] = [];
      for (const fact of CAPABILITY_FACTS) {
        const options = optionsOf(fact);
        const wanted = fact[name];
        const known =
          wanted === 'refused'
            ? wanted
            : within([
                ...bases[wanted.from].filter(
                  (held) => ![...(wanted.without ?? []), ...(wanted.with ?? [])].includes(held),
                ),
                ...(wanted.with ?? []),
              ]);
        const made = oursOf(fact, engine);
        const answers = [await ask(options), known, made === 'refused' ? made : within(made)].map(String);
        if (new Set(answers).size > 1) faults.push(`${options.join(' ')}: ${answers.join('; ')}`);
      }
      expect(faults).toEqual([]);
    },
  );
});

function oursOf({ add, drop }: CapabilityFact, engine: 'moby' | 'podman'): string[] | 'refused' {
  try {
    return capabilitySet(engine, 'default', add, drop);
  } catch (error) {
    if (error instanceof SeccompcError) return 'refused';
    throw error;
  }
}

function optionsOf({ add, drop }: CapabilityFact): string[] {
  const words = (option: string, names: readonly string[]) => names.flatMap((name) => [option, name]);
  return [...words('--cap-add', add), ...words('--cap-drop', drop)];
}
