/**
 * What this machine's kernel answers to one call under a filter, without making the call: every answer of the program is
 * replaced by an errno that stands for it, so that nothing is executed and nobody is killed.
 */
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
  OFFSET_NR,
} from '../../bpf/instruction.ts';
import type { Endian, SeccompData, SockFilter } from '../../bpf/instruction.ts';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../../action.ts';
import type { ArchName } from '../../arch.ts';
import { callersEnvironment, runUnderFilter } from './start-filtered.ts';
import { findPerl } from './perl.ts';

/** The kernel hands out no larger errno; as many answers can be told apart below it. */
const FIRST_ERRNO = 4000;
const MOST_ANSWERS = 90;

/** An exit code that perl does not use for failures of its own. */
const FIRST_CODE = 60;
/** Prints nothing; the exit code says which errno it was. */
const ASK_PROGRAM = `
my ($nr, @args) = map { $_ + 0 } @ARGV;
syscall($nr, @args);
exit($! - ${FIRST_ERRNO} + ${FIRST_CODE});
`;

/**
 * The answer (u32) of the kernel to a call of its native architecture; undefined if it cannot be asked: the program
 * computes its answers, or has too many.
 *
 * @throws SeccompcError LOADER_MISSING, LOADER_FAILED
 */
export async function askKernel(
  program: readonly SockFilter[],
  endian: Endian,
  { nr, args }: Pick<SeccompData, 'nr' | 'args'>,
  { arch, execve }: { arch: ArchName; execve: number },
): Promise<number | undefined> {
  const returns = program.filter(({ code }) => (code & 0x07) === BPF_RET);
  const answers = [...new Set(returns.map(({ k }) => k))];
  const isConstant = returns.every(({ code }) => code === (BPF_RET | BPF_K));
  // Perl has to be started.
  if (!isConstant || answers.length > MOST_ANSWERS || nr === execve) return undefined;
  const stand = (k: number) => (SECCOMP_RET_ERRNO | (FIRST_ERRNO + 1 + answers.indexOf(k))) >>> 0;
  const filter: SockFilter[] = [
    { code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: OFFSET_NR },
    { code: BPF_JMP | BPF_JEQ | BPF_K, jt: 1, jf: 0, k: nr },
    { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: SECCOMP_RET_ALLOW },
    // As the kernel starts the program.
    { code: BPF_LD | BPF_IMM, jt: 0, jf: 0, k: 0 },
    ...program.map((step) => ((step.code & 0x07) === BPF_RET ? { ...step, k: stand(step.k) } : step)),
  ];
  const words = ['perl', '-e', ASK_PROGRAM, nr, ...args.map((arg) => BigInt.asIntN(64, arg))];
  const { exitCode } = await runUnderFilter(
    encode(filter, endian),
    {
      path: Buffer.from(findPerl()),
      words: words.map((word) => Buffer.from(String(word))),
      environment: callersEnvironment(),
      keep: [],
    },
    { arch, flags: 0 },
  );
  return answers[exitCode - FIRST_CODE - 1];
}
