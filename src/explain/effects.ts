/** Which entries of a profile could be removed without any change of its meaning. */
import { SECCOMP_RET_ACTION_FULL } from '../action.ts';
import type { Arch } from '../arch.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import type { LoweredProfile } from '../compile/lowered.ts';
import { commonValue, holds } from '../policy/condition.ts';
import { behindSelector, conditionsOn } from '../policy/decide.ts';
import { callsAfter, enosysAction, enosysStub } from '../policy/enosys.ts';
import { multiplexed } from '../policy/multiplex.ts';
import { inOrderOfDecision } from '../policy/precedence.ts';
import { effectiveEntries } from '../policy/rules.ts';
import type { EffectiveEntry, Rule } from '../policy/rules.ts';
import type { Condition, Decision } from '../policy/types.ts';
import type { SyscallEntry } from '../profile/types.ts';
import { Effort, Undecided } from '../prove/bdd/bdd.ts';
import { compare } from '../prove/compare.ts';
import { ArgumentSpace } from './argument-space.ts';
import { defaultAnswer } from './explain.ts';

type Lowered = LoweredProfile & { confined: true };

/** A call that an entry is about and that gets another answer than its action. */
export interface Disagreement {
  data: SeccompData;
  /** u32 */
  answer: number;
}

export interface EntryEffect {
  entry: SyscallEntry;
  /** u32 return value. */
  action: number;
  /** `none` only if that is proved; `unknown`: the search was given up. */
  effect: 'some' | 'none' | 'unknown';
  /** No architecture of the filter has any of its calls. */
  absent: boolean;
  /** It has the default action, so it makes no rule. */
  isDefault: boolean;
  /** Of an entry without effect: the first call that does not get its action. */
  disagreement?: Disagreement;
  /**
   * Names on which another entry always decides otherwise, although the entry has an effect on
   * others.
   */
  overruled: { name: string; disagreement: Disagreement }[];
}

/** Tests of a rule against one call; what is left when they are used up is `unknown`. */
const MOST_TESTS = 2_000_000;
const MOST_STEPS = 1 << 22;

/** One number of one architecture, and the rules about it in profile order. */
export interface Place {
  abi: Arch;
  nr: number;
  rules: Rule[];
  /** What the number gets if no entry names it. */
  unnamed: number;
  /** The stub comes before all rules. */
  stubbed: boolean;
}

/** What one entry says about one number. */
export interface Statement {
  name: string;
  by: Rule['by'];
  place: Place;
  alternatives: Condition[][];
}

/** What the entries of a profile say about each number. */
export interface Survey {
  /** The default action, u32. */
  usual: number;
  /** Those that the target's engine keeps, with those that have the default action. */
  entries: EffectiveEntry[];
  /** Of each entry. */
  statements: Statement[][];
  /** Every number that an entry names. */
  places: Place[];
}

export function surveyOf(lowered: Lowered): Survey {
  const { seccomp, target, tables } = lowered.reference;
  const usual = defaultAnswer(lowered);
  // No action is -1, so that entries with the default action are there too.
  const entries = effectiveEntries(seccomp, -1, target, tables, () => {});
  const context = { seccomp, target, tables, defaultAction: usual };
  const statements = entries.map((): Statement[] => []);
  const counts = countNames(entries);
  const all: Place[] = [];
  for (const abi of lowered.arches) {
    const { positions, numbers } = tables.of(abi.name);
    const stub = enosysStub(abi, context);
    const newer = callsAfter(abi, { ...context, seccomp: { ...seccomp, syscalls: [] } });
    const places = new Map<number, Place>();
    const placeOf = (nr: number): Place => {
      const known = places.get(nr);
      if (known !== undefined) return known;
      const stubbed = stub.some(({ from, to }) => from <= nr && nr <= to);
      const made: Place = { abi, nr, rules: [], unnamed: usual, stubbed };
      places.set(nr, made);
      all.push(made);
      return made;
    };
    entries.forEach((effective, index) => {
      const { entry, action, calls } = effective;
      const add = (nr: number, alternatives: Condition[][], by: Rule['by'], name: string): Place => {
        const place = placeOf(nr);
        statements[index]!.push({ name, by, place, alternatives });
        if (action === usual) return place;
        for (const conditions of alternatives) place.rules.push({ conditions, action, entry, name, by });
        return place;
      };
      const alternatives = conditionsOn(effective, abi);
      for (const { name, id } of calls) {
        const position = positions[id]!;
        if (position >= 0) {
          const place = add(numbers[position]!, alternatives, undefined, name);
          if (counts.get(name) === 1 && newer.includes(position)) place.unnamed = enosysAction(abi);
        }
        const mux = multiplexed(name, abi);
        if (mux === undefined) continue;
        const selected = alternatives.map((conditions) => behindSelector(conditions, mux.call, abi));
        add(mux.nr, selected, mux.by, name);
      }
    });
  }
  return { usual, entries, statements, places: all };
}

