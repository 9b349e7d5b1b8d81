/**
 * The slow and obvious reading of a profile: for each call walk all entries, by docs/semantics.md.
 *
 * Nothing is merged or ordered cleverly, and nothing comes from src/. It judges what the compiler
 * emits, so it answers every question twice as slowly as needed rather than once too cleverly. What
 * depends on the profile only is remembered.
 */
import { asksNothing, condition, holds, identity, witness } from './conditions.ts';
import type { Condition } from './conditions.ts';
import { ACTIONS, KILL_THREAD, abiOf, isKnownName, rank, subcall, tableOf } from './facts.ts';
import type { Abi } from './facts.ts';
import type { OciArg, OciEntry, OciProfile } from './oci.ts';

export interface NaiveOptions {
  /** The native architecture, an OCI name with or without prefix. */
  native: string;
  semantics?: 'crun' | 'runc';
  /**
   * Of runc, such as `1.3` or `1.1.15`; without one, runc 1.1.5's stub and whatever some release
   * takes.
   */
  release?: string;
  /** runc's ENOSYS stub; as `semantics` says when absent. */
  enosysStub?: boolean;
  /**
   * Release after which unnamed calls get ENOSYS, and when each call came: undefined for "always
   * there".
   */
  enosysAfter?: { release: Release; since: (table: string, name: string) => Release | undefined };
  overlap?: 'warn' | 'error';
  failUnknown?: boolean;
}

export interface Release {
  major: number;
  minor: number;
}

/** Two rules of different actions that one call satisfies. */
export interface Overlap {
  abi: Abi;
  nr: number;
  args: bigint[];
  actions: [number, number];
}

/**
 * The meaning of a profile: refused, no filter at all (runc's reading of an empty one), or an
 * evaluator.
 */
export type Evaluation =
  | { refused: string }
  | { absent: true }
  | {
      /** The ABIs of the filter, native first. */
      abis: readonly Abi[];
      defaultAction: number;
      /** The rules for a number of one ABI, in profile order. */
      rules(abi: Abi, nr: number): Rule[];
      overlaps(): Overlap[];
      /** Return value for seccomp_data.arch, nr and args. */
      evaluate(arch: number, nr: number, args: readonly bigint[]): number;
    };

export interface Rule {
  action: number;
  /** Position of the entry in `syscalls`. */
  entry: number;
  conditions: Condition[];
}

export type Evaluator = Extract<Evaluation, { abis: readonly Abi[] }>;

class Refused extends Error {}

function refuse(reason: string): never {
  throw new Refused(reason);
}

export function evaluateProfile(profile: OciProfile, options: NaiveOptions): Evaluation {
  try {
    return understand(profile, options);
  } catch (error) {
    if (error instanceof Refused) return { refused: error.message };
    throw error;
  }
}

const X32_BIT = 0x40000000;
const SKIPPED = 0xffffffff;

