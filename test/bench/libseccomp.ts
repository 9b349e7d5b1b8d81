/**
 * libseccomp at work: which calls it knows, the filters it builds, and how long it takes for them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { actionValue, carriesErrno } from '../../src/action.ts';
import type { ActionName } from '../../src/action.ts';
import { X32_SYSCALL_BIT } from '../../src/arch.ts';
import type { Arch } from '../../src/arch.ts';
import { decode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import type { Seccomp, SyscallArg, SyscallEntry } from '../../src/profile/types.ts';
import type { SyscallTable } from '../../src/syscalls/tables.ts';
import { build } from './programs.ts';
import type { Folder } from './programs.ts';

export type Optimize = 1 | 2;

export interface Libseccomp {
  /** `2.6.1` */
  version: string;
  /** What it calls each number of an ABI that our table has or that is below 600. */
  names(arch: Arch, table: SyscallTable): Map<string, number>;
  /** It is given so many milliseconds; a minute unless said. */
  build(
    rules: string,
    optimize: Optimize,
    rounds: number,
    endian: Arch['endian'],
    milliseconds?: number,
  ): Built | Refused;
}

/** A program, and the nanoseconds of processor time of each round. */
export interface Built {
  instructions: SockFilter[];
  ns: number[];
}

/** Why there is no program: its own words, or that it did not come to an end. */
export interface Refused {
  refused: string;
}

/** It can loop for ever on some rules (docs/semantics.md section 14). */
const MILLISECONDS = 60_000;
const SMALL_NUMBERS = 600;

export function openLibseccomp(which: 'newest' | 'system', folder: Folder): Libseccomp | { missing: string } {
  const built = build(which);
  if ('missing' in built) return built;
  const numbers = join(built.folder, 'numbers');
  return {
    version: execFileSync(numbers, ['version'], { encoding: 'utf8' }).trim(),
    names: (arch, table) => {
      const base = arch.name === 'X32' ? X32_SYSCALL_BIT : 0;
      const asked = new Set(table.entries().map(([nr]) => nr));
      for (let nr = 0; nr < SMALL_NUMBERS; nr++) asked.add(base + nr);
      const input = [...asked].map((nr) => `${arch.name.toLowerCase()} ${nr}`).join('\n');
      const answers = execFileSync(numbers, ['numbers'], { input, encoding: 'utf8' }).trim().split('\n');
      return new Map(answers.map((line) => line.split('\t')).map(([, nr, name]) => [name ?? '', Number(nr)]));
    },
    build: (rules, optimize, rounds, endian, milliseconds = MILLISECONDS) => {
      const path = folder.path('libseccomp.bpf');
      const run = spawnSync(join(built.folder, 'libseccomp'), [`${optimize}`, `${rounds}`, path], {
        input: rules,
        encoding: 'utf8',
        timeout: milliseconds,
      });
      if (run.signal !== null) return { refused: `no program after ${milliseconds / 1000} s` };
      if (run.status === 3) return { refused: run.stderr.trim() };
      if (run.status !== 0) throw new Error(`libseccomp: ${run.stderr.trim()}`);
      return {
        instructions: decode(readFileSync(path), endian),
        ns: run.stdout.trim().split('\n').map(Number),
      };
    },
  };
}

/** The positions in `enum scmp_compare` of seccomp.h. */
const OPERATORS: Record<SyscallArg['op'], number> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** A profile as libseccomp.c reads it: what crun asks the library for, in its order. */
export function rulesText(seccomp: Seccomp, arches: readonly Arch[]): string {
  const standard = returnValue(seccomp.defaultAction!, seccomp.defaultErrnoRet);
  const lines = [
    `default ${standard.toString(16)}`,
    ...arches.map(({ name }) => `arch ${name.toLowerCase()}`),
  ];
  for (const entry of seccomp.syscalls) {
    const action = returnValue(entry.action, entry.errnoRet);
    // The library takes no rule that repeats the default.
    if (action === standard) continue;
    for (const name of entry.names ?? [])
      for (const args of separateRules(entry))
        lines.push(`rule ${action.toString(16)} ${name} ${args.length}${args.map(comparison).join('')}`);
  }
  return [...lines, 'end\n'].join('\n');
}

function returnValue(name: ActionName, errnoRet = 1): number {
  return actionValue(name, carriesErrno(name) ? errnoRet : 0);
}

/** Where an argument is named twice, each condition is a rule of its own. docs/semantics.md. */
function separateRules({ args }: SyscallEntry): SyscallArg[][] {
  return new Set(args.map((arg) => arg.index)).size < args.length ? args.map((arg) => [arg]) : [args];
}

function comparison({ index, op, value, valueTwo }: SyscallArg): string {
  return ` ${index} ${OPERATORS[op]} ${value} ${valueTwo}`;
}
