import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { prebuild } from '../../src/prebuild/prebuild.ts';
import type { CompilerPool } from '../../src/workers/pool.ts';
import { SeccompcError } from '../../src/errors.ts';
import { allArches } from '../../src/arch.ts';
import { makeTarget } from '../../src/target.ts';

const files = Array.from({ length: 200 }, (_, at) => ({ name: `${at}`, path: `${at}`, found: true }));
const matrix = {
  targets: allArches()
    .slice(0, 18)
    .map(({ name }) => makeTarget({ arch: name })),
  options: {},
  allowUnconfined: false,
};

/** Refuses each job when the test says so. */
function heldPool() {
  const held: (() => void)[] = [];
  const compile = () =>
    new Promise<never>((_, reject) => void held.push(() => reject(new SeccompcError([]))));
  return { held, pool: { compile } as unknown as CompilerPool };
}

describe('compiling a matrix', () => {
  it('reads a profile only when threads will soon be free, and does all of them', async () => {
    const { held, pool } = heldPool();
    const jobs: number[] = [];
    let [open, most, taken] = [0, 0, 0];
    const working = prebuild(
      files,
      matrix,
      { pool, threads: 8 },
      {
        read: async () => {
          most = Math.max(most, (open += 1));
          return new Uint8Array();
        },
        take: async () => {
          open -= 1;
          taken += 1;
        },
        onDone: (count) => void jobs.push(count),
      },
    );
    let longest = 0;
    do {
      await setImmediate();
      longest = Math.max(longest, held.length);
      held.splice(0).forEach((end) => end());
    } while (jobs.length < 3600);
    await working;
    expect([taken, jobs.length, most, longest]).toEqual([200, 3600, 2, 36]);
  });

  it('reads nothing more once a result could not be written', async () => {
    const { held, pool } = heldPool();
    let read = 0;
    const working = prebuild(
      files,
      matrix,
      { pool, threads: 8 },
      {
        read: async () => {
          read += 1;
          return new Uint8Array();
        },
        take: () => Promise.reject(new Error('the disk is full')),
        onDone: () => {},
      },
    );
    working.catch(() => {});
    await setImmediate();
    held.splice(0).forEach((end) => end());
    await expect(working).rejects.toThrow('the disk is full');
    expect([read, held.length]).toEqual([2, 0]);
  });
});
