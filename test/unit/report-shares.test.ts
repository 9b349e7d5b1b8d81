/** What the pictures of a report count. */
import { describe, expect, test } from 'vitest';
import { callCounts } from '../../src/audit/counts.ts';
import { decisionTree } from '../../src/graph/tree.ts';
import { flowOf, partsOf, sharesOf } from '../../src/report/shares.ts';
import type { Part } from '../../src/report/shares.ts';
import { studyOf } from '../../src/report/study.ts';
import { makeTarget } from '../../src/target.ts';

const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [
    { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
    { names: ['ioctl'], action: 'SCMP_ACT_ALLOW', args: [{ index: 1, value: 7, op: 'SCMP_CMP_EQ' }] },
  ],
});
const study = await studyOf(PROFILE, { file: 'p', target: makeTarget({ arch: 'arm64' }) });

test('every instruction is divided among the entries whose calls run it', () => {
  const shares = sharesOf(study);
  const total = shares.reduce((sum, { instructions }) => sum + instructions, 0);
  expect(total).toBeCloseTo(study.filter.instructions.length);
  const named = new Map(shares.map((share) => [share.pointer, share]));
  expect([...named.keys()].toSorted()).toEqual([
    '/defaultAction', '/syscalls/0', '/syscalls/1', 'other numbers',
  ]); // prettier-ignore
  // The load of the argument, and its tests: of two words, and one instruction to load the second.
  expect(named.get('/syscalls/1')!.own).toBe(4);
  // The end of the process of another architecture.
  expect(named.get('other numbers')!.own).toBe(1);
  for (const { own, instructions } of shares) expect(own).toBeLessThanOrEqual(instructions);
});

test('the flow of a step is the part of the calls that can take it', () => {
  const [abi] = study.lowered.arches;
  const { steps } = study.rows.find(({ call }) => call === 'ioctl')!.places[0]!;
  const only = flowOf(study.rows, abi!, (call) => (call === 'ioctl' ? 3 : 0));
  const taken = [...only].filter(([, part]) => part > 0);
  expect(new Set(taken.map(([step]) => step))).toEqual(steps);
  expect(new Set(taken.map(([, part]) => part))).toEqual(new Set([1]));
  const half = flowOf(study.rows, abi!, (call) => (call === 'ioctl' || call === 'mount' ? 1 : 0));
  expect(new Set(half.values())).toEqual(new Set([0, 0.5, 1]));
  expect(new Set(flowOf(study.rows, abi!, () => 0).values())).toEqual(new Set([0]));
});

test('the parts of the tree have the calls that get there, and half of each where an argument decides', () => {
  const { instructions, endian } = study.filter;
  const tree = decisionTree(instructions, { endian, tables: study.tables });
  const [abi] = study.lowered.arches;
  const leaves = ({ node, share, children }: Part): [string, number][] =>
    children.length === 0 ? [[node.label, share]] : children.flatMap(leaves);
  const weights: Record<string, number> = { read: 2, mount: 1, ioctl: 1 };
  const sums = new Map<string, number>();
  for (const [label, share] of leaves(partsOf(study, tree, abi!, (call) => weights[call] ?? 0)!))
    sums.set(label, (sums.get(label) ?? 0) + share);
  // Two tests of words: a quarter of the calls of ioctl gets through both.
  expect(Object.fromEntries(sums)).toEqual({ ALLOW: 0.5 + 0.25 / 4, 'ERRNO EPERM': 0.25 + (0.25 * 3) / 4 });
  expect(partsOf(study, tree, abi!, () => 0)).toBeUndefined();
});

describe('a recording is counted', () => {
  test.each([
    [
      'a summary',
      `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 28.62    0.000176           5        34        13 openat
 19.19    0.000118          59         2           getdents64
------ ----------- ----------- --------- --------- ----------------
100.00    0.000615           4       126        16 total
`,
      { openat: 34, getdents64: 2 },
    ],
    [
      'a log',
      `7 read(3, "write(1)", 8) = 8
[pid  8] 12:00:01.5 write(1, "", 0 <unfinished ...>
7 read(3, "", 8) = 0
[pid  8] <... write resumed>) = 0
--- SIGCHLD {si_signo=SIGCHLD} ---
7 +++ exited with 0 +++
`,
      { read: 2, write: 1 },
    ],
    ['anything else', 'nothing\n{"defaultAction": "SCMP_ACT_ALLOW"}\n', {}],
  ])('from %s', (_, text, counts) => {
    expect(Object.fromEntries(callCounts(text))).toEqual(counts);
  });
});
