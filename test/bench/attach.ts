/** How long the kernel takes to attach each filter. */
import { join } from 'node:path';
import { libraryMaker, OURS } from './filters.ts';
import type { Measured } from './filters.ts';
import { linesOf } from './programs.ts';
import type { Folder } from './programs.ts';
import { median, ratio } from './table.ts';
import type { Table } from './table.ts';

/** `RET ALLOW`: what no filter can be faster than. */
const SHORTEST = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0xff, 0x7f);

export function attachTable(
  measured: readonly Measured[],
  kernel: string,
  folder: Folder,
  rounds: number,
): Table {
  const paths = [folder.write('shortest.bpf', SHORTEST)];
  const placed = measured.map(({ subject, filters }, row) => {
    const byMaker = new Map<string, number>();
    for (const { maker, bytes } of filters)
      byMaker.set(maker, paths.push(folder.write(`attach-${row}-${maker}.bpf`, bytes)) - 1);
    return { subject, byMaker };
  });
  const samples = paths.map((): number[] => []);
  for (const [filter, ns] of linesOf(join(kernel, 'attach'), [`${rounds}`, ...paths]))
    samples[filter!]!.push(ns!);
  const us = samples.map((ns) => median(ns) / 1000);
  const rows = placed.map(({ subject, byMaker }) => {
    const time = (maker: string) => us[byMaker.get(maker) ?? -1] ?? null;
    const [first, second, ours] = [time(libraryMaker(1)), time(libraryMaker(2)), time(OURS)];
    return {
      profile: subject.title,
      first,
      second,
      ours,
      firstRatio: ratio(first, ours),
      secondRatio: ratio(second, ours),
    };
  });
  return {
    title: 'Attach',
    method:
      `seccomp(2) in microseconds: median of ${rounds} fresh forks each, all filters taking turns in random order; ` +
      'the ratios are to seccompc. The shortest filter, one instruction that allows everything, is the floor.',
    columns: [
      { key: 'profile', title: 'profile' },
      { key: 'first', title: 'libseccomp 1', digits: 1 },
      { key: 'second', title: 'libseccomp 2', digits: 1 },
      { key: 'ours', title: OURS, digits: 1 },
      { key: 'firstRatio', title: 'ratio 1', digits: 1 },
      { key: 'secondRatio', title: 'ratio 2', digits: 1 },
    ],
    rows: [...rows, { profile: 'the shortest filter', ours: us[0]! }],
  };
}
