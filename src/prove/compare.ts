/**
 * Compares what two filters answer, for every input: profiles or programs, in any combination.
 *
 * Both become functions over the bits of the input, where equality is one comparison of node numbers. When
 * that needs too many nodes, two other representations are tried; what none can decide is "undecided".
 */
import { compareStrictness } from '../action.ts';
import { abiOfCall } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { run } from '../bpf/interpreter.ts';
import type { Endian, SeccompData, SockFilter } from '../bpf/instruction.ts';

import { answerOf } from './profile/reference-answer.ts';
import { referenceBdd, referenceGroups } from './profile/profile-bdd.ts';
import type { Node } from './bdd/bdd.ts';
import { effortFor, Undecided } from './bdd/bdd.ts';
import type { NamedCalls } from './bdd/difference.ts';
import { findInputs } from './bdd/difference.ts';
import { fingerprintBytes } from './bdd/fingerprint.ts';
import { dataOf } from './bdd/input-words.ts';
import { Malformed } from './program/decoded.ts';
import type { Breaks, Input } from './bdd/pair.ts';
import { programBdd } from './program/program-bdd.ts';
import type { Reference } from './profile/reference.ts';
import { resolveReference } from './profile/reference.ts';
import type { Space, TestGroup } from './bdd/space.ts';
import { atomSpace, canonicalSpace, interleavedSpace } from './bdd/space.ts';
import { programGroups } from './program/tested-bits.ts';

/** One side of a comparison: a program with the byte order of its machine, or a profile. */
export type Side = { program: readonly SockFilter[]; endian: Endian } | Reference;

/**
 * What is asked of the second side: to answer as the first does; never to be less strict; never to be more
 * strict. The order is that of compareStrictness.
 */
export type Relation = 'equal' | 'tightens' | 'loosens';

/** An input for which the relation does not hold. */
export interface Difference {
  data: SeccompData;
  /** Whose call it is; undefined for an audit arch that no ABI has. */
  abi: ArchName | undefined;
  /** u32 return values. */
  first: number;
  second: number;
}

/**
 * `nodes`: how many the BDD had in all. `fingerprint`: see fingerprint.ts; there only when the relation is
 * equality of the two sides and the first representation did.
 */
export type ComparisonResult =
  | { verdict: 'holds'; nodes: number; fingerprint?: Uint8Array }
  | { verdict: 'broken'; differences: Difference[] }
  | Failure;

/** `malformed`: the kernel would refuse the program. `undecided`: too large, or outside what can be computed. */
export type Failure =
  | { verdict: 'malformed'; side: 'first' | 'second'; reason: string }
  | { verdict: 'undecided'; reason: string };

export type { NamedCalls };

export interface CompareOptions {
  relation?: Relation;
  /** Nodes a BDD may have before the next representation is tried. */
  nodeBudget?: number;
  /** Differences to report, one for each call; 32 unless said. */
  limit?: number;
  /** Calls with names, besides those of a profile's own architectures: each that differs is reported. */
  calls?: readonly NamedCalls[];
}

const DEFAULT_LIMIT = 32;

/** Whether the second return value is not what the relation asks for. */
const BREAKS: Record<Relation, Breaks> = {
  equal: (first, second) => first !== second,
  tightens: (first, second) => compareStrictness(second, first) > 0,
  loosens: (first, second) => compareStrictness(second, first) < 0,
};

/** A side that is ready to be turned into a BDD of any kind. */
interface Prepared {
  build(space: Space): Node;
  groups(): Iterable<TestGroup>;
  /** The answer (u32) to one call, found without any BDD. */
  answer(data: SeccompData): number;
  calls: readonly NamedCalls[];
}

/** Where a difference is looked for: both functions in one space. */
interface Pair {
  space: Space;
  first: Node;
  second: Node;
}

export function compare(first: Side, second: Side, options: CompareOptions = {}): ComparisonResult {
  const relation = options.relation ?? 'equal';
  try {
    const sides = [prepare(first), prepare(second)] as const;
    const known = [...sides.flatMap(({ calls }) => calls), ...(options.calls ?? [])];
    const calls = [...new Map(known.map((named) => [named.abi.name, named])).values()];
    return firstDecided(spaces(options.nodeBudget, sides), (space) => {
      const pair = {
        space,
        first: building('first', () => sides[0].build(space)),
        second: building('second', () => sides[1].build(space)),
      };
      const nodes = space.bdd.size;
      if (pair.first === pair.second) {
        if (!space.canonical) return { verdict: 'holds', nodes };
        // A walk over the whole BDD, for the few who ask.
        return {
          verdict: 'holds',
          nodes,
          get fingerprint() {
            return fingerprintBytes(space.bdd, pair.first);
          },
        };
      }
      const inputs = findInputs(space, pair.first, pair.second, BREAKS[relation], {
        limit: options.limit ?? DEFAULT_LIMIT,
        calls,
      });
      if (inputs.length === 0) {
        // Functions of bits that are two nodes are different somewhere.
        if (relation === 'equal' && !space.atoms) throw new Error('internal error: no witness was found');
        return { verdict: 'holds', nodes };
      }
      return { verdict: 'broken', differences: inputs.map((input) => replay(pair, sides, relation, input)) };
    });
  } catch (error) {
    return failureOf(error);
  }
}