/** Entries that change the meaning by the names that they have: what is unnamed may get ENOSYS. */
function decisiveNames(lowered: Lowered, { usual, entries, statements }: Survey): Set<SyscallEntry> {
  const { seccomp, target, tables } = lowered.reference;
  const decisive = new Set<SyscallEntry>();
  entries.forEach(({ entry, action }, index) => {
    if (action === usual && statements[index]!.some(({ place }) => place.unnamed !== usual))
      decisive.add(entry);
  });
  for (const abi of lowered.arches) {
    const [stub] = enosysStub(abi, { seccomp, target, tables, defaultAction: usual });
    if (stub === undefined) continue;
    // The entry that alone names the last number moves the stub.
    const { positions, numbers } = tables.of(abi.name);
    const isLast = ({ name, id }: { name: string; id: number }) =>
      numbers[positions[id]!] === stub.from - 1 && !multiplexed(name, abi);
    const [owner, another] = entries.filter(({ calls }) => calls.some(isLast));
    if (owner !== undefined && another === undefined && !isEqualWithout(lowered, owner.entry))
      decisive.add(owner.entry);
  }
  return decisive;
}

/** Every entry that the target's engine keeps and that names a call, in the order of the file. */
export function effectsOf(lowered: Lowered, survey = surveyOf(lowered)): EntryEffect[] {
  const { usual, entries, statements } = survey;
  const decisive = decisiveNames(lowered, survey);
  const judge = new Judge(usual);
  return entries.flatMap(({ entry, action, calls }, index): EntryEffect[] => {
    if (calls.length === 0) return [];
    const own = statements[index]!;
    const isDefault = action === usual;
    const effects = own.map(({ place }) => (isDefault ? 'none' : judge.effect(entry, place)));
    const effect = decisive.has(entry) ? 'some' : strongest(effects);
    const shared = { entry, action, effect, absent: own.length === 0, isDefault };
    if (effect === 'none') {
      const disagreement = judge.disagreement(action, own);
      return [{ ...shared, overruled: [], ...(disagreement && { disagreement }) }];
    }
    const overruled = [...new Set(calls.map(({ name }) => name))].flatMap((name) => {
      if (own.some((each, at) => each.name === name && effects[at] !== 'none')) return [];
      // Behind socketcall and ipc, the compilation warns of what is laxer; the rest is a cure.
      const about = own.filter((each) => each.name === name && each.by === undefined);
      const disagreement = judge.disagreement(action, about);
      return disagreement === undefined ? [] : [{ name, disagreement }];
    });
    return [{ ...shared, overruled }];
  });
}

function strongest(effects: readonly EntryEffect['effect'][]): EntryEffect['effect'] {
  if (effects.includes('some')) return 'some';
  return effects.includes('unknown') ? 'unknown' : 'none';
}

/** In how many entries each name is. */
function countNames(entries: readonly EffectiveEntry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { calls } of entries)
    for (const name of new Set(calls.map((call) => call.name))) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function isEqualWithout({ reference }: Lowered, entry: SyscallEntry): boolean {
  const syscalls = reference.seccomp.syscalls.filter((each) => each !== entry);
  const without = { ...reference, seccomp: { ...reference.seccomp, syscalls } };
  return compare(reference, without).verdict === 'holds';
}

/** Decides what entries do on one number; its work over all numbers is bounded. */
class Judge {
  readonly #usual: number;
  readonly #effort = new Effort(MOST_STEPS);
  #tests = MOST_TESTS;
  readonly #known = new Map<Place, Answers>();

  constructor(usual: number) {
    this.#usual = usual;
  }

