/**
 * Compares what two filters answer, for every input: profiles or programs, in any combination.
 *
 * Both become functions over the bits of the input, where equality is one comparison of node
 * numbers. When that needs too many nodes, a program is proved against a profile by cases, and
 * another order of the bits is tried; what none of them can decide is "undecided".
 */
import { compareStrictness } from '../action.ts';
import { abiOfCall } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { Endian, SeccompData, SockFilter } from '../bpf/instruction.ts';
import { runPrograms } from '../bpf/stack.ts';
import type { Programs } from '../bpf/stack.ts';
import { answerOf } from './profile/reference-answer.ts';
import { CaseProof } from './cases/cases.ts';
import { referenceBdd, referenceGroups } from './profile/profile-bdd.ts';
import type { Effort, Node } from './bdd/bdd.ts';
import { DEFAULT_NODE_BUDGET, effortFor, Undecided } from './bdd/bdd.ts';
import type { NamedCalls } from './bdd/difference.ts';
import { findInputs } from './bdd/difference.ts';
import { fingerprintBytes } from './bdd/fingerprint.ts';
import { dataOf } from './bdd/input-words.ts';
import { Malformed } from './program/decoded.ts';
import type { Breaks, Input } from './bdd/pair.ts';
import { groupsOfPrograms, programsBdd } from './program/stack-bdd.ts';
import type { Reference, ReferenceArch } from './profile/reference.ts';
import { resolveReference } from './profile/reference.ts';
import type { Space, TestGroup } from './bdd/space.ts';
import { canonicalSpace, interleavedSpace } from './bdd/space.ts';

/**
 * One side of a comparison: a program or all programs of a process, with the byte order of the
 * machine, or a profile.
 */
export type Side = Programs | Reference;

/**
 * Several sides as one: the answers (u32) to a call are joined from the first side to the last,
 * beginning with `start`.
 */
export interface Joined {
  sides: readonly (Side | Joined)[];
  start: number | undefined;
  join: (before: number, next: number) => number;
}

/**
 * What is asked of the second side: to answer as the first does; never to be less strict; never to
 * be more strict. The order is that of compareStrictness.
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
 * `nodes`: how many the BDD had in all. `fingerprint`: see fingerprint.ts; there only when the
 * relation is equality of the two sides and the first representation did.
 */
export type ComparisonResult =
  | { verdict: 'holds'; nodes: number; fingerprint?: Uint8Array }
  | { verdict: 'broken'; differences: Difference[] }
  | Failure;

/**
 * `malformed`: the kernel would refuse the program. `undecided`: too large, or outside what can be
 * computed; `isBudget`: a larger budget may decide it.
 */
export type Failure =
  | { verdict: 'malformed'; side: 'first' | 'second'; reason: string }
  | { verdict: 'undecided'; reason: string; isBudget: boolean };

export type { NamedCalls };

export interface CompareOptions {
  relation?: Relation;
  /** Nodes a BDD may have before the next representation is tried. */
  nodeBudget?: number;
  /** Differences to report, one for each call; 32 unless said. */
  limit?: number;
  /**
   * Calls with names, besides those of a profile's own architectures: each that differs is
   * reported.
   */
  calls?: readonly NamedCalls[];
}

const DEFAULT_LIMIT = 32;
/** Nodes of a BDD that is tried before a proof by cases. */
const FEW_NODES = 1 << 16;

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
  /** Of a profile. */
  arches?: readonly ReferenceArch[];
  /** Of one program. */
  program?: { program: readonly SockFilter[]; endian: Endian };
}

/** Where a difference is looked for: both functions in one space. */
interface Pair {
  space: Space;
  first: Node;
  second: Node;
}

export function compare(first: Side | Joined, second: Side, options: CompareOptions = {}): ComparisonResult {
  const relation = options.relation ?? 'equal';
  try {
    const sides = [prepare(first), prepare(second)] as const;
    const known = [...sides.flatMap(({ calls }) => calls), ...(options.calls ?? [])];
    const calls = [...new Map(known.map((named) => [named.abi.name, named])).values()];
    const question = { sides, relation, calls, limit: options.limit ?? DEFAULT_LIMIT };
    return firstDecided(question, attemptsAt(question, options.nodeBudget));
  } catch (error) {
    return failureOf(error);
  }
}

/**
 * A filter's canonical form (see fingerprint.ts): the same bytes for every program and profile that
 * means the same.
 */
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

interface Question {
  sides: readonly [Prepared, Prepared];
  relation: Relation;
  calls: readonly NamedCalls[];
  limit: number;
}

/**
 * The ways to an answer, those that end soonest first. All together take a bounded number of steps.
 */
function attemptsAt(question: Question, nodeBudget = DEFAULT_NODE_BUDGET): (() => ComparisonResult)[] {
  const { sides, relation } = question;
  const [first, second] = sides;
  const decideIn = (space: Space) => compareIn(space, question);
  const byCases = relation === 'equal' && first.arches !== undefined && second.program !== undefined;
  const effort = effortFor(nodeBudget);
  return [
    // A BDD that becomes large soon becomes too large; most are small.
    ...(byCases ? [() => decideIn(canonicalSpace(Math.min(nodeBudget, FEW_NODES)))] : []),
    // Its steps take longer than those of a BDD.
    ...(byCases ? [() => compareByCases(question, effortFor(nodeBudget / 2))] : []),
    () => decideIn(canonicalSpace(nodeBudget, effort)),
    // A profile says what belongs together in fewer words than a program, so it comes first.
    () => {
      const groups = sides.toReversed().flatMap((side) => [...side.groups()]);
      return decideIn(interleavedSpace(nodeBudget, groups, effort));
    },
  ];
}

