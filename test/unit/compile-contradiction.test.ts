import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { compile } from '../../src/compile.ts';
import { EXIT, SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';
import { insn } from './prove-programs.ts';

/** A code generator that is wrong. */
const wrong = vi.hoisted(() => ({ program: [] as SockFilter[] }));
vi.mock('../../src/codegen/generate.ts', () => ({
  generateProgram: () => wrong.program,
  TooManyRules: class extends Error {},
}));

const PROFILE =
  '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}';
const [ARCH, NR, ALLOW, ERRNO] = [4, 0, 0x7fff0000, 0x50001];

async function refusal(): Promise<SeccompcError> {
  const outcome = await compile(PROFILE, { target: makeTarget({ arch: 'X86_64' }) }).catch((e: unknown) => e);
  if (!(outcome instanceof SeccompcError)) throw new Error('a wrong program came out', { cause: outcome });
  return outcome;
}

afterEach(() => (wrong.program = []));

describe('a program that is not what the profile asks for', () => {
  it('never comes out, and the message shows a call', async () => {
    wrong.program = [
      insn('ld abs', ARCH), insn('jeq', 0xc000003e, 0, 5),
      insn('ld abs', NR), insn('jge', 0x40000000, 3, 0),
      insn('jeq', 1, 1, 0), insn('ret', ERRNO), insn('ret', ALLOW), insn('ret', 0),
    ]; // prettier-ignore
    const { diagnostics, exitCode } = await refusal();
    expect(exitCode).toBe(EXIT.software);
    expect(diagnostics.map(({ code }) => code)).toEqual(['PROOF_CONTRADICTS']);
    expect(diagnostics[0]!.message).toMatch(
      /(read\(\)|write\(\)|number 4294967295\(\)) on X86_64: the profile asks for .*, the program gives /,
    );
  });

  it('is described also where the call is of an architecture that the profile does not have', async () => {
    // All of x86_64 and x32 as asked, so that every witness lies elsewhere.
    wrong.program = [
      insn('ld abs', ARCH), insn('jeq', 0xc000003e, 0, 6),
      insn('ld abs', NR), insn('jeq', 0xffffffff, 2, 0),
      insn('jge', 0x40000000, 4, 0), insn('jeq', 0, 1, 0),
      insn('ret', ERRNO), insn('ret', ALLOW), insn('ret', ALLOW), insn('ret', 0),
    ]; // prettier-ignore
    const { diagnostics } = await refusal();
    expect(diagnostics.map(({ code }) => code)).toEqual(['PROOF_CONTRADICTS']);
    expect(diagnostics[0]!.message).toMatch(
      / on (?!X86_64|X32)[A-Z0-9]+: the profile asks for KILL_THREAD, the program gives ALLOW$/,
    );
  });
});
