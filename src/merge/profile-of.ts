/**
 * A filter's decision diagram as an OCI profile: exact where the format can say it, else stricter.
 */
import { ACTION_NAMES, actionValue, carriesErrno, compareSeverity, compareStrictness, SECCOMP_RET_DATA, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD } from '../action.ts'; // prettier-ignore
import { archOf } from '../arch.ts';
import type { Arch } from '../arch.ts';
import { enosysAction } from '../policy/enosys.ts';
import { MAX_NR } from '../policy/number-ranges.ts';
import { multiplexed } from '../policy/multiplex.ts';
import { filterArches } from '../policy/architectures.ts';
import { lowerPolicy } from '../policy/lower.ts';
import type { Condition } from '../policy/types.ts';
import type { Code } from '../errors.ts';
import type { OperatorName, Seccomp, SyscallArg, SyscallEntry } from '../profile/types.ts';
import { Undecided } from '../prove/bdd/bdd.ts';
import type { Bdd, Node } from '../prove/bdd/bdd.ts';
import { compare, joinedDiagram } from '../prove/compare.ts';
import type { Difference, Joined, Relation } from '../prove/compare.ts';
import type { Reference } from '../prove/profile/reference.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Target } from '../target.ts';
import { ArgumentRules } from './argument-rules.ts';
import { numberingsOf, stretchAt } from './policy-of.ts';

export interface ProfileOptions {
  target: Target;
  /** Tables of all architectures of the inputs. */
  tables: SyscallTables;
  /** What a runtime needs besides the program. */
  members: Pick<Seccomp, 'flags' | 'listenerPath' | 'listenerMetadata'>;
  nodeBudget?: number | undefined;
}

export interface ProfileResult {
  seccomp: Seccomp;
  /** Calls that the profile answers more strictly; none if it is exact. */
  lost: Difference[];
}

/**
 * How a name is put into the profile: not at all, by what it answers, or by the strictest of its
 * answers.
 */
type Level = 'omit' | 'own' | 'strict';

/** One number with this name. */
interface Place {
  abi: Arch;
  nr: number;
  node: Node;
}

const MOST_DIFFERENCES = 4096;
/** Each round makes the names stricter of which a call was answered wrongly. */
const MOST_ROUNDS = 8;
const WIDEST = 64;

/** The target that reads a profile which has its architectures itself. */
export function readerOf(target: Target): Target {
  const { architectures: _, ...reader } = target;
  return reader;
}

/**
 * The profile of several filters joined: of those that are found and never laxer, the one that is
 * stricter at fewest calls.
 *
 * @throws Undecided if there is none
 */
export function profileOf(side: Joined, options: ProfileOptions): ProfileResult {
  const synthesis = new Synthesis(side, options);
  let best: ProfileResult | undefined;
  for (const abis of synthesis.architectures())
    for (const fallback of synthesis.fallbacks()) {
      const found = synthesis.withDefault(abis, fallback);
      if (found?.lost.length === 0) return found;
      if (found !== undefined && !(best && best.lost.length <= found.lost.length)) best = found;
    }
  if (best === undefined) throw new Undecided('no profile is found that is exact or stricter');
  return best;
}

class Synthesis {
  readonly #side: Joined;
  readonly #options: ProfileOptions;
  readonly #bdd: Bdd;
  readonly #native: Arch;
  readonly #numberings: ReturnType<typeof numberingsOf>['numberings'];
  readonly #places = new Map<string, Place[]>();
  readonly #rules: Record<Arch['wordBits'], ArgumentRules>;

