import { OPTIMIZE_GOALS } from '../codegen/goal.ts';
import type { Optimize } from '../codegen/goal.ts';
import { fail } from '../errors.ts';
import { makeTarget } from '../target.ts';
import type { Target, TargetOptions } from '../target.ts';

/** Whether to prove a program against its profile. */
export type ProofMode = 'auto' | 'never' | 'require';

/** How to compile, besides the target. */
export interface CompileMode {
  /** What the program is optimized for: `attach` (default), `frequency` or `size`. */
  optimize?: Optimize | undefined;
  /**
   * `auto` (default) proves the program unless the proof is too large, `require` fails then,
   * `never` skips it.
   */
  prove?: ProofMode | undefined;
  /** Name of the input in diagnostics; `-` unless given. */
  file?: string | undefined;
  /** Accept an input that asks for no filter: the result has `confined: false` and no program. */
  allowUnconfined?: boolean | undefined;
}

/** A target: from {@link makeTarget}, or its options. */
export type TargetChoice = { target: Target } | TargetOptions;

/**
 * What a profile is compiled for, and how: `{ arch: 'x86_64', prove: 'require' }` or
 * `{ target, prove: 'require' }`.
 */
export type CompileOptions = TargetChoice & CompileMode;

/** The options of a compilation after they were checked. */
export interface CompileSettings {
  target: Target;
  optimize?: Optimize;
  prove?: ProofMode;
  file?: string;
}

/** @throws SeccompcError USAGE, TARGET_INVALID for what the types do not allow */
export function compileSettings(options: CompileOptions): CompileSettings {
  const { optimize, prove, file, allowUnconfined: _, ...choice } = options;
  refuseUnless('optimize', optimize, OPTIMIZE_GOALS);
  refuseUnless('prove', prove, ['auto', 'never', 'require']);
  return {
    target: targetOf(choice),
    ...(optimize === undefined ? {} : { optimize }),
    ...(prove === undefined ? {} : { prove }),
    ...(file === undefined ? {} : { file }),
  };
}

/** @throws SeccompcError TARGET_INVALID; USAGE if there are options besides `target` */
export function targetOf(choice: TargetChoice): Target {
  if (!('target' in choice)) return makeTarget(choice);
  const { target, ...others } = choice;
  const [other] = Object.keys(others);
  if (other !== undefined) fail('USAGE', { reason: `give either "target" or "${other}", not both` });
  return makeTarget(target);
}

function refuseUnless(name: string, value: string | undefined, known: readonly string[]): void {
  if (value !== undefined && !known.includes(value))
    fail('USAGE', { reason: `${name} is ${known.join(' or ')}, not "${value}"` });
}
