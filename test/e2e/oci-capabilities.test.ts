/**
 * What podman and docker make of --cap-add and --cap-drop: the facts of the fast suite, asked
 * again.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { capabilitySet } from '../../src/target.ts';
import { CAPABILITY_FACTS } from '../oracle/capabilities.ts';
import type { CapabilityFact, Expected } from '../oracle/capabilities.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeFolder, makePodman, makeRoot, run } from './oci/containers.ts';
import { DOCKER_IMAGE, dockerNeeds, startDocker } from './oci/docker.ts';
import type { Docker } from './oci/docker.ts';
import { requirements } from './oci/require.ts';

const HEADER = '/usr/include/linux/capability.h';
const podmanNeeds = requirements(['podman', 'conmon', 'crun', 'busybox'], { root: true });
const headerNeeds = existsSync(HEADER) ? {} : { missing: `no ${HEADER} (Debian package: linux-libc-dev)` };
const needs = [podmanNeeds, dockerNeeds, headerNeeds].find((part) => 'missing' in part) ?? {};

/** The names in the kernel's header. */
function namesOfKernel(): string[] {
  const defined = readFileSync(HEADER, 'utf8').matchAll(/^#define (CAP_[A-Z_]+)\s+\d+$/gm);
  return [...defined].map(([, name]) => name!);
}

/** The bounding set that an engine asks a runtime for, sorted. */
type Answer = string[] | 'refused';

describe.skipIf(skipWithout(needs))('the bounding set of a container', () => {
  let folder: ReturnType<typeof makeFolder>;
  let docker: Docker;
  let podman: Awaited<ReturnType<typeof makePodman>>;
  const at = (...names: string[]) => join(folder.path, ...names);

  beforeAll(async () => {
    folder = makeFolder();
    const root = makeRoot(at('root'));
    mkdirSync(at('asked'));
    // A runtime that only keeps what it is asked for: not every machine could give all
    // capabilities.
    writeFileSync(
      at('asked/crun'),
      `#!/bin/sh
for word do [ "$before" != --bundle ] || cp "$word/config.json" ${at('asked.json')}; before=$word; done
exit 1\n`,
    );
    chmodSync(at('asked/crun'), 0o755);
    podman = await makePodman(at('podman'), root);
    docker = await startDocker({ folder: at('docker'), shared: folder.path, root, other: at('asked/crun') });
  });
  afterAll(async () => {
    await docker?.stop();
    folder.remove();
  });

  const start = {
    podman: (args: readonly string[]) => podman.run({ global: ['--runtime', at('asked/crun')], args }),
    docker: (args: readonly string[]) =>
      run([docker.docker, 'run', '--rm', '--runtime=other', ...args, DOCKER_IMAGE, '/bin/true']),
  };
  async function ask(
    engine: keyof typeof start,
    fact: Pick<CapabilityFact, 'add' | 'drop'>,
  ): Promise<Answer> {
    rmSync(at('asked.json'), { force: true });
    await start[engine](optionsOf(fact));
    if (!existsSync(at('asked.json'))) return 'refused';
    const asked = JSON.parse(readFileSync(at('asked.json'), 'utf8')).process.capabilities;
    return [...new Set<string>(asked.bounding ?? [])].toSorted();
  }

  it.each([
    ['podman', 'podman'],
    ['docker', 'moby'],
  ] as const)('of %s is what the facts say, and what we make of the same options', async (name, engine) => {
    const standard = await ask(name, { add: [], drop: [] });
    expect(standard).toEqual(capabilitySet(engine, 'default'));
    // What an engine can give at all depends on its age and on the machine.
    const all = await ask(name, { add: ['ALL'], drop: [] });
    expect(all.length).toBeGreaterThan(36);
    const kernel = namesOfKernel();
    expect(namesIn(all).filter((held) => !kernel.includes(held))).toEqual([]);

    const sets = { none: [], all: namesIn(all), default: namesIn(standard) };
    const faults: string[] = [];
    for (const fact of CAPABILITY_FACTS) {
      const wanted = fact[name];
      const known = wanted === 'refused' ? wanted : setOf(wanted, sets);
      const made = oursOf(fact, engine);
      const ours = made === 'refused' ? made : made.filter((held) => all.includes(held));
      const answers = [await ask(name, fact), known, ours].map(String);
      if (new Set(answers).size > 1) faults.push(`${optionsOf(fact).join(' ')}: ${answers.join('; ')}`);
    }
    expect(faults).toEqual([]);
  });
});

const namesIn = (answer: Answer) => (answer === 'refused' ? [] : answer);

function setOf({ from, without = [], with: more = [] }: Expected, sets: Record<Expected['from'], string[]>) {
  const kept = sets[from].filter((name) => !without.includes(name));
  return [...new Set([...kept, ...more])].toSorted();
}

function oursOf({ add, drop }: CapabilityFact, engine: 'moby' | 'podman'): Answer {
  try {
    return capabilitySet(engine, 'default', add, drop);
  } catch (error) {
    if (error instanceof SeccompcError) return 'refused';
    throw error;
  }
}

function optionsOf({ add, drop }: Pick<CapabilityFact, 'add' | 'drop'>): string[] {
  const words = (option: string, names: readonly string[]) => names.flatMap((name) => [option, name]);
  return [...words('--cap-add', add), ...words('--cap-drop', drop)];
}
