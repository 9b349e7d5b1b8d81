/**
 * What both tiers have to do that answer before any store: the hot files of the command, and a
 * process's own filters.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findAnswer, keepAnswer } from '../../src/cache/hot/hot-tier.ts';
import { hotStats } from '../../src/cache/hot/directory.ts';
import { hotRequest } from '../../src/cache/hot/hot-request.ts';
import { removeFiles } from '../../src/cache/plain-files.ts';
import { recentFilters } from '../../src/cache/recent.ts';
import { compile } from '../../src/compile.ts';
import type { CompileSettings } from '../../src/compile.ts';
import { makeTarget } from '../../src/target.ts';
import { runs } from '../runs.ts';

/** A question is an input and what it is compiled for; an answer is told by a word. */
interface Front {
  keep(input: Buffer, arch: 'X86_64' | 'AARCH64', answer: string): void;
  find(input: Buffer, arch: 'X86_64' | 'AARCH64'): string | undefined;
  clear(): void;
  entries(): number;
  /** More than this it never has. */
  most: number;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-front-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function hotFront(): Front {
  const file = join(folder, 'p.json');
  const hot = join(folder, 'hot');
  const requestFor = (arch: string) =>
    hotRequest(['compile', file, '-q', '--arch', arch, '--cache', folder], 'this build')!;
  return {
    keep(input, arch, answer) {
      const product = Buffer.from(answer).toString('base64');
      keepAnswer(requestFor(arch), input, { diagnostics: '', summary: '', product, file: null });
    },
    find(input, arch) {
      writeFileSync(file, input);
      const found = findAnswer(requestFor(arch));
      return found && Buffer.from(found.product, 'base64').toString();
    },
    clear: () => void removeFiles(hot),
    entries: () => hotStats(hot).entries,
    most: 512,
  };
}

const filter = await compile('{"defaultAction":"SCMP_ACT_LOG"}', {
  target: makeTarget({ arch: 'X86_64' }),
});

function recentFront(): Front {
  const recent = recentFilters(1_000_000);
  const optionsFor = (arch: 'X86_64' | 'AARCH64'): CompileSettings => ({ target: makeTarget({ arch }) });
  return {
    keep: (input, arch, answer) => recent.keep(input, optionsFor(arch), { filter, key: answer }),
    find: (input, arch) => recent.find(input, optionsFor(arch))?.key,
    clear: () => recent.clear(),
    entries: () => recent.entries,
    most: 500,
  };
}

const onPosix = process.geteuid !== undefined;
describe.each<[string, boolean, () => Front]>([
  ['the hot files', onPosix, hotFront],
  ['the filters of a process', true, recentFront],
])('%s', (_, isHere, open) => {
  const INPUT = Buffer.from(`{"defaultAction": "SCMP_ACT_LOG"${' '.repeat(2000)}}`);

  it.runIf(isHere)('answer the very question again, until they are cleared', () => {
    const front = open();
    expect(front.find(INPUT, 'X86_64')).toBeUndefined();
    front.keep(INPUT, 'X86_64', 'one');
    expect(front.find(Buffer.from(INPUT), 'X86_64')).toBe('one');
    front.keep(INPUT, 'X86_64', 'two');
    expect(front.find(INPUT, 'X86_64')).toBe('two');
    expect(front.entries()).toBe(1);
    front.clear();
    expect([front.find(INPUT, 'X86_64'), front.entries()]).toEqual([undefined, 0]);
  });

  it.runIf(isHere)('answer no other question, however like it', () => {
    const front = open();
    front.keep(INPUT, 'X86_64', 'one');
    expect(front.find(INPUT, 'AARCH64')).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(INPUT.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = Buffer.from(INPUT);
        other[at]! ^= change;
        expect(front.find(other, 'X86_64')).toBeUndefined();
        expect(front.find(INPUT.subarray(0, at), 'X86_64')).toBeUndefined();
      }),
      { numRuns: runs(60, 500) },
    );
    expect(front.find(Buffer.concat([INPUT, Buffer.from(' ')]), 'X86_64')).toBeUndefined();
    expect(front.find(INPUT, 'X86_64')).toBe('one');
  });

  it.runIf(isHere)('keep each answer apart, and no more of them than they may', () => {
    const front = open();
    const inputOf = (number: number) => Buffer.from(`{"defaultAction": "SCMP_ACT_LOG", "_": ${number}}`);
    for (let number = 0; number < 700; number += 1) front.keep(inputOf(number), 'X86_64', `answer ${number}`);
    expect(front.entries()).toBeLessThanOrEqual(front.most);
    let found = 0;
    for (let number = 0; number < 700; number += 1) {
      const answer = front.find(inputOf(number), 'X86_64');
      if (answer === undefined) continue;
      found += 1;
      expect(answer).toBe(`answer ${number}`);
    }
    expect(found).toBeGreaterThan(50);
    expect(front.find(inputOf(699), 'X86_64')).toBe('answer 699');
  });
});
