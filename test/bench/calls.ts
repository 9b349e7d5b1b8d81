/** What a system call costs under each filter. */
import { join } from 'node:path';
import {
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
} from '../../src/action.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { isConstantAllow } from '../../src/prove/program/bitmap.ts';
import { libraryMaker, OURS } from './filters.ts';
import type { Measured, ProvedFilter } from './filters.ts';
import { linesOf } from './programs.ts';
import type { Folder } from './programs.ts';
import { numberOf } from './subjects.ts';
import type { Call, Subject } from './subjects.ts';
import { median } from './table.ts';
import type { Cell, Table } from './table.ts';

export function callTable(
  measured: readonly Measured[],
  kernel: string,
  folder: Folder,
  rounds: number,
): Table {
  return {
    title: 'Calls',
    method:
      `One system call in nanoseconds: median of ${rounds} rounds of 40 batches of 500 calls, each round in a fresh fork, the ` +
      'filters taking turns in random order. A denied call never reaches the kernel proper, so without a filter it is ' +
      'another thing.',
    columns: [
      { key: 'profile', title: 'profile' },
      { key: 'call', title: 'call' },
      { key: 'kind', title: 'answer' },
      { key: 'none', title: 'no filter', digits: 1 },
      { key: libraryMaker(1), title: libraryMaker(1), digits: 1 },
      { key: libraryMaker(2), title: libraryMaker(2), digits: 1 },
      { key: OURS, title: OURS, digits: 1 },
    ],
    rows: measured.flatMap((each) => rowsOf(each, kernel, folder, rounds)),
  };
}

function rowsOf(
  { subject, filters }: Measured,
  kernel: string,
  folder: Folder,
  rounds: number,
): Record<string, Cell>[] {
  const { calls } = subject.source;
  const paths = filters.map(({ maker, bytes }) => folder.write(`calls-${maker}.bpf`, bytes));
  const input = calls.map((call) => [numberOf(subject, call), ...sixArgs(call)].join(' ')).join('\n');
  const samples = calls.map(() =>
    ['none', ...filters.map(({ maker }) => maker)].map((maker) => ({ maker, ns: [] as number[] })),
  );
  const lines = linesOf(join(kernel, 'calls'), [`${rounds}`, '-', ...paths], input);
  for (const [filter, call, ns, value] of lines) {
    samples[call!]![filter!]!.ns.push(ns!);
    if (filter! > 0) checkAnswer(subject, filters[filter! - 1]!, calls[call!]!, value!);
  }
  return calls.map((call, position) => {
    const kind = kindOf(subject, filters[0]!, call);
    const times = samples[position]!.map(({ maker, ns }) => [maker, median(ns)] as const);
    return {
      profile: subject.title,
      call: call.name,
      kind,
      ...Object.fromEntries(times),
      ...(kind === 'denied' ? { none: null } : {}),
    };
  });
}

function sixArgs({ args }: Call): bigint[] {
  return Array.from({ length: 6 }, (_, index) => args[index] ?? 0n);
}

function valueOf(subject: Subject, { instructions }: ProvedFilter, call: Call): number {
  const { auditArch, endian } = subject.arches[0]!;
  return run(
    instructions,
    { arch: auditArch, nr: numberOf(subject, call), ip: 0n, args: sixArgs(call) },
    endian,
  ).value;
}

/** All filters of a subject are equal, so any of them can tell. */
function kindOf(subject: Subject, filter: ProvedFilter, call: Call): string {
  if (isConstantAllow(filter.instructions, subject.arches[0]!.auditArch, numberOf(subject, call)))
    return 'constant allow';
  return valueOf(subject, filter, call) === SECCOMP_RET_ALLOW ? 'argument checked' : 'denied';
}

/**
 * What was timed must be what was meant: the kernel's answer is the filter's wherever the filter
 * refuses.
 */
function checkAnswer(subject: Subject, filter: ProvedFilter, call: Call, answer: number): void {
  const value = valueOf(subject, filter, call);
  if (value === SECCOMP_RET_ALLOW) return;
  const isErrno = (value & SECCOMP_RET_ACTION_FULL) >>> 0 === SECCOMP_RET_ERRNO;
  if (!isErrno || answer !== -(value & SECCOMP_RET_DATA))
    throw new Error(`${subject.title}: ${call.name} gave ${answer} under ${filter.maker}`);
}