function understand(profile: OciProfile, options: NaiveOptions): Evaluation {
  const runc = options.semantics === 'runc';
  const entries = profile.syscalls ?? [];
  if (profile.defaultAction === undefined) {
    if (runc && entries.length === 0) return { absent: true };
    refuse('no defaultAction');
  }
  const abis = abisOf(profile, options.native, runc);
  const { release } = options;
  // The first release that has something, compared as people write releases.
  const has = (first: string) =>
    release === undefined ? undefined : release.localeCompare(first, 'en', { numeric: true }) >= 0;
  if (runc)
    for (const [name, first] of [
      ['RISCV64', '1.1.8'],
      ['LOONGARCH64', '1.1.15'],
    ] as const)
      // prettier-ignore
      if (profile.architectures?.includes(`SCMP_ARCH_${name}`) && has(first) === false)
        refuse(`runc ${release} has no ${name}`);
  const defaultAction = actionOf(profile.defaultAction, profile.defaultErrnoRet, runc);
  if (profile.defaultAction === 'SCMP_ACT_NOTIFY') refuse('NOTIFY as default action');
  for (const entry of entries) checkEntry(entry, runc, options.failUnknown ?? false);
  if (runc && !profile.listenerPath && entries.some(({ action }) => action === 'SCMP_ACT_NOTIFY'))
    refuse('NOTIFY without a listener');
  if (profile.flags?.some((flag) => /NEW_LISTENER|TSYNC_ESRCH/.test(flag)))
    refuse('a flag that no runtime takes');
  const flags = profile.flags ?? [];
  if (runc && flags.length > 0 && has('1.2') === false) refuse(`runc ${release} has no flags`);
  if (runc && flags.some((flag) => flag.endsWith('WAIT_KILLABLE_RECV')) && has('1.5') === false)
    refuse(`runc ${release} has no WAIT_KILLABLE_RECV`);

  const known = new Map(abis.map((abi) => [abi, new Map<number, Rule[]>()]));
  const rules = (abi: Abi, nr: number) => {
    const ofAbi = known.get(abi)!;
    const found = ofAbi.get(nr) ?? rulesFor(entries, defaultAction, runc, abi, nr);
    ofAbi.set(nr, found);
    return found;
  };
  const overlaps = () => findOverlaps(abis, entries, rules);
  refuseIdentical(abis, entries, rules);
  if (options.overlap === 'error' && overlaps().length > 0) refuse('rules of different actions overlap');

  const quiet = [0x7fff0000, 0x7ffc0000].includes(defaultAction) || rank(defaultAction) === rank(0x7ff00000);
  const stub = !quiet && (options.enosysStub ?? runc) && !(runc && profile.defaultErrnoRet === 327718n);
  const after = options.enosysAfter;
  if (quiet && after !== undefined) refuse('ENOSYS for new calls beside a default that lets calls through');

  // runc goes through the list; what is in the filter only because it is native has a stub from
  // 1.1.15 on.
  const hasStub = (abi: Abi) =>
    !runc ||
    (abi === abis[0] && has('1.1.15') === true) ||
    (profile.architectures ?? []).includes(`SCMP_ARCH_${abi.oci}`);
  const lastNamed = new Map(abis.map((abi) => [abi, lastNumberNamed(abi, entries)]));
  const sharing = new Map(
    abis.map(({ audit }) => {
      const here = abis.filter((a) => a.audit === audit);
      return [
        audit,
        { here, x32: here.find((a) => a.oci === 'X32'), plain: here.find((a) => a.oci !== 'X32') },
      ];
    }),
  );
  function evaluate(arch: number, nr: number, args: readonly bigint[]): number {
    const found = sharing.get(arch);
    if (found === undefined) return KILL_THREAD;
    const { here, x32, plain } = found;
    const shared = arch === 0xc000003e;
    // Which of the ABIs that share x86_64's audit value a number belongs to is told by bit 30
    // alone.
    const abi = shared && (nr & X32_BIT) !== 0 ? x32 : plain;
    if (stub && abi !== undefined && hasStub(abi) && isBeyond(lastNamed.get(abi)!, abi, nr))
      return 0x00050000 | abi.enosys;
    if (shared && x32 === undefined && nr >= X32_BIT && nr !== SKIPPED) return KILL_THREAD;
    if (shared && plain === undefined && nr < X32_BIT) return KILL_THREAD;

    const applying = here.flatMap((a) => rules(a, nr));
    // A number of 0x80000000 and more is x32's where x86_64 is not in the filter.
    const owner = abi ?? (plain === undefined ? x32 : undefined);
    const newer = after !== undefined && owner !== undefined && isNewer(owner, entries, nr, after);
    return decide(applying, args, newer ? 0x00050000 | owner.enosys : defaultAction);
  }
  return { abis, defaultAction, rules, overlaps, evaluate };
}

/**
 * Section 7: the first rule without conditions; else of those that match the one that 7.4 names;
 * else the default.
 */
function decide(rules: readonly Rule[], args: readonly bigint[], otherwise: number): number {
  const unconditional = rules.find((rule) => rule.conditions.length === 0);
  if (unconditional !== undefined) return unconditional.action;
  const matching = rules.filter((rule) => rule.conditions.every((c) => holds(c, args)));
  if (matching.length === 0) return otherwise;
  const strictest = Math.min(...matching.map((rule) => rank(rule.action)));
  const ofKind = (rule: Rule) => rank(rule.action) === strictest;
  // Where the rules on one argument begin depends on all of them, not on those that match.
  const begins = (rule: Rule) =>
    bounds(rule) === undefined
      ? rules.indexOf(rule)
      : rules.findIndex((other) => ofKind(other) && bounds(other)?.index === bounds(rule)?.index);
  let winner: Rule | undefined;
  for (const rule of matching.filter(ofKind)) {
    if (winner === undefined || begins(rule) < begins(winner)) winner = rule;
    else if (begins(rule) === begins(winner) && isNarrower(bounds(rule), bounds(winner))) winner = rule;
  }
  return winner!.action;
}

