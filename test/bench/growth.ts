/** How time and instructions grow with the rules on the arguments of one call. */
import { archOf } from '../../src/arch.ts';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { filterArches } from '../../src/policy/architectures.ts';
import { resolveProfile } from '../../src/profile/docker.ts';
import { readProfile } from '../../src/profile/read.ts';
import { makeTarget } from '../../src/target.ts';
import { FAMILIES, growthProfile } from '../growth.ts';
import { rulesText } from './libseccomp.ts';
import type { Libseccomp, Optimize } from './libseccomp.ts';
import { longestPath } from './static.ts';
import { median } from './table.ts';
import type { Cell, Table } from './table.ts';

export const RULES: readonly number[] = [5, 10, 20, 50, 100, 200, 400, 800];
/** What libseccomp takes longer for is not waited for again with more rules. */
const LONGEST_MS = 5000;
const X86 = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
const target = makeTarget({ arch: 'X86_64' });

/** Both sides of one profile; null where there is no program. */
interface Row extends Record<string, Cell> {
  family: string;
  rules: number;
  arches: number;
}

export async function growthTable(library: Libseccomp | undefined, rounds: number): Promise<Table> {
  const rows: Row[] = [];
  // Whatever comes first pays for code that is not optimized yet.
  for (const family of Object.keys(FAMILIES)) await compile(growthProfile(family, 20), { target });
  for (const arches of [1, 3])
    for (const family of Object.keys(FAMILIES)) {
      let waits = true;
      for (const rules of RULES) {
        const text = growthProfile(family, rules, { architectures: X86.slice(0, arches) });
        const row = { family, rules, arches, ...(await ours(text, rounds)) };
        const theirs: Record<string, Cell> = waits && library !== undefined ? librarys(text, library) : {};
        rows.push({ ...row, ...theirs });
        waits &&= Number(theirs['first ms'] ?? 0) < LONGEST_MS && theirs['first'] !== null;
      }
    }
  return {
    title: 'Growth',
    method:
      'Rules of one kind on the arguments of ioctl, for X86_64 alone and with X86 and X32: milliseconds of processor ' +
      'time of a whole compilation with its proof, warm, the median of several; instructions for both goals, and of ' +
      'libseccomp at both of its levels. A program is missing where it has more than 4096 instructions, where ' +
      'libseccomp refuses a rule, and where it took too long for fewer rules.',
    columns: [
      { key: 'family', title: 'conditions of a rule' },
      { key: 'arches', title: 'ABIs' },
      { key: 'rules', title: 'rules' },
      { key: 'ms', title: 'ms', digits: 1 },
      { key: 'proved', title: 'proved' },
      { key: 'attach', title: 'attach' },
      { key: 'path', title: 'longest path' },
      { key: 'size', title: 'size' },
      { key: 'first ms', title: 'libseccomp: ms', digits: 1 },
      { key: 'first', title: 'libseccomp 1' },
      { key: 'second', title: 'libseccomp 2' },
      { key: 'shorter path', title: 'longest path of the shorter' },
    ],
    rows,
  };
}

async function ours(text: string, rounds: number): Promise<Record<string, Cell>> {
  const times: number[] = [];
  try {
    let attach = 0;
    let path = 0;
    let proved = false;
    for (let round = 0; round < rounds; round++) {
      const begin = process.cpuUsage();
      const filter = await compile(text, { target });
      const { user, system } = process.cpuUsage(begin);
      times.push((user + system) / 1000);
      attach = filter.instructions.length;
      path = longestPath(filter.instructions);
      proved = filter.proved;
    }
    const size = (await compile(text, { target, optimize: 'size', prove: 'never' })).instructions.length;
    return { ms: median(times), proved: proved ? 'yes' : 'no', attach, path, size };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return { ms: null, proved: null, attach: null, path: null, size: null };
  }
}

function librarys(text: string, library: Libseccomp): Record<string, Cell> {
  const { seccomp } = resolveProfile(readProfile(text, { file: '-' }), target);
  const arches = filterArches(seccomp!, target, () => {});
  const rules = rulesText(seccomp!, arches);
  const built = (level: Optimize) => library.build(rules, level, 1, archOf('X86_64').endian, LONGEST_MS);
  const [first, second] = [built(1), built(2)];
  const [shorter] = [first, second]
    .flatMap((one) => ('refused' in one ? [] : [one.instructions]))
    .toSorted((a, b) => a.length - b.length);
  return {
    'first ms': 'refused' in first ? null : median(first.ns) / 1e6,
    first: 'refused' in first ? null : first.instructions.length,
    second: 'refused' in second ? null : second.instructions.length,
    'shorter path': shorter === undefined ? null : longestPath(shorter),
  };
}

/**
 * The power of the rules with which a figure grows: the slope of its logarithm, by least squares.
 */
export function exponent(points: readonly (readonly [rules: number, figure: number])[]): number {
  const logs = points.map(([rules, figure]) => [Math.log(rules), Math.log(figure)] as const);
  const middle = (at: 0 | 1) => logs.reduce((sum, log) => sum + log[at], 0) / logs.length;
  const [x, y] = [middle(0), middle(1)];
  const above = logs.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  return above / logs.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}
