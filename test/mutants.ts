/** Programs with one instruction changed in every way that a wrong compiler might. */
import type { SockFilter } from '../src/bpf/instruction.ts';

const OPCODES = { load: 0x20, jump: 0x05, return: 0x06, and: 0x54, equal: 0x15, greater: 0x25, atLeast: 0x35, anyBit: 0x45 }; // prettier-ignore
const TESTS = [OPCODES.equal, OPCODES.greater, OPCODES.atLeast, OPCODES.anyBit];
const RETURNS = [0, 0x80000000, 0x00030000, 0x00050001, 0x00050002, 0x7ffc0000, 0x7fff0000];

/** What an instruction could have been instead. */
function variants(old: SockFilter): SockFilter[] {
  const { code, jt, jf, k } = old;
  const constants = [k + 1, k - 1, k ^ 0x80000000, k ^ 0x40000000].map((value) => ({ ...old, k: value >>> 0 })); // prettier-ignore
  switch (code) {
    case OPCODES.return:
      return RETURNS.map((value) => ({ ...old, k: value }));
    case OPCODES.load:
      return [0, 4, 8, 12, 16, 20, 24, 28, k - 8, k + 8].map((at) => ({ ...old, k: at >>> 0 }));
    case OPCODES.jump:
      return constants.slice(0, 2);
    default:
      if (!TESTS.includes(code)) return constants;
      return [
        ...constants,
        ...TESTS.map((test) => ({ ...old, code: test })),
        { ...old, jt: jf, jf: jt },
        ...[jt + 1, jt - 1, 0].map((target) => ({ ...old, jt: target & 0xff })),
        ...[jf + 1, jf - 1, 0].map((target) => ({ ...old, jf: target & 0xff })),
      ];
  }
}

/** Each program that differs from the given one in one instruction, or lacks it. */
export function* mutantsOf(program: readonly SockFilter[]): Generator<SockFilter[]> {
  for (const [index, old] of program.entries()) {
    const key = ({ code, jt, jf, k }: SockFilter) => [code, jt, jf, k].join();
    const others = new Map(variants(old).map((variant) => [key(variant), variant]));
    others.delete(key(old));
    for (const variant of others.values()) yield program.with(index, variant);
    yield program.toSpliced(index, 1);
  }
}
