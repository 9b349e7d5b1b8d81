/**
 * Programs for the prover's tests: an assembler with labels, and the plainest compiler of a profile
 * there is.
 */
import type { Endian, SockFilter } from '../../src/bpf/instruction.ts';
import type { ArchName } from '../../src/arch.ts';
import { ACTION_NAMES } from '../../src/action.ts';
import type { ActionName } from '../../src/action.ts';
import { OPERATOR_NAMES } from '../../src/profile/types.ts';
import type { OperatorName, Seccomp } from '../../src/profile/types.ts';
import type { Target } from '../../src/target.ts';
import type { Condition } from '../oracle/conditions.ts';
import { rank } from '../oracle/facts.ts';
import type { Evaluator } from '../oracle/naive.ts';
import { namedNumbers } from '../oracle/naive.ts';
import type { OciProfile } from '../oracle/oci.ts';

/** Opcodes by the names of bpf_asm, written as numbers once more. */
export const OPCODES = {
  'ld abs': 0x20, 'ld #': 0x00, 'ldx #': 0x01, 'ld M': 0x60, 'ldx M': 0x61, 'ld len': 0x80, 'ldx len': 0x81,
  'st M': 0x02, 'stx M': 0x03, tax: 0x07, txa: 0x87, ret: 0x06, 'ret a': 0x16, ja: 0x05, neg: 0x84,
  add: 0x04, sub: 0x14, mul: 0x24, div: 0x34, or: 0x44, and: 0x54, lsh: 0x64, rsh: 0x74, xor: 0xa4,
  'add x': 0x0c, 'sub x': 0x1c, 'mul x': 0x2c, 'div x': 0x3c, 'or x': 0x4c, 'and x': 0x5c, 'lsh x': 0x6c,
  'rsh x': 0x7c, 'xor x': 0xac,
  jeq: 0x15, jgt: 0x25, jge: 0x35, jset: 0x45, 'jeq x': 0x1d, 'jgt x': 0x2d, 'jge x': 0x3d, 'jset x': 0x4d,
} as const; // prettier-ignore
export type Mnemonic = keyof typeof OPCODES;

/** `insn('jeq', 5, 1, 0)` */
export function insn(mnemonic: Mnemonic, k = 0, jt = 0, jf = 0): SockFilter {
  return { code: OPCODES[mnemonic], jt, jf, k: k >>> 0 };
}

/** A place in a program that may come later. */
class Label {
  at = -1;
}

/** Emits forward code. A branch becomes three instructions, so that no distance is too large. */
class Assembler {
  readonly program: SockFilter[] = [];
  readonly #jumps: { at: number; to: Label }[] = [];

  emit(mnemonic: Mnemonic, k = 0): void {
    this.program.push(insn(mnemonic, k));
  }

  jump(to: Label): void {
    this.#jumps.push({ at: this.program.length, to });
    this.emit('ja');
  }

  branch(mnemonic: 'jeq' | 'jgt' | 'jge', k: number, onTrue: Label, onFalse: Label): void {
    this.program.push(insn(mnemonic, k, 0, 1));
    this.jump(onTrue);
    this.jump(onFalse);
  }

  place(label: Label): void {
    label.at = this.program.length;
  }