/** The condition of a rule that has no other, if 7.4 orders it. */
function bounds({ conditions }: Rule): Condition | undefined {
  const [c] = conditions;
  return conditions.length === 1 && /_(EQ|L[TE]|G[TE])$/.test(c!.op.replace('MASKED_EQ', '')) ? c : undefined;
}

/** EQ before LT and LE before GT and GE; the smaller upper bound, the larger lower bound. */
function isNarrower(a: Condition | undefined, b: Condition | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const side = (c: Condition) => ['E', 'L', 'G'].indexOf(c.op.slice('SCMP_CMP_'.length)[0]!);
  if (side(a) !== side(b)) return side(a) < side(b);
  return side(a) === 1 ? a.value < b.value : side(a) === 2 && a.value > b.value;
}

/** Sections 5 and 6: what the entries say of one number of one ABI. */
function rulesFor(
  entries: readonly OciEntry[],
  defaultAction: number,
  runc: boolean,
  abi: Abi,
  nr: number,
): Rule[] {
  const rules: Rule[] = [];
  entries.forEach((entry, position) => {
    for (const name of entry.names ?? []) {
      const direct = tableOf(abi.table).numbers.get(name) === nr;
      const sub = subcall(abi, name);
      if (!direct && sub?.nr !== nr) continue;
      const action = actionOf(entry.action, entry.errnoRet, runc);
      if (action === defaultAction) continue;
      for (const args of alternatives(entry, runc)) {
        const add = (list: OciArg[]) => {
          const conditions = list.map((arg) => condition(arg, abi.bits)).filter((c) => !asksNothing(c));
          rules.push({ action, entry: position, conditions });
        };
        if (direct) add(args);
        if (sub?.nr === nr) {
          const call: OciArg = { index: 0n, op: 'SCMP_CMP_EQ', value: sub.call };
          add([call, ...args.filter((arg) => arg.index !== 0n)]);
        }
      }
    }
  });
  return rules;
}

/**
 * One list of conditions that must all hold; or, when an index repeats, one list for each
 * condition.
 */
function alternatives(entry: OciEntry, runc: boolean): OciArg[][] {
  const all = entry.args ?? [];
  const seen = runc ? all : all.slice(0, 6);
  const repeats = new Set(seen.map((arg) => arg.index)).size < seen.length;
  return repeats ? seen.map((arg) => [arg]) : [seen];
}

/** What runc does not know by any name; the others it knows by the exact constant. */
const NOT_IN_RUNC = /^(PARISC|PARISC64|M68K|SH|SHEB)$/;

function abisOf(profile: OciProfile, native: string, runc: boolean): Abi[] {
  for (const name of runc ? (profile.architectures ?? []) : [])
    if (NOT_IN_RUNC.test(name.slice(10)) || `SCMP_ARCH_${abiOf(name)?.oci}` !== name)
      refuse(`runc has no ${name}`);
  const abis: Abi[] = [];
  for (const name of [native, ...(profile.architectures ?? [])]) {
    const abi = abiOf(name) ?? refuse(`no architecture ${name}`);
    if (name !== native && name.replace(/^SCMP_ARCH_/, '').toUpperCase() !== abi.oci)
      refuse(`nobody reads ${name}`);
    if (!abis.includes(abi)) abis.push(abi);
  }
  if (abis.some((a) => a.big !== abis[0]?.big)) refuse('architectures of both byte orders');
  return abis;
}

/** Section 4: the return value of an action and its errno. */
function actionOf(name: string, errnoRet: bigint | undefined, runc: boolean): number {
  const value = ACTIONS.find(([n]) => n === name)?.[1] ?? refuse(`no action ${name}`);
  if (errnoRet !== undefined && (errnoRet < 0n || errnoRet > 0xffffffffn)) refuse('errno is not a uint32');
  if (name !== 'SCMP_ACT_ERRNO' && name !== 'SCMP_ACT_TRACE') {
    if (errnoRet !== undefined && !runc) refuse(`${name} takes no errno`);
    return value;
  }
  const data = Number((errnoRet ?? 1n) & 0xffffn);
  if (name === 'SCMP_ACT_ERRNO' && data >= 4095) refuse('ERRNO of 4095 or more');
  return value + data;
}

const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((op) => `SCMP_CMP_${op}`);

