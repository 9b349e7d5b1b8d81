/** A filter's decision diagram as the policy that the code generator reads. */
import { allArches, X32_SYSCALL_BIT } from '../arch.ts';
import type { Arch } from '../arch.ts';
import type { Endian } from '../bpf/instruction.ts';
import { MAX_NR } from '../policy/number-ranges.ts';
import type { ArchPolicy, DecisionRange, Policy } from '../policy/types.ts';
import type { Bdd, Node } from '../prove/bdd/bdd.ts';
import { Undecided } from '../prove/bdd/bdd.ts';
import { WORD_ARCH, WORD_BITS, WORD_NR } from '../prove/bdd/input-words.ts';
import { ArgumentRules } from './argument-rules.ts';

/** Values `from`..`to` of a word (u32), for which the function goes on with `node`. */
export interface Stretch {
  from: number;
  to: number;
  node: Node;
}

/** More ranges of numbers do not fit into a program. */
const MOST_STRETCHES = 16_384;

/** What a filter answers by architecture and number. */
export interface Numbering {
  auditArch: number;
  /** One, or X86_64 and X32. */
  abis: Arch[];
  stretches: Stretch[];
}

/** @throws Undecided if the answers outside the filter's architectures are not one and the same */
export function numberingsOf(
  bdd: Bdd,
  root: Node,
  native: Arch,
): { numberings: Numbering[]; outside: number } {
  const byArch = stretchesOf(bdd, root, WORD_ARCH);
  const { node: outside } = byArch.reduce((a, b) => (b.to - b.from > a.to - a.from ? b : a));
  const inside = byArch.filter(({ node }) => node !== outside);
  if (!bdd.isTerminal(outside) || inside.some(({ from, to }) => from !== to))
    throw new Undecided('the answers to architectures outside of the filter depend on the call');
  const order = [native, ...allArches()].map(({ auditArch }) => auditArch);
  const placeOf = ({ from }: Stretch) => (order.includes(from) ? order.indexOf(from) : order.length);
  const numberings = inside
    .toSorted((a, b) => placeOf(a) - placeOf(b) || a.from - b.from)
    .map(({ from, node }): Numbering => {
      const stretches = stretchesOf(bdd, node, WORD_NR);
      return { auditArch: from, abis: abisOf(from, stretches, outside), stretches };
    });
  return { numberings, outside: bdd.valueOf(outside) };
}

/** @throws Undecided as {@link ArgumentRules} */
export function policyOf(
  bdd: Bdd,
  { numberings, outside }: ReturnType<typeof numberingsOf>,
  endian: Endian,
): Policy {
  const rules = new ArgumentRules(bdd);
  const arches = numberings.map(({ auditArch, abis, stretches }): ArchPolicy => {
    const ranges = stretches.map(({ from, to, node }): DecisionRange => ({
      from,
      to,
      decision: rules.decision(node),
    }));
    return { auditArch, abis, ranges };
  });
  return { endian, badArchAction: outside, arches };
}

/** Those of which some call gets another answer than outside of the filter. */
function abisOf(auditArch: number, stretches: readonly Stretch[], outside: Node): Arch[] {
  const abis = allArches().filter((abi) => abi.auditArch === auditArch);
  if (abis.length === 0)
    throw new Undecided(`no architecture has the audit arch 0x${auditArch.toString(16)}`);
  if (abis.length === 1) return abis;
  return abis.filter(({ name }) => {
    const first = name === 'X32' ? X32_SYSCALL_BIT : 0;
    const { to, node } = stretchAt(stretches, first);
    return node !== outside || to < first + X32_SYSCALL_BIT - 1;
  });
}

/** The stretch that has a value of the word. */
export function stretchAt(stretches: readonly Stretch[], value: number): Stretch {
  let [low, high] = [0, stretches.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stretches[middle]!.to < value) low = middle + 1;
    else high = middle;
  }
  return stretches[low]!;
}

/** The functions behind a word, ascending, without gaps; neighbours differ. */
function stretchesOf(bdd: Bdd, root: Node, word: number): Stretch[] {
  const stretches: Stretch[] = [];
  const end = (word + 1) * WORD_BITS;
  const visit = (node: Node, from: number, size: number): void => {
    const variable = bdd.isTerminal(node) ? end : bdd.variableOf(node);
    if (variable >= end) {
      const last = stretches.at(-1);
      if (last?.node === node) last.to = from + size - 1;
      else stretches.push({ from, to: from + size - 1, node });
      if (stretches.length > MOST_STRETCHES) throw new Undecided('too many ranges of numbers are told apart');
      return;
    }
    const isTested = 2 ** (end - 1 - variable) === size / 2;
    visit(isTested ? bdd.low(node) : node, from, size / 2);
    visit(isTested ? bdd.high(node) : node, from + size / 2, size / 2);
  };
  visit(root, 0, MAX_NR + 1);
  return stretches;
}
