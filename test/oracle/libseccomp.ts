/**
 * libseccomp as a second opinion: gives it a profile the way crun does and returns the program it
 * makes.
 *
 * It compiles some argument rules wrongly and can loop for ever (docs/semantics.md section 14), so
 * it runs under a time limit and its answer counts only where `unsoundness` has nothing to say.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Condition } from './conditions.ts';
import type { RawProgram } from './bpf.ts';
import { readProgram } from './bpf.ts';
import type { Oracle } from './compare.ts';
import { ABIS, ACTIONS, abiOf, isKnownName, tableOf } from './facts.ts';
import type { Abi } from './facts.ts';
import { namedNumbers } from './naive.ts';
import type { Evaluator, Rule } from './naive.ts';
import type { OciArg, OciEntry, OciProfile } from './oci.ts';

export interface Libseccomp {
  /** `2.6.1` */
  version: string;
  /** Whether it knows the architecture at all. */
  supports(abi: Abi): boolean;
  /** Whether it means the same call by a number as our tables do. */
  agreesOn(abi: Abi, nr: number): boolean;
  /** Names that are another number to it than to our tables, or that only one side knows. */
  disputed(abi: Abi): ReadonlySet<string>;
  compile(profile: OciProfile, native: string, optimize?: 1 | 2): Answer;
}

export type Answer = { program: RawProgram } | { refused: string } | { timedOut: true };

const SECONDS = 10;

/**
 * Builds the helper program, or says why it cannot be built. `newest` may be the installed one,
 * loudly.
 */
export function openLibseccomp(which: 'newest' | 'system'): Oracle<Libseccomp> {
  const script = fileURLToPath(new URL('build.sh', import.meta.url));
  const built = spawnSync(script, [which], { encoding: 'utf8', timeout: 300_000 });
  if (built.stderr !== '') console.warn(built.stderr.trimEnd());
  if (built.status !== 0) return { missing: built.stderr.trim() || `${script} failed` };
  const program = join(built.stdout.trim(), 'libseccomp');
  const version = execFileSync(program, ['version'], { encoding: 'utf8' }).trim();
  const calls = knownCalls(program);
  return {
    version,
    supports: (abi) => calls.has(abi.oci),
    agreesOn: (abi, nr) => calls.get(abi.oci)?.get(nr) === tableOf(abi.table).names.get(nr),
    disputed: (abi) => disputedNames(calls.get(abi.oci) ?? new Map(), tableOf(abi.table).names),
    compile: (profile, native, optimize = 1) => ask(program, profile, native, optimize),
  };
}

function disputedNames(theirs: ReadonlyMap<number, string>, ours: ReadonlyMap<number, string>): Set<string> {
  const disputed = new Set<string>();
  for (const nr of new Set([...theirs.keys(), ...ours.keys()])) {
    const names = [theirs.get(nr), ours.get(nr)];
    if (names[0] === names[1]) continue;
    for (const name of names) if (name !== undefined) disputed.add(name);
  }
  return disputed;
}

function ask(program: string, profile: OciProfile, native: string, optimize: 1 | 2): Answer {
  const input = `${rulesText(profile, native, optimize).join('\n')}\n`;
  const run = spawnSync(program, ['filter'], { input, timeout: SECONDS * 1000, maxBuffer: 1 << 24 });
  if (run.signal !== null) return { timedOut: true };
  if (run.status === 3) return { refused: run.stderr.toString().trim() };
  if (run.status !== 0) throw new Error(`libseccomp: ${run.stderr.toString()}`);
  const big = abiOf(native)?.big ?? false;
  const raw = readProgram(run.stdout, big);
  if (big) mendReturns(raw, valuesOf(profile));
  return { program: raw };
}

/** Names of all numbers that libseccomp knows, by ABI. */
function knownCalls(program: string): Map<string, Map<number, string>> {
  const questions = ABIS.flatMap((abi) => {
    const numbers = new Set(tableOf(abi.table).names.keys());
    const base = Math.min(...numbers);
    for (let i = 0; i <= 600; i++) numbers.add(base + i);
    return [...numbers].map((nr) => `${abi.scmp} ${nr}`);
  });
  const answers = execFileSync(program, ['numbers'], { input: questions.join('\n'), encoding: 'utf8' });
  const calls = new Map<string, Map<number, string>>();
  for (const line of answers.trim().split('\n')) {
    const [arch = '', number = '', name = ''] = line.split('\t');
    const oci = arch.toUpperCase();
    if (!calls.has(oci)) calls.set(oci, new Map());
    calls.get(oci)?.set(Number(number), name);
  }
  return calls;
}

/** The profile in the line protocol of libseccomp.c: what crun would ask for, in its order. */
function rulesText(profile: OciProfile, native: string, optimize: 1 | 2): string[] {
  const standard = returnValue(profile.defaultAction ?? '', profile.defaultErrnoRet);
  const lines = [`default ${standard.toString(16)}`];
  for (const name of [native, ...(profile.architectures ?? [])])
    lines.push(`arch ${abiOf(name)?.scmp ?? name}`);
  lines.push(`optimize ${optimize}`);
  for (const entry of profile.syscalls ?? []) {
    const action = returnValue(entry.action, entry.errnoRet);
    if (action === standard) continue;
    for (const name of entry.names ?? [])
      for (const args of separateRules(entry))
        lines.push(`rule ${action.toString(16)} ${name} ${args.length}${args.map(comparison).join('')}`);
  }
  return [...lines, 'end'];
}

