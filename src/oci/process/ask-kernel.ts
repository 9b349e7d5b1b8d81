/**
 * What this machine's kernel answers to one call under a filter, without making the call: every
 * answer of the program is replaced by its own errno, so that nothing is executed and no process is
 * killed.
 */
import { spawnSync } from 'node:child_process';
import {
  BPF_ABS,
  BPF_IMM,
  BPF_JEQ,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_RET,
  BPF_W,
  encode,
  MAX_INSTRUCTIONS,
  OFFSET_NR,
} from '../../bpf/instruction.ts';
import type { Endian, SeccompData, SockFilter } from '../../bpf/instruction.ts';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../../action.ts';
import type { ArchName } from '../../arch.ts';
import { EXIT, fail } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { programFile } from './program-file.ts';

/**
 * The kernel hands out no larger errno; as many answers can be told apart below it. The program
 * `ask` knows it too.
 */
const BASE = 4000;
const MOST_ANSWERS = 63;

/**
 * The answer (u32) of the kernel to a call of its native architecture; undefined if it cannot be
 * asked: the program computes its answers, or has too many.
 *
 * @throws SeccompcError LOADER_MISSING, LOADER_FAILED
 */
export function askKernel(
  program: readonly SockFilter[],
  endian: Endian,
  { nr, args }: Pick<SeccompData, 'nr' | 'args'>,
  arch: ArchName,
): number | undefined {
  const returns = program.filter(({ code }) => (code & 0x07) === BPF_RET);
  const answers = [...new Set(returns.map(({ k }) => k))];
  const isConstant = returns.every(({ code }) => code === (BPF_RET | BPF_K));
  if (!isConstant || answers.length > MOST_ANSWERS) return undefined;
  const stand = (k: number) => (SECCOMP_RET_ERRNO | (BASE + 1 + answers.indexOf(k))) >>> 0;
  const filter: SockFilter[] = [
    { code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: OFFSET_NR },
    { code: BPF_JMP | BPF_JEQ | BPF_K, jt: 1, jf: 0, k: nr },
    { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: SECCOMP_RET_ALLOW },
    // As the kernel starts the program.
    { code: BPF_LD | BPF_IMM, jt: 0, jf: 0, k: 0 },
    ...program.map((step) => ((step.code & 0x07) === BPF_RET ? { ...step, k: stand(step.k) } : step)),
  ];
  if (filter.length > MAX_INSTRUCTIONS) return undefined;
  const numbers = [nr, ...args, filter.length].map((value) => BigInt.asUintN(64, BigInt(value)));
  const input = Buffer.concat([Buffer.from(BigUint64Array.from(numbers).buffer), encode(filter, endian)]);
  const { error, status, stderr } = spawnSync(programFile('ask', arch), [], {
    input,
    env: {},
    encoding: 'utf8',
  });
  if (error !== undefined) fail('LOADER_MISSING', { reason: systemReason(error) });
  if (status === EXIT.unavailable) fail('LOADER_FAILED', { reason: stderr.trimEnd() });
  return answers[(status ?? 0) - 1];
}
