/**
 * Every order in which starting servers can act, as far as chance finds it, and death at any of
 * these moments.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { takeName } from '../../src/serve/take-name.ts';
import type { Names } from '../../src/serve/take-name.ts';
import { runs } from '../runs.ts';

interface Starter {
  alive: boolean;
  /** Undefined for one that died. */
  outcome?: 'listens' | 'refused';
}

const DEAD: Starter = { alive: false };

/**
 * A directory whose operations are one step each, and the steps of all starters come in the
 * scheduler's order.
 */
function namesOf(
  directory: Map<string, Starter>,
  self: Starter,
  scheduler: fc.Scheduler,
  diesBefore: number,
): Names {
  let steps = 0;
  async function step<T>(label: string, work: () => T): Promise<T> {
    await scheduler.schedule(Promise.resolve(), label);
    steps += 1;
    if (steps > diesBefore) {
      self.alive = false;
      return new Promise(() => {});
    }
    return work();
  }
  return {
    stateOf: (name) =>
      step(`state ${name}`, () => {
        const found = directory.get(name);
        return found === undefined ? 'free' : found.alive ? 'answers' : 'stale';
      }),
    link: (name) => step(`link ${name}`, () => !directory.has(name) && Boolean(directory.set(name, self))),
    replace: (name) => step(`replace ${name}`, () => void directory.set(name, self)),
    remove: (name) => step(`remove ${name}`, () => void directory.delete(name)),
  };
}

async function start(names: Names, self: Starter): Promise<void> {
  try {
    await takeName(names, 's');
    self.outcome = 'listens';
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    self.outcome = 'refused';
  }
}

const leftovers = fc.subarray(['s', 's.1', 's.2']);
const lifetimes = fc.array(fc.oneof(fc.constant(Infinity), fc.nat(12)), { minLength: 2, maxLength: 5 });

describe('a name that several servers want', () => {
  it('goes to exactly one of them if none dies', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), leftovers, async (s, count, left) => {
        const directory = new Map(left.map((name) => [name, DEAD]));
        const starters = Array.from({ length: count }, (): Starter => ({ alive: true }));
        const works = starters.map((self) => start(namesOf(directory, self, s, Infinity), self));
        await s.waitFor(Promise.all(works));
        const listening = starters.filter(({ outcome }) => outcome === 'listens');
        expect(listening).toHaveLength(1);
        expect(directory.get('s')).toBe(listening[0]);
        expect([...directory.values()].filter(({ alive }) => alive)).toEqual(listening);
      }),
      { numRuns: runs(400, 2000) },
    );
  });

  it('goes to at most one live server, and can be taken again, whichever server dies at whichever step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), lifetimes, leftovers, async (s, lives, left) => {
        const directory = new Map(left.map((name) => [name, DEAD]));
        const starters = lives.map((): Starter => ({ alive: true }));
        starters.forEach((self, index) => void start(namesOf(directory, self, s, lives[index]!), self));
        await s.waitIdle();
        const listening = starters.filter(({ alive, outcome }) => alive && outcome === 'listens');
        expect(listening.length).toBeLessThanOrEqual(1);
        if (listening.length === 1) expect(directory.get('s')).toBe(listening[0]);
        // A killed one is like one that died later; nothing of it may be in the way of the next.
        const next: Starter = { alive: true };
        const work = start(namesOf(directory, next, s, Infinity), next);
        await s.waitFor(work);
        expect(next.outcome).toBe(listening.length === 1 ? 'refused' : 'listens');
      }),
      { numRuns: runs(400, 2000) },
    );
  });
});