function comparison(arg: OciArg): string {
  return ` ${arg.index} ${arg.op.replace('SCMP_CMP_', '')} ${arg.value} ${arg.valueTwo ?? 0n}`;
}

function separateRules(entry: OciEntry): OciArg[][] {
  const args = (entry.args ?? []).slice(0, 6);
  const indexes = args.map((arg) => arg.index);
  return indexes.some((index, i) => indexes.indexOf(index) !== i) ? args.map((arg) => [arg]) : [args];
}

function returnValue(name: string, errnoRet: bigint | undefined): number {
  const value = ACTIONS.find(([n]) => n === name)?.[1];
  if (value === undefined) throw new Error(`no action ${name}`);
  return /ERRNO|TRACE/.test(name) ? value + Number((errnoRet ?? 1n) & 0xffffn) : value;
}

function valuesOf(profile: OciProfile): Set<number> {
  const values = (profile.syscalls ?? []).map((entry) => returnValue(entry.action, entry.errnoRet));
  return new Set([0, returnValue(profile.defaultAction ?? '', profile.defaultErrnoRet), ...values]);
}

const swap = (x: number) => new DataView(new Uint32Array([x]).buffer).getUint32(0);

/**
 * Section 14.5: in a big-endian program made on a little-endian machine, returns that were copied
 * because of distance have their value byte-swapped. A value that no rule asks for, whose swap is
 * asked for, is one.
 */
function mendReturns(program: RawProgram, values: ReadonlySet<number>): void {
  for (let pc = 0; pc < program.length; pc++) {
    const value = program.k[pc]!;
    if (program.code[pc] === 0x06 && !values.has(value) && values.has(swap(value)))
      program.k[pc] = swap(value);
  }
}

/**
 * Why the library's answer for a profile proves nothing; undefined where it is known to be right.
 * The first is its own rule, the others are its defects, held to the shapes that random profiles
 * have shown to be safe.
 */
export function unsoundness(
  profile: OciProfile,
  meaning: Evaluator,
  library: Pick<Libseccomp, 'agreesOn'>,
  optimize: 1 | 2,
): string | undefined {
  if (meaning.overlaps().length > 0) return 'rules of different actions overlap';
  const entries = profile.syscalls ?? [];
  for (const abi of meaning.abis) {
    if (optimize === 1 && losesNumber(abi, entries, meaning, library))
      return `${abi.oci}: nr may not be loaded`;
    for (const nr of namedNumbers(abi, entries)) {
      const rules = meaning.rules(abi, nr);
      if (rules.length <= 1 || rules.some((rule) => rule.conditions.length === 0)) continue;
      if (!isPlain(rules)) return `${abi.oci} ${nr}: conditions it is known to mix up`;
    }
  }
  return undefined;
}

/**
 * Equality under one mask for each argument; or one condition a rule, its constants within the low
 * word.
 */
function isPlain(rules: readonly Rule[]): boolean {
  const conditions = rules.flatMap((rule) => rule.conditions);
  const masks = new Set(conditions.map((c) => `${c.index} ${c.mask}`));
  const equality = conditions.every((c) => c.op === 'SCMP_CMP_EQ' || c.op === 'SCMP_CMP_MASKED_EQ');
  if (equality && masks.size === new Set(conditions.map((c) => c.index)).size) return true;
  return rules.every((rule) => rule.conditions.length === 1) && conditions.every(isSmall);
}

function isSmall(c: Condition): boolean {
  const constants = c.op === 'SCMP_CMP_MASKED_EQ' ? c.mask | c.value : c.value;
  return constants < 1n << 32n;
}

/**
 * A name without a number of its own on an ABI, where no real call is free of conditions (section
 * 14.1): in the linear form such a name can come first and take the load of nr with it.
 */
function losesNumber(
  abi: Abi,
  entries: readonly OciEntry[],
  meaning: Evaluator,
  library: Pick<Libseccomp, 'agreesOn'>,
): boolean {
  if (abi.oci === 'X86_64' && !meaning.abis.some((a) => a.oci === 'X32')) return false;
  const live = liveEntries(entries, meaning);
  if (!namesAbsentCall(abi, live)) return false;
  const real = [...namedNumbers(abi, live)].filter((nr) => library.agreesOn(abi, nr));
  return !real.some((nr) => meaning.rules(abi, nr).some((rule) => rule.conditions.length === 0));
}

function liveEntries(entries: readonly OciEntry[], meaning: Evaluator): OciEntry[] {
  return entries.filter((entry) => returnValue(entry.action, entry.errnoRet) !== meaning.defaultAction);
}

/**
 * Whether a known name has no number of its own on an ABI; libseccomp then keeps rules for a
 * made-up one.
 */
function namesAbsentCall(abi: Abi, entries: readonly OciEntry[]): boolean {
  const names = entries.flatMap((entry) => entry.names ?? []);
  return names.some((name) => isKnownName(name) && !tableOf(abi.table).numbers.has(name));
}

/**
 * Whether libseccomp may refuse a sound profile: it compares rules also for calls that an ABI does
 * not have.
 */
export function mayRefuse(profile: OciProfile, meaning: Evaluator): boolean {
  const live = liveEntries(profile.syscalls ?? [], meaning);
  return meaning.abis.some((abi) => namesAbsentCall(abi, live));
}
