import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeProgress } from '../../src/cli/output/progress.ts';

let now = 0;
let written: string[] = [];
const { isTTY } = process.stderr;

beforeEach(() => {
  [now, written] = [5000, []];
  process.stderr.isTTY = true;
  vi.stubEnv('TERM', 'xterm');
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
});
afterEach(() => {
  process.stderr.isTTY = isTTY;
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Shows that so many of 600 are done after so many milliseconds. */
function after(milliseconds: readonly [at: number, done: number][], options = {}, total = 600): string[] {
  const progress = makeProgress(total, options);
  for (const [at, done] of milliseconds) {
    now = 5000 + at;
    progress.show(done);
  }
  progress.clear();
  return written.map((text) => text.replace('\r\u001b[K', ''));
}

it('Work of less than a second shows nothing, nor does work of which nothing is done', () => {
  expect(after([[500, 300], [999, 599], [5000, 0]])).toEqual([]); // prettier-ignore
});

it('Longer work shows its rate and the time left, at most every 100 ms, and takes the line away', () => {
  expect(after([[1000, 4], [1050, 5], [2000, 100], [20_000, 599]])).toEqual([
    '4 of 600, 4.0 a second, 2 min 29 s left',
    '100 of 600, 50 a second, 10 s left',
    '599 of 600, 30 a second, 1 s left',
    '',
  ]); // prettier-ignore
});

it.each([
  ['a single file', {}, 1],
  ['--quiet', { quiet: true as const }, 600],
  ['--json', { json: true as const }, 600],
])('There is none for %s', (_, options, total) => {
  expect(after([[5000, 1]], options, total)).toEqual([]);
});

it('There is none where standard error is no terminal', () => {
  process.stderr.isTTY = false;
  expect(after([[5000, 1]])).toEqual([]);
});