/** A filter's canonical form (see fingerprint.ts): the same bytes for every program and profile that means the same. */
export function fingerprint(
  side: Side,
  options: Pick<CompareOptions, 'nodeBudget'> = {},
): { verdict: 'made'; fingerprint: Uint8Array; nodes: number } | Failure {
  try {
    const space = canonicalSpace(options.nodeBudget);
    const root = building('first', () => prepare(side).build(space));
    return { verdict: 'made', fingerprint: fingerprintBytes(space.bdd, root), nodes: space.bdd.size };
  } catch (error) {
    return failureOf(error);
  }
}

/** The representations, cheapest proof first. */
function spaces(nodeBudget: number | undefined, sides: readonly Prepared[]): (() => Space)[] {
  // Shared: what the first attempt used up is not there for the others.
  const effort = effortFor(nodeBudget);
  return [
    () => canonicalSpace(nodeBudget, effort),
    // A profile says what belongs together in fewer words than a program, so it comes first.
    () =>
      interleavedSpace(
        nodeBudget,
        sides.toReversed().flatMap((side) => [...side.groups()]),
        effort,
      ),
    () => atomSpace(nodeBudget, effort),
  ];
}

/** The first answer that does not exceed its means. @throws Undecided with the reason of the first attempt. */
function firstDecided<T>(attempts: readonly (() => Space)[], decide: (space: Space) => T): T {
  let reason: Undecided | undefined;
  for (const attempt of attempts) {
    try {
      return decide(attempt());
    } catch (error) {
      if (!(error instanceof Undecided)) throw error;
      reason ??= error;
    }
  }
  throw reason!;
}

function prepare(side: Side): Prepared {
  if ('program' in side) {
    const { program, endian } = side;
    return {
      build: (space) => programBdd(space, program, endian),
      groups: () => programGroups(program, endian),
      answer: (data) => run(program, data, endian).value,
      calls: [],
    };
  }
  const arches = resolveReference(side);
  return {
    build: (space) => referenceBdd(space, arches),
    groups: () => referenceGroups(arches),
    answer: (data) => answerOf(arches, data),
    calls: arches.flatMap(({ abis }) => abis.map((abi) => ({ abi, table: side.tables.of(abi.name) }))),
  };
}

/** The difference that an input shows: found again without BDDs, or this prover is wrong. */
function replay(
  { space, first, second }: Pair,
  sides: readonly [Prepared, Prepared],
  relation: Relation,
  input: Input,
): Difference {
  const data = dataOf(input);
  const difference = {
    data,
    abi: abiOfCall(data.arch, data.nr),
    first: sides[0].answer(data),
    second: sides[1].answer(data),
  };
  const { bdd } = space;
  const agrees =
    space.atoms !== undefined ||
    (bdd.evaluate(first, input) === difference.first && bdd.evaluate(second, input) === difference.second);
  if (!agrees || !BREAKS[relation](difference.first, difference.second))
    throw new Error(
      `internal error: a witness of the proof does not replay (arch ${data.arch}, nr ${data.nr}, ` +
        `args ${data.args.join(' ')}: ${difference.first} and ${difference.second})`,
    );
  return difference;
}

/** Notes which side a malformed program is. */
function building(side: 'first' | 'second', build: () => Node): Node {
  try {
    return build();
  } catch (error) {
    if (error instanceof Malformed) throw new MalformedSide(side, error);
    throw error;
  }
}

class MalformedSide extends Error {
  readonly side: 'first' | 'second';

  constructor(side: 'first' | 'second', cause: Malformed) {
    super(cause.message, { cause });
    this.side = side;
  }
}

/** What ended an attempt for good, as a result. @throws whatever it is else. */
function failureOf(error: unknown): Failure {
  if (error instanceof MalformedSide)
    return { verdict: 'malformed', side: error.side, reason: error.message };
  if (error instanceof Undecided) return { verdict: 'undecided', reason: error.message };
  throw error;
}
