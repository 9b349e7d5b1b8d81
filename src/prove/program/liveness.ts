/** Which registers of a program still matter where: states that differ elsewhere only are one. */
import type { Operand, Step } from './decoded.ts';
import { REGISTER_A, REGISTER_M, REGISTERS } from './decoded.ts';

function registerBit(operand: Operand): number {
  return 'register' in operand ? 1 << operand.register : 0;
}

/**
 * Which registers each instruction or those after it may read: one backward pass, since nothing
 * loops.
 */
export function liveRegisters(steps: readonly Step[]): Int32Array {
  const live = new Int32Array(steps.length + 1);
  const a = 1 << REGISTER_A;
  for (let pc = steps.length - 1; pc >= 0; pc--) {
    const step = steps[pc]!;
    const after = live[pc + 1]!;
    switch (step.kind) {
      case 'loadWord':
        live[pc] = after & ~a;
        break;
      case 'move':
        // Reading a scratch word matters always: it must have been written.
        live[pc] = after & ~(1 << step.to);
        if ((after >>> step.to) & 1 || registerBit(step.from) >= 1 << REGISTER_M)
          live[pc]! |= registerBit(step.from);
        break;
      case 'negate':
        live[pc] = after;
        break;
      case 'compute':
        // A division matters even when nobody reads its result: it may end the filter.
        live[pc] =
          (after & a) !== 0 || step.operation === 'div' ? after | a | registerBit(step.operand) : after;
        break;
      case 'jump':
        live[pc] = live[step.target]!;
        break;
      case 'branch':
        live[pc] = live[step.onTrue]! | live[step.onFalse]! | a | registerBit(step.operand);
        break;
      case 'return':
        live[pc] = registerBit(step.value);
        break;
    }
  }
  return live;
}

/** The registers of a bit set, ascending. */
export function registersIn(set: number): number[] {
  return Array.from({ length: REGISTERS }, (_, register) => register).filter(
    (register) => ((set >>> register) & 1) === 1,
  );
}
