/** The filters of a subject: ours and libseccomp's, each proved to do what the profile says. */
import type { Optimize as Goal } from '../../src/codegen/goal.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { compile } from '../../src/compile.ts';
import { prove } from '../../src/prove/prove.ts';
import { rulesText } from './libseccomp.ts';
import type { Libseccomp, Optimize, Refused } from './libseccomp.ts';
import type { Subject } from './subjects.ts';

export interface ProvedFilter {
  /** `libseccomp 1`, `seccompc` ... */
  maker: string;
  instructions: SockFilter[];
  bytes: Uint8Array;
}

export interface Measured {
  subject: Subject;
  /** libseccomp's first, where there are any. */
  filters: ProvedFilter[];
}

export const OURS = 'seccompc';
export const libraryMaker = (optimize: Optimize) => `libseccomp ${optimize}`;

/** @throws Error when one of ours is not proved */
export async function ownFilter(subject: Subject, goal: Goal = 'attach'): Promise<ProvedFilter> {
  const { instructions, bytes } = await compile(subject.profile, {
    target: subject.target,
    optimize: goal,
    prove: 'require',
  });
  return { maker: goal === 'attach' ? OURS : `${OURS}, ${goal}`, instructions, bytes };
}

/** libseccomp's filter; or, when it is not what the profile asks for, why it is not compared. */
export function libraryFilter(
  subject: Subject,
  optimize: Optimize,
  library: Libseccomp,
): ProvedFilter | Refused {
  const { seccomp, arches, target, tables } = subject;
  const { endian } = arches[0]!;
  const maker = libraryMaker(optimize);
  const leftOut = `${subject.title}: ${maker} is left out`;
  const built = library.build(rulesText(seccomp, arches), optimize, 1, endian);
  if ('refused' in built) return { refused: `${leftOut}, ${built.refused}` };
  const { instructions } = built;
  const { verdict } = prove(instructions, { seccomp, target, tables });
  if (verdict !== 'equal') return { refused: `${leftOut}, its program against the profile: ${verdict}` };
  return { maker, instructions, bytes: encode(instructions, endian) };
}
