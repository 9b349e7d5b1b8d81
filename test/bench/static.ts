/** What can be said of a filter without running it. */
import type { SockFilter } from '../../src/bpf/instruction.ts';
import {
  BPF_ABS, BPF_JA, BPF_JMP, BPF_LD, BPF_RET, BPF_W, OFFSET_ARCH, OFFSET_NR,
} from '../../src/bpf/instruction.ts'; // prettier-ignore
import { convertedLength } from '../../src/bpf/check.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { isConstantAllow } from '../../src/prove/program/bitmap.ts';
import type { Measured, ProvedFilter } from './filters.ts';
import { FREQUENCY, SELDOM } from '../../src/codegen/numbers/frequency.ts';
import { compatOf } from './subjects.ts';
import type { Subject } from './subjects.ts';
import { mean, weightedMean } from './table.ts';
import type { Cell, Table } from './table.ts';

/**
 * Numbers the kernel emulates at attach on x86_64, `NR_syscalls` of Linux 6.18; other kernels
 * differ by a few.
 */
const EMULATED = 470;

export function staticTable(measured: readonly Measured[]): Table {
  return {
    title: 'Programs',
    method:
      'Instructions; instructions after the conversion to eBPF; mean steps over all native calls with arguments 0; ' +
      'the same weighted by how often programs make each call (src/codegen/numbers/frequency.ts); ' +
      'longest path through the program; numbers that the kernel finds to be allowed whatever the arguments ' +
      `(native/compat, of ${EMULATED} each); mean steps of the kernel's emulator over those numbers. Every program ` +
      'in the table is proved: for all architectures, numbers and arguments it answers as the profile says.',
    columns: [
      { key: 'profile', title: 'profile' },
      { key: 'maker', title: 'compiler' },
      { key: 'instructions', title: 'insns' },
      { key: 'converted', title: 'converted' },
      { key: 'mean', title: 'mean steps', digits: 1 },
      { key: 'weighted', title: 'weighted', digits: 1 },
      { key: 'longest', title: 'longest' },
      { key: 'constantAllow', title: 'constant allow' },
      { key: 'emulated', title: 'emulated steps' },
    ],
    rows: measured.flatMap(({ subject, filters }) => filters.map((filter) => figures(subject, filter))),
  };
}

function figures(subject: Subject, { maker, instructions }: ProvedFilter): Record<string, Cell> {
  const native = subject.arches[0]!;
  const compat = compatOf(subject);
  const calls = subject.tables.of(native.name).entries();
  const emulated = Array.from({ length: EMULATED }, (_, nr) => nr);
  const allowed = (arch: number) => emulated.filter((nr) => isConstantAllow(instructions, arch, nr)).length;
  const lengths = calls.map(([nr]) => pathOf(instructions, native.auditArch, nr).length);
  const shares = calls.map(([, name]) => FREQUENCY.get(name) ?? SELDOM);
  const steps = (arch: number) => mean(emulated.map((nr) => emulatedSteps(instructions, arch, nr)));
  return {
    profile: subject.title,
    maker,
    instructions: instructions.length,
    converted: convertedLength(instructions),
    mean: mean(lengths),
    weighted: weightedMean(lengths, shares),
    longest: longestPath(instructions),
    constantAllow: `${allowed(native.auditArch)}/${compat ? allowed(compat.auditArch) : '-'}`,
    emulated: `${steps(native.auditArch).toFixed(1)}/${compat ? steps(compat.auditArch).toFixed(1) : '-'}`,
  };
}

function pathOf(program: readonly SockFilter[], arch: number, nr: number): number[] {
  return run(program, { arch, nr, ip: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] }).path;
}

/** The emulator gives up at the first load of an argument. */
function emulatedSteps(program: readonly SockFilter[], arch: number, nr: number): number {
  const path = pathOf(program, arch, nr);
  const end = path.findIndex((pc) => {
    const { code, k } = program[pc]!;
    return code === (BPF_LD | BPF_W | BPF_ABS) && k !== OFFSET_NR && k !== OFFSET_ARCH;
  });
  return end < 0 ? path.length : end + 1;
}

/** In steps. No call need take it: a bound. */
export function longestPath(program: readonly SockFilter[]): number {
  const from = new Array<number>(program.length + 1).fill(0);
  for (let pc = program.length - 1; pc >= 0; pc--) {
    const { code, jt, jf, k } = program[pc]!;
    const next = pc + 1;
    if ((code & 0x07) === BPF_RET) from[pc] = 1;
    else if (code === (BPF_JMP | BPF_JA)) from[pc] = 1 + from[next + k]!;
    else if ((code & 0x07) === BPF_JMP) from[pc] = 1 + Math.max(from[next + jt]!, from[next + jf]!);
    else from[pc] = 1 + from[next]!;
  }
  return from[0]!;
}