  constructor(side: Joined, options: ProfileOptions) {
    this.#side = side;
    this.#options = options;
    const { target, tables, nodeBudget } = options;
    const { space, root } = joinedDiagram(side, nodeBudget);
    this.#bdd = space.bdd;
    this.#rules = { 32: new ArgumentRules(space.bdd), 64: new ArgumentRules(space.bdd, true) };
    this.#native = archOf(target.arch);
    this.#numberings = numberingsOf(space.bdd, root, this.#native).numberings;
    const [abis] = this.architectures();
    if (abis![0] !== this.#native)
      throw new Undecided(`the result refuses all calls of ${target.arch}, which a profile cannot say`);
    for (const abi of abis!) {
      const { stretches } = this.#numberings.find(({ auditArch }) => auditArch === abi.auditArch)!;
      for (const [nr, name] of tables.of(abi.name).entries()) {
        const place = { abi, nr, node: stretchAt(stretches, nr).node };
        const places = this.#places.get(name);
        if (places === undefined) this.#places.set(name, [place]);
        else places.push(place);
      }
    }
  }

  /**
   * Architectures to try, native first: all, then without one, then the native one alone. An entry
   * means the same on all, so where they differ, it can be better to refuse one of them.
   */
  architectures(): Arch[][] {
    const abis = this.#numberings.flatMap((numbering) => numbering.abis);
    const [native, ...others] = abis.toSorted(
      (a, b) => Number(b === this.#native) - Number(a === this.#native),
    );
    const without = others.length > 1 ? others.map((abi) => others.filter((other) => other !== abi)) : [];
    const lists = others.length === 0 ? [[]] : [others, ...without, []];
    return lists.map((list) => [native!, ...list]);
  }

  /**
   * Default actions (u32) to try: what a tracer's skipped call gets, then the strictest answer to
   * numbers without a name.
   */
  *fallbacks(): Generator<number> {
    const { stretches } = this.#numberings[0]!;
    const first = this.#strictest([stretchAt(stretches, MAX_NR).node]);
    yield first;
    const unnamed = this.#numberings.flatMap((numbering) =>
      numbering.stretches
        .filter(({ from, to }) => {
          const named = numbering.abis.flatMap(({ name }) => this.#options.tables.of(name).numbers);
          return named.filter((nr) => from <= nr && nr <= to).length <= to - from;
        })
        .map(({ node }) => node),
    );
    const strictest = this.#strictest(unnamed);
    if (strictest !== first) yield strictest;
  }

  /** The profile with a default action (u32); undefined if it would be laxer anywhere. */
  withDefault(abis: readonly Arch[], fallback: number): ProfileResult | undefined {
    const levels = new Map<string, Level>();
    for (const name of this.#places.keys()) {
      const places = this.#placesOf(name, abis);
      if (places.length > 0) levels.set(name, this.#firstLevel(places, fallback));
    }
    for (let round = 0; ; round++) {
      const seccomp = this.#seccomp(abis, fallback, levels);
      const lost = this.#differences(seccomp, 'equal');
      if (round < MOST_ROUNDS && this.#isContradictory(seccomp, levels)) {
        for (const [name, level] of levels) if (isSplit(name) && level === 'own') levels.set(name, 'strict');
        continue;
      }
      if (lost.length === 0) return { seccomp, lost };
      if (round < MOST_ROUNDS && this.#tighten(levels, lost)) continue;
      return this.#differences(seccomp, 'tightens').length === 0 ? { seccomp, lost } : undefined;
    }
  }

  /** Rules on the calls behind socketcall and ipc make those of the two themselves. */
  #firstLevel(places: readonly Place[], fallback: number): Level {
    const isImplied = ({ abi, nr, node }: Place) =>
      isMultiplexer(abi, nr) && !(this.#bdd.isTerminal(node) && this.#bdd.valueOf(node) !== fallback);
    return places.some(isImplied) ? 'omit' : 'own';
  }

  /** Whether a name became stricter. */
  #tighten(levels: Map<string, Level>, differences: readonly Difference[]): boolean {
    let changed = false;
    const raise = (name: string, to: Level) => {
      changed ||= levels.get(name) !== to;
      levels.set(name, to);
    };
    for (const { abi, data, first, second } of differences) {
      const name = abi && this.#options.tables.of(abi).nameOf(data.nr);
      const level = name && levels.get(name);
      if (level === undefined || level === '' || name === undefined) continue;
      if (level !== 'strict') raise(name, level === 'omit' ? 'own' : 'strict');
      else if (isMultiplexer(archOf(abi!), data.nr) && compareStrictness(second, first) > 0)
        for (const each of this.#places.keys())
          if (levels.has(each) && multiplexed(each, archOf(abi!))?.nr === data.nr) raise(each, 'strict');
    }
    return changed;
  }

  #differences(seccomp: Seccomp, relation: Relation): Difference[] {
    const { target, tables, nodeBudget } = this.#options;
    const reference: Reference = { seccomp, target: readerOf(target), tables };
    const budget = nodeBudget === undefined ? {} : { nodeBudget };
    const result = compare(this.#side, reference, { relation, limit: MOST_DIFFERENCES, ...budget });
    if (result.verdict === 'broken') return result.differences;
    if (result.verdict !== 'holds') throw new Undecided(result.reason);
    return [];
  }

  /**
   * Whether rules on a multiplexing call have the same conditions as those that the calls behind it
   * make.
   */
  #isContradictory(seccomp: Seccomp, levels: ReadonlyMap<string, Level>): boolean {
    const { target, tables } = this.#options;
    if (![...levels].some(([name, level]) => isSplit(name) && level === 'own')) return false;
    const found = new Set<Code>();
    const reader = readerOf(target);
    lowerPolicy(
      seccomp,
      filterArches(seccomp, reader, () => {}),
      reader,
      tables,
      ({ code }) => found.add(code),
    );
    return found.has('CONFLICTING_RULES');
  }

  #placesOf(name: string, abis: readonly Arch[]): Place[] {
    return this.#places.get(name)!.filter(({ abi }) => abis.includes(abi));
  }

  #seccomp(abis: readonly Arch[], fallback: number, levels: ReadonlyMap<string, Level>): Seccomp {
    const entries = new Map<string, SyscallEntry & { answer: number }>();
    for (const name of [...levels.keys()].toSorted())
      for (const { args, action: answer } of this.#rulesOf(name, abis, levels.get(name)!, fallback)) {
        const key = [
          answer,
          ...args.map(({ index, op, value, valueTwo }) => `${index} ${op} ${value} ${valueTwo}`),
        ].join();
        const entry = entries.get(key);
        if (entry === undefined)
          entries.set(key, { names: [name], ...said(answer), args, pointer: '', answer });
        else entry.names!.push(name);
      }
    const { action: defaultAction, errnoRet } = said(fallback);
    const hasArgs = ({ args }: SyscallEntry) => Number(args.length > 0);
    return {
      defaultAction,
      ...(errnoRet !== undefined && { defaultErrnoRet: errnoRet }),
      architectures: abis.map(({ name }) => ({ name: `SCMP_ARCH_${name}`, pointer: '' })),
      ...this.#options.members,
      syscalls: [...entries.values()]
        .toSorted((a, b) => hasArgs(a) - hasArgs(b) || compareStrictness(b.answer, a.answer))
        .map((entry) => {
          const { answer: _, ...written } = entry;
          return written;
        }),
      pointer: '',
    };
  }

  /** The rules of a name, none for what it gets anyway. */
  #rulesOf(
    name: string,
    abis: readonly Arch[],
    level: Level,
    fallback: number,
  ): { args: SyscallArg[]; action: number }[] {
    const places = this.#placesOf(name, abis);
    if (level === 'omit') return [];
    if (level === 'strict') {
      const behind = places.flatMap(({ abi }) => this.#multiplexer(name, abi));
      const action = this.#strictest([...places.map(({ node }) => node), ...behind]);
      const multiplexer = places.find(({ abi, nr }) => isMultiplexer(abi, nr));
      // The default action would not stop what rules on the calls behind it let through.
      const other = multiplexer && action === fallback ? otherRefusal(action, multiplexer.abi) : action;
      return other === fallback ? [] : [{ args: [], action: other }];
    }
    // What an architecture cuts to 32 bits is not there to be taken from it.
    const { abi, node } = places.find((place) => place.abi.wordBits === WIDEST) ?? places[0]!;
    return this.#rules[abi.wordBits]
      .rules(node, fallback)
      .map(({ conditions, action }) => ({ args: conditions.map(argOf), action }));
  }

  /** The function of the call by which a call can also be made. */
  #multiplexer(name: string, abi: Arch): Node[] {
    const by = multiplexed(name, abi);
    if (by === undefined) return [];
    const numbering = this.#numberings.find(({ auditArch }) => auditArch === abi.auditArch)!;
    return [stretchAt(numbering.stretches, by.nr).node];
  }

