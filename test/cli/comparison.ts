/**
 * What the tests of verify, diff and fingerprint share: hand-made programs, and witnesses played
 * back.
 */
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import type { Call } from '../oracle/bpf.ts';
import { documentOf } from './run.ts';
import type { Result } from './run.ts';

export const ALLOW = 0x7fff0000;
export const ERRNO = 0x00050000;
export const KILL_THREAD = 0;
export const LOG = 0x7ffc0000;

export const insn = (code: number, k: number, jt = 0, jf = 0): SockFilter => ({ code, jt, jf, k });

/** Which answers the program below gives. */
interface Answers {
  read: number;
  /** For socket with a first argument of `family`. */
  refused: number;
  family: number;
  otherwise: number;
}

/**
 * What PLAIN of profiles.ts asks for on x86_64, written by hand and in no order that a compiler
 * would choose. The answers that are given replace its own.
 */
export function plainProgram(changed: Partial<Answers> = {}): SockFilter[] {
  const answers = { read: ALLOW, refused: ERRNO | 1, family: 40, otherwise: ERRNO | 1, ...changed };
  return [
    insn(0x20, 4),
    insn(0x15, 0xc000003e, 1, 0),
    insn(0x06, KILL_THREAD),
    insn(0x20, 0),
    insn(0x15, 435, 0, 1),
    insn(0x06, ERRNO | 38),
    insn(0x15, 41, 0, 6),
    insn(0x20, 20),
    insn(0x15, 0, 0, 3),
    insn(0x20, 16),
    insn(0x15, answers.family, 0, 1),
    insn(0x06, answers.refused),
    insn(0x06, ALLOW),
    insn(0x15, 0xffffffff, 6, 0),
    insn(0x35, 0x40000000, 0, 1),
    insn(0x06, KILL_THREAD),
    insn(0x15, 0, 2, 0),
    insn(0x15, 231, 3, 0),
    insn(0x15, 1, 2, 1),
    insn(0x06, answers.read),
    insn(0x06, answers.otherwise),
    insn(0x06, ALLOW),
  ];
}

export const little = (program: readonly SockFilter[]) => encode(program, 'little');

export interface ShownAnswer {
  action: string;
  errno: number | null;
  errnoName: string | null;
  value: number;
}

export interface ShownWitness {
  call: { arch: string | null; auditArch: number; nr: number; name: string | null; args: string[] };
  [answer: string]: unknown;
}

/** The witnesses in a JSON document. */
export function witnessesOf(result: Result): ShownWitness[] {
  const { witnesses } = documentOf(result);
  if (!Array.isArray(witnesses) || !witnesses.every(isWitness)) throw new TypeError('no witnesses');
  return witnesses;
}

function isWitness(value: unknown): value is ShownWitness {
  return typeof value === 'object' && value !== null && 'call' in value;
}

/** What a raw program really answers to the call of a witness. */
export function replay(bytes: Uint8Array, { call }: ShownWitness, big = false): number {
  const { auditArch: arch, nr, args } = call;
  const asked: Call = { arch, nr, args: args.map(BigInt) };
  return runProgram(readProgram(bytes, big), asked);
}