  effect(entry: SyscallEntry, place: Place): EntryEffect['effect'] {
    if (place.stubbed) return 'none';
    const first = place.rules.find(({ conditions }) => conditions.length === 0);
    if (first !== undefined && first.entry !== entry) return 'none';
    return this.#within(() => {
      const own = place.rules.filter((rule) => rule.entry === entry);
      const now = this.#answers(place);
      const without = this.#without(entry, place);
      for (const { conditions } of own)
        for (const args of samples(conditions)) {
          this.#tests -= place.rules.length;
          if (answerTo(now, args) !== answerTo(without, args)) return 'some';
        }
      if (this.#tests < 0) return 'unknown';
      const space = new ArgumentSpace(this.#effort);
      return space.diagram(now) === space.diagram(without) ? 'none' : 'some';
    });
  }

  /** A call about which an entry speaks and that gets another answer. */
  disagreement(action: number, statements: readonly Statement[]): Disagreement | undefined {
    for (const { place, alternatives } of statements) {
      if (place.stubbed) continue;
      const { abi, nr } = place;
      const now = this.#answers(place);
      const found = (args: readonly bigint[]) => ({
        data: { arch: abi.auditArch, nr, ip: 0n, args },
        answer: answerTo(now, args),
      });
      for (const args of alternatives.flatMap(samples)) {
        this.#tests -= place.rules.length;
        if (alternatives.some((each) => allHold(each, args)) && answerTo(now, args) !== action)
          return found(args);
      }
      const args = this.#within(() => {
        const space = new ArgumentSpace(this.#effort);
        const { bdd } = space;
        const about = alternatives.reduce((node, each) => bdd.or(node, space.all(each)), 0);
        return space.example(
          bdd.and(
            about,
            space.where(now, (answer) => answer !== action),
          ),
        );
      });
      if (args !== 'unknown' && args !== undefined) return found(args);
    }
    return undefined;
  }

  #answers(place: Place): Answers {
    const known = this.#known.get(place) ?? answersOf(place.rules, this.#usual);
    this.#known.set(place, known);
    return known;
  }

  #without(entry: SyscallEntry, place: Place): Decision {
    const others = place.rules.filter((rule) => rule.entry !== entry);
    if (others.length === 0) return { rules: [], otherwise: place.unnamed };
    // The order of what is left can only change between values of one action.
    const { rules } = this.#answers(place);
    const kinds = new Set(others.map(({ action }) => action & SECCOMP_RET_ACTION_FULL));
    if (rules.length === 0 || kinds.size < new Set(others.map(({ action }) => action)).size)
      return answersOf(others, this.#usual);
    const left = rules.filter((rule) => rule.entry !== entry);
    return { rules: left, otherwise: this.#usual };
  }

  #within<T>(search: () => T): T | 'unknown' {
    if (this.#tests < 0) return 'unknown';
    try {
      return search();
    } catch (error) {
      if (error instanceof Undecided) return 'unknown';
      throw error;
    }
  }
}

export type Answers = Omit<Decision, 'rules'> & { rules: Rule[] };

/** What rules on one number mean together. docs/semantics.md section 7. */
export function answersOf(rules: readonly Rule[], otherwise: number): Answers {
  const always = rules.find(({ conditions }) => conditions.length === 0);
  if (always !== undefined) return { rules: [], otherwise: always.action };
  return { rules: inOrderOfDecision(rules), otherwise };
}

export function answerTo({ rules, otherwise }: Decision, args: readonly bigint[]): number {
  return rules.find(({ conditions }) => allHold(conditions, args))?.action ?? otherwise;
}

function allHold(conditions: readonly Condition[], args: readonly bigint[]): boolean {
  return conditions.every((condition) => holds(condition, args[condition.arg]!));
}

/**
 * Arguments for which all conditions hold, with the other arguments small and large; none if there
 * are none.
 */
export function samples(conditions: readonly Condition[]): bigint[][] {
  const values = conditions.map((condition) => commonValue(condition, condition));
  if (values.includes(undefined)) return [];
  return [0n, 0xffff_ffff_ffff_ffffn].map((other) => {
    const args = [other, other, other, other, other, other];
    conditions.forEach(({ arg }, index) => (args[arg] = values[index]!));
    return args;
  });
}