  #strictest(nodes: readonly Node[]): number {
    const answers = nodes.flatMap((node) => [...this.#rules[WIDEST].answers(node)]);
    return answers.reduce((a, b) => (compareStrictness(b, a) < 0 ? b : a));
  }
}

const isSplit = (name: string) => name === 'socketcall' || name === 'ipc';

function isMultiplexer({ socketcall, ipc }: Arch, nr: number): boolean {
  return nr === socketcall || nr === ipc;
}

/**
 * An answer (u32) that is as strict as a refusal, but not the same; the answer itself if there is
 * none.
 */
function otherRefusal(answer: number, abi: Arch): number {
  if (answer === SECCOMP_RET_KILL_THREAD) return SECCOMP_RET_KILL_PROCESS;
  // With ENOSYS, C libraries make the call itself.
  const noSuchCall = enosysAction(abi);
  if (compareSeverity(answer, noSuchCall) !== 0) return answer;
  return answer === noSuchCall ? actionValue('SCMP_ACT_ERRNO', EPERM) : noSuchCall;
}

const EPERM = 1;
const MOST_ERRNO = 4094;

/** A return value (u32) as an entry says it. @throws Undecided if none can */
function said(answer: number): Pick<SyscallEntry, 'action' | 'errnoRet'> {
  const data = answer & SECCOMP_RET_DATA;
  const action = ACTION_NAMES.find((name) => name !== 'SCMP_ACT_KILL' && actionValue(name) === answer - data);
  if (
    action === undefined ||
    (data !== 0 && !carriesErrno(action)) ||
    (action === 'SCMP_ACT_ERRNO' && data > MOST_ERRNO)
  )
    throw new Undecided(`a profile cannot say the answer 0x${answer.toString(16)} of a filter`);
  return { action, ...(carriesErrno(action) && data !== EPERM && { errnoRet: data }) };
}

function argOf({ arg: index, comparator, value, mask }: Condition): SyscallArg {
  const op = `SCMP_CMP_${comparator.toUpperCase()}` as OperatorName;
  return comparator === 'masked_eq'
    ? { index, value: mask, valueTwo: value, op }
    : { index, value, valueTwo: 0n, op };
}