function checkEntry(entry: OciEntry, runc: boolean, failUnknown: boolean): void {
  actionOf(entry.action, entry.errnoRet, runc);
  if (entry.names === undefined && !runc) refuse('no names');
  for (const name of entry.names ?? []) {
    if (name === '') refuse('empty name');
    if (failUnknown && !isKnownName(name)) refuse(`unknown name ${name}`);
    if (name === 'write' && entry.action === 'SCMP_ACT_NOTIFY') refuse('NOTIFY for write');
  }
  for (const arg of entry.args ?? []) {
    if (arg.index < 0n || arg.index > 5n) refuse(`argument index ${arg.index}`);
    if (!OPERATORS.includes(arg.op)) refuse(`operator ${arg.op}`);
    for (const word of [arg.value, arg.valueTwo ?? 0n])
      if (word < 0n || word >= 1n << 64n) refuse(`${word} is no unsigned 64-bit value`);
  }
}

/** Every number of an ABI that some entry names, the multiplexed ones included. */
export function namedNumbers(abi: Abi, entries: readonly OciEntry[]): Set<number> {
  const numbers = new Set<number>();
  for (const name of entries.flatMap((entry) => entry.names ?? [])) {
    const direct = tableOf(abi.table).numbers.get(name);
    const through = subcall(abi, name)?.nr;
    if (direct !== undefined) numbers.add(direct);
    if (through !== undefined) numbers.add(through);
  }
  return numbers;
}

type RulesOf = (abi: Abi, nr: number) => Rule[];

/**
 * Section 7.5: the same conditions twice, with two actions, where no rule without conditions
 * decides.
 */
function refuseIdentical(abis: readonly Abi[], entries: readonly OciEntry[], rules: RulesOf): void {
  for (const abi of abis) {
    for (const nr of namedNumbers(abi, entries)) {
      const found = rules(abi, nr);
      if (found.some((rule) => rule.conditions.length === 0)) continue;
      const actions = new Map<string, number>();
      for (const rule of found) {
        const key = identity(rule.conditions);
        if ((actions.get(key) ?? rule.action) !== rule.action)
          refuse(`${abi.oci} ${nr}: identical conditions, different actions`);
        actions.set(key, rule.action);
      }
    }
  }
}

function findOverlaps(abis: readonly Abi[], entries: readonly OciEntry[], rules: RulesOf): Overlap[] {
  const overlaps: Overlap[] = [];
  for (const abi of abis) {
    for (const nr of namedNumbers(abi, entries)) {
      const found = rules(abi, nr);
      if (found.some((rule) => rule.conditions.length === 0)) continue;
      found.forEach((a, i) => {
        for (const b of found.slice(i + 1)) {
          if (a.action === b.action) continue;
          const args = witness(a.conditions, b.conditions);
          if (args) overlaps.push({ abi, nr, args, actions: [a.action, b.action] });
        }
      });
    }
  }
  return overlaps;
}

/** Section 9: the largest number that any entry names on this ABI. */
function lastNumberNamed(abi: Abi, entries: readonly OciEntry[]): number {
  let last = 0;
  for (const name of entries.flatMap((entry) => entry.names ?? []))
    if (subcall(abi, name) === undefined) last = Math.max(last, tableOf(abi.table).numbers.get(name) ?? 0);
  return last;
}

/** Above that number; 0 too on s390. */
function isBeyond(last: number, abi: Abi, nr: number): boolean {
  return last > 0 && (nr > last || (nr === 0 && abi.table.startsWith('s390')));
}

/** `--enosys-after`: not named, and newer than the release or behind the last ordinary call. */
function isNewer(
  abi: Abi,
  entries: readonly OciEntry[],
  nr: number,
  { release, since }: NonNullable<NaiveOptions['enosysAfter']>,
): boolean {
  const { names } = tableOf(abi.table);
  const name = names.get(nr);
  if (name === undefined) return nr > lastOrdinary(abi);
  if (entries.some((entry) => entry.names?.includes(name))) return false;
  const came = since(abi.table, name);
  return came !== undefined && (came.major - release.major || came.minor - release.minor) > 0;
}

/** The last call before those that stand apart: ARM's private ones, x32's own from 512 on. */
function lastOrdinary(abi: Abi): number {
  let last = lastOrdinaryOf.get(abi);
  if (last === undefined) {
    const apart = abi.oci === 'X32' ? X32_BIT + 512 : 0xf0000;
    last = Math.max(...[...tableOf(abi.table).names.keys()].filter((nr) => nr < apart));
    lastOrdinaryOf.set(abi, last);
  }
  return last;
}

const lastOrdinaryOf = new Map<Abi, number>();