/**
 * The first answer that does not exceed its means.
 * @throws Undecided with the reason of the last attempt, which is given most.
 */
function firstDecided(question: Question, attempts: readonly (() => ComparisonResult)[]): ComparisonResult {
  let reason: Undecided | undefined;
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof Undecided)) throw error;
      reason = error;
    }
  }
  const differences = differingExamples(question);
  if (differences.length > 0) return { verdict: 'broken', differences };
  throw reason!;
}

/** @throws Undecided when it needs too many nodes or steps */
function compareIn(space: Space, { sides, relation, limit, calls }: Question): ComparisonResult {
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
  const inputs = findInputs(space, pair.first, pair.second, BREAKS[relation], { limit, calls });
  if (inputs.length === 0) {
    // Functions of bits that are two nodes are different somewhere.
    if (relation === 'equal') throw new Error('internal error: no witness was found');
    return { verdict: 'holds', nodes };
  }
  return { verdict: 'broken', differences: inputs.map((input) => replay(pair, sides, relation, input)) };
}

/**
 * A program against a profile without a BDD.
 * @throws Undecided where that does not show anything
 */
function compareByCases({ sides }: Question, effort: Effort): ComparisonResult {
  const [{ arches }, { program }] = sides;
  const proof = building('second', () => new CaseProof(program!.program, program!.endian, arches!, effort));
  const doubt = proof.run();
  if (doubt === undefined) return { verdict: 'holds', nodes: proof.states };
  const data = dataOf(doubt);
  const [first, second] = sides.map((side) => side.answer(data));
  if (first === second) throw new Undecided('the cases of the proof do not show that the two are equal');
  const difference = { data, abi: abiOfCall(data.arch, data.nr), first: first!, second: second! };
  return { verdict: 'broken', differences: [difference] };
}

/**
 * Calls with names, without arguments: filters that are nothing like each other mostly differ
 * there.
 */
function differingExamples({ sides, relation, calls, limit }: Question): Difference[] {
  const differences: Difference[] = [];
  for (const { abi, table } of calls)
    for (const [nr] of table.entries()) {
      const data = { arch: abi.auditArch, nr, ip: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
      const [first, second] = [sides[0].answer(data), sides[1].answer(data)];
      if (abiOfCall(abi.auditArch, nr) !== abi.name || !BREAKS[relation](first, second)) continue;
      differences.push({ data, abi: abi.name, first, second });
      if (differences.length === limit) return differences;
    }
  return differences;
}

/** The function of several sides in a canonical space. @throws Undecided if it is too large */
export function joinedDiagram(
  joined: Joined,
  nodeBudget?: number,
  space = canonicalSpace(nodeBudget),
): { space: Space; root: Node } {
  return { space, root: prepare(joined).build(space) };
}

function prepareJoined({ sides, start, join }: Joined): Prepared {
  const all = sides.map(prepare);
  const fold = <T>(first: T | undefined, values: readonly T[], both: (before: T, next: T) => T): T =>
    first === undefined ? values.reduce(both) : values.reduce(both, first);
  return {
    build: (space) => {
      const { bdd } = space;
      const first = start === undefined ? undefined : bdd.terminal(start);
      const nodes = all.map((each) => each.build(space));
      return fold(first, nodes, (before, next) => bdd.combine(before, next, join));
    },
    groups: () => all.flatMap((each) => [...each.groups()]),
    answer: (data) => {
      const answers = all.map((each) => each.answer(data));
      return fold(start, answers, join);
    },
    calls: all.flatMap(({ calls }) => calls),
  };
}

function prepare(side: Side | Joined): Prepared {
  if ('sides' in side) return prepareJoined(side);
  if ('endian' in side)
    return {
      build: (space) => programsBdd(space, side),
      groups: () => groupsOfPrograms(side),
      answer: (data) => runPrograms(side, data).value,
      calls: [],
      ...('program' in side && { program: side }),
    };
  const arches = resolveReference(side);
  return {
    build: (space) => referenceBdd(space, arches),
    groups: () => referenceGroups(arches),
    answer: (data) => answerOf(arches, data),
    calls: arches.flatMap(({ abis }) => abis.map((abi) => ({ abi, table: side.tables.of(abi.name) }))),
    arches,
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
    bdd.evaluate(first, input) === difference.first && bdd.evaluate(second, input) === difference.second;
  if (!agrees || !BREAKS[relation](difference.first, difference.second))
    throw new Error(
      `internal error: a witness of the proof does not replay (arch ${data.arch}, nr ${data.nr}, ` +
        `args ${data.args.join(' ')}: ${difference.first} and ${difference.second})`,
    );
  return difference;
}

/** Notes which side a malformed program is. */
function building<T>(side: 'first' | 'second', build: () => T): T {
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
  if (error instanceof Undecided)
    return { verdict: 'undecided', reason: error.message, isBudget: error.isBudget };
  throw error;
}