  finish(): SockFilter[] {
    for (const { at, to } of this.#jumps) this.program[at] = insn('ja', to.at - at - 1);
    return this.program;
  }
}

/**
 * A program that looks at one number after the other and at one rule after the other, as the oracle
 * has them.
 */
export function linearProgram(meaning: Evaluator, profile: OciProfile): SockFilter[] {
  const endian: Endian = meaning.abis[0]!.big ? 'big' : 'little';
  const code = new Assembler();
  for (const audit of new Set(meaning.abis.map((abi) => abi.audit))) {
    const abis = meaning.abis.filter((abi) => abi.audit === audit);
    const [here, nextArch, kill] = [new Label(), new Label(), new Label()];
    code.emit('ld abs', 4);
    code.branch('jeq', audit, here, nextArch);
    code.place(here);
    const has = (oci: string) => abis.some((abi) => abi.oci === oci);
    if (has('X86_64') !== has('X32')) {
      const [known, large] = [new Label(), new Label()];
      code.emit('ld abs', 0);
      code.branch('jge', 0x40000000, has('X32') ? known : large, has('X32') ? kill : known);
      code.place(large);
      code.branch('jeq', 0xffffffff, known, kill);
      code.place(kill);
      code.emit('ret', 0);
      code.place(known);
    }
    for (const abi of abis)
      for (const nr of namedNumbers(abi, profile.syscalls ?? [])) {
        const [match, next] = [new Label(), new Label()];
        code.emit('ld abs', 0);
        code.branch('jeq', nr, match, next);
        code.place(match);
        const rules = meaning.rules(abi, nr);
        const always = rules.find((rule) => rule.conditions.length === 0);
        const ordered = always ? [always] : rules.toSorted((a, b) => rank(a.action) - rank(b.action));
        for (const { conditions, action } of ordered) {
          const fail = new Label();
          for (const condition of conditions) emitCondition(code, condition, endian, fail);
          code.emit('ret', action);
          code.place(fail);
        }
        code.emit('ret', meaning.defaultAction);
        code.place(next);
      }
    code.emit('ret', meaning.defaultAction);
    code.place(nextArch);
  }
  code.emit('ret', 0);
  return code.finish();
}

/** Falls through where the condition holds. */
function emitCondition(code: Assembler, c: Condition, endian: Endian, fail: Label): void {
  const pass = new Label();
  const load = (half: 'high' | 'low') =>
    code.emit('ld abs', 16 + 8 * c.index + ((half === 'high') === (endian === 'big') ? 0 : 4));
  const [low, high] = [Number(c.value & 0xffffffffn), Number(c.value >> 32n)];
  const wide = c.bits === 64n;
  const negated = ['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE'].includes(c.op);
  const [yes, no] = negated ? [fail, pass] : [pass, fail];
  const test = (mnemonic: 'jeq' | 'jgt' | 'jge', k: number, onTrue: Label, onFalse: Label) => {
    code.branch(mnemonic, k, onTrue, onFalse);
  };
  const equal = (mask: bigint) => {
    const next = new Label();
    if (wide) {
      load('high');
      code.emit('and', Number(mask >> 32n));
      test('jeq', high, next, no);
    }
    code.place(next);
    load('low');
    code.emit('and', Number(mask & 0xffffffffn));
    test('jeq', low, yes, no);
  };
  const greater = (mnemonic: 'jgt' | 'jge') => {
    const [tie, next] = [new Label(), new Label()];
    if (wide) {
      load('high');
      test('jgt', high, yes, next);
      code.place(next);
      test('jeq', high, tie, no);
    }
    code.place(tie);
    load('low');
    test(mnemonic, low, yes, no);
  };
  if (c.op === 'SCMP_CMP_GT' || c.op === 'SCMP_CMP_LE') greater('jgt');
  else if (c.op === 'SCMP_CMP_GE' || c.op === 'SCMP_CMP_LT') greater('jge');
  else equal(c.mask);
  code.place(pass);
}

/** The profile as the product's own reader would give it. */
export function seccompFrom(profile: OciProfile): Seccomp {
  return {
    defaultAction: profile.defaultAction === undefined ? undefined : actionNamed(profile.defaultAction),
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: Number(profile.defaultErrnoRet) }),
    architectures: (profile.architectures ?? []).map((name) => ({ name, pointer: '' })),
    flags: undefined,
    syscalls: (profile.syscalls ?? []).map((entry, index) => ({
      names: entry.names,
      action: actionNamed(entry.action),
      ...(entry.errnoRet === undefined ? {} : { errnoRet: Number(entry.errnoRet) }),
      args: (entry.args ?? []).map((arg) => ({
        index: Number(arg.index),
        value: arg.value,
        valueTwo: arg.valueTwo ?? 0n,
        op: operatorNamed(arg.op),
      })),
      pointer: `/syscalls/${index}`,
    })),
    pointer: '',
  };
}

function actionNamed(name: string): ActionName {
  return ACTION_NAMES.find((known) => known === name) ?? unusable(name);
}

function operatorNamed(name: string): OperatorName {
  return OPERATOR_NAMES.find((known) => known === name) ?? unusable(name);
}

function unusable(name: string): never {
  throw new Error(`the sample has no valid ${name}`);
}

export function targetFor(arch: ArchName, more: Partial<Target> = {}): Target {
  return {
    arch,
    capabilities: [],
    kernel: { major: 6, minor: 12 },
    engine: 'moby',
    semantics: 'crun',
    enosysStub: false,
    overlap: 'warn',
    failUnknown: false,
    force: false,
    ...more,
  };
}
