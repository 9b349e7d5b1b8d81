import type { Arch, ArchName } from './arch.ts';
import { checkProgram, convertedLength } from './bpf/check.ts';
import { encode, MAX_INSTRUCTIONS } from './bpf/instruction.ts';
import type { Endian, SockFilter } from './bpf/instruction.ts';
import { generateProgram, TooManyRules } from './codegen/generate.ts';
import type { Optimize } from './codegen/weights.ts';
import { collector, diagnostic, fail, SeccompcError } from './errors.ts';
import type { Diagnostic } from './errors.ts';
import { filterArches } from './policy/architectures.ts';
import { callOf, largestCall } from './policy/largest.ts';
import { asksForNoFilter, lowerPolicy } from './policy/lower.ts';
import type { Policy } from './policy/types.ts';
import { resolveProfile } from './profile/docker.ts';
import { parseProfile } from './profile/read.ts';
import type { FlagName, Profile, Seccomp } from './profile/types.ts';
import { describeAnswer, describeCall } from './prove/describe.ts';
import { prove } from './prove/prove.ts';
import type { Witness } from './prove/prove.ts';
import type { Reference } from './prove/reference.ts';
import { loadTables } from './syscalls/load.ts';
import type { SyscallTables } from './syscalls/tables.ts';
import type { Target } from './target.ts';

export interface CompileOptions {
  target: Target;
  /** What the program is made fast for; `attach` unless said. */
  optimize?: Optimize;
  /** Whether to prove the program against the profile: wherever the proof ends in time (`auto`), never, or else refuse. */
  prove?: 'auto' | 'never' | 'require';
  /** Name of the input in diagnostics. */
  file?: string;
}

/** A compiled profile: the program, and what a runtime must know beside it. */
export interface Filter {
  instructions: SockFilter[];
  /** The raw program: 8 bytes an instruction, in the target's byte order. */
  bytes: Uint8Array;
  /** Instructions after the kernel's conversion to eBPF. */
  convertedLength: number;
  endian: Endian;
  /** Architectures in the filter, native first. */
  arches: ArchName[];
  /** False when the input asks for no filter at all; the program is then empty. */
  confined: boolean;
  /** Filter flags of the profile; undefined when it has no such member (runtimes then take SPEC_ALLOW). */
  flags: FlagName[] | undefined;
  listenerPath?: string;
  target: Target;
  /** Whether the program was proved to answer every possible call as the profile does. */
  proved: boolean;
  /** Warnings and notes in file order, with their place in it. */
  diagnostics: Diagnostic[];
}

/** A profile without faults: what it asks of a program, or (`confined` false) that it asks for none. */
export type Meaning = { file: string; diagnostics: Diagnostic[] } & (
  | { confined: true; arches: Arch[]; policy: Policy; reference: Reference }
  | { confined: false; seccomp: Seccomp | null }
);

/**
 * From the text of a profile to a filter: every stage in order. All faults of all stages are reported together.
 *
 * @throws SeccompcError when the profile is not acceptable; nothing is ever compiled in part.
 */
export async function compile(
  input: Profile | string | Uint8Array,
  options: CompileOptions,
): Promise<Filter> {
  return compileMeaning(await readMeaning(input, options), options);
}

/**
 * The stages from the policy on.
 *
 * @throws SeccompcError when there is no such program, or no proof of it although one is required
 */
export async function compileMeaning(
  meaning: Meaning,
  { target, optimize = 'attach', prove: proof = 'auto' }: CompileOptions,
): Promise<Filter> {
  const { file, diagnostics } = meaning;
  if (!meaning.confined) return unconfined(meaning.seccomp, target, diagnostics);

  const { policy, reference } = meaning;
  const report = (d: Diagnostic) => void diagnostics.push({ ...d, file });
  const instructions = programOf(policy, optimize, reference, report);
  refuseErrors(diagnostics);
  const proved = proof !== 'never' && (await provedEqual(instructions, reference, proof, report));
  refuseErrors(diagnostics);
  return filterWith(meaning, target, { instructions, proved });
}

/** The program of a policy; empty after a reported error. */
function programOf(
  policy: Policy,
  optimize: Optimize,
  { tables }: Reference,
  report: (d: Diagnostic) => void,
): SockFilter[] {
  try {
    const program = generateProgram(policy, optimize, tables);
    checkProgram(program)
      .map((d) => withLargest(d, policy, tables))
      .forEach(report);
    return program;
  } catch (error) {
    if (!(error instanceof TooManyRules)) throw error;
    const call = callOf(error.decision, policy, tables)!;
    report(diagnostic('TOO_MANY_RULES', { ...call, limit: MAX_INSTRUCTIONS }));
    return [];
  }
}

/** Says of a program that is too long which call takes the room. */
function withLargest(d: Diagnostic, policy: Policy, tables: SyscallTables): Diagnostic {
  const largest = d.code === 'FILTER_TOO_LONG' ? largestCall(policy, tables) : undefined;
  if (largest === undefined) return d;
  const { name, arch, rules } = largest;
  return {
    ...d,
    hint: `${name} has ${rules} rules with conditions on ${arch}, more than any other call; ${d.hint}`,
  };
}

/** The filter of a profile whose program is there already. */
export function filterWith(
  { arches, policy, reference, diagnostics }: Meaning & { confined: true },
  target: Target,
  { instructions, proved }: Pick<Filter, 'instructions' | 'proved'>,
): Filter {
  return {
    instructions,
    bytes: encode(instructions, policy.endian),
    convertedLength: convertedLength(instructions),
    endian: policy.endian,
    arches: arches.map((arch) => arch.name),
    confined: true,
    ...besideTheProgram(reference.seccomp),
    target,
    proved,
    diagnostics: inFileOrder(diagnostics),
  };
}

/** Whether a program, whoever made it, is proved to answer every possible call as the profile says. */
export function isProved(instructions: readonly SockFilter[], reference: Reference): boolean {
  return prove(instructions, reference).verdict === 'equal';
}

/**
 * The stages up to the policy, in which a profile can turn out to be unacceptable.
 *
 * @throws SeccompcError with all faults of all these stages
 */
export async function readMeaning(
  input: Profile | string | Uint8Array,
  { target, file = '-' }: Pick<CompileOptions, 'target' | 'file'>,
): Promise<Meaning> {
  const { profile, diagnostics } = readInput(input, file);
  if (profile === undefined) throw new SeccompcError(inFileOrder(diagnostics));
  const collect = collector(diagnostics);
  const report = (d: Diagnostic) => collect(placed(d, profile));

  const resolved = resolveProfile(profile, target);
  resolved.diagnostics.forEach(report);
  const { seccomp } = resolved;
  if (seccomp === null || asksForNoFilter(seccomp, target)) {
    refuseErrors(diagnostics);
    return { confined: false, file: profile.file, seccomp, diagnostics };
  }

  const arches = filterArches(seccomp, target, report);
  const tables = await loadTables(arches.map((arch) => arch.table));
  const policy = lowerPolicy(seccomp, arches, target, tables, report);
  refuseErrors(diagnostics);
  const reference = { seccomp, target, tables };
  return { confined: true, file: profile.file, arches, policy: policy!, reference, diagnostics };
}

/** Proves the program; a program that differs from its profile is a fault of ours and never leaves here. */
async function provedEqual(
  program: readonly SockFilter[],
  reference: Reference,
  proof: 'auto' | 'require',
  report: (d: Diagnostic) => void,
): Promise<boolean> {
  const result = prove(program, reference);
  switch (result.verdict) {
    case 'equal':
      return true;
    case 'undecided': {
      const severity = proof === 'require' ? 'error' : 'note';
      report(diagnostic('NOT_PROVED', { reason: result.reason }, { severity }));
      return false;
    }
    case 'malformed':
      return fail('PROOF_CONTRADICTS', { witness: result.reason });
    case 'different':
      return fail('PROOF_CONTRADICTS', { witness: await describeWitness(result.witnesses[0]!) });
  }
}

async function describeWitness({ data, abi, expected, actual }: Witness): Promise<string> {
  const answers = [expected, actual].map((value) => describeAnswer(value, abi));
  return `${await describeCall(data, abi)}: the profile asks for ${answers[0]}, the program gives ${answers[1]}`;
}

function readInput(
  input: Profile | string | Uint8Array,
  file: string,
): { profile?: Profile; diagnostics: Diagnostic[] } {
  if (typeof input === 'string' || input instanceof Uint8Array) return parseProfile(input, { file });
  return { profile: input, diagnostics: [...input.diagnostics] };
}

/** Gives a diagnostic the line and column of its pointer. A copy would make a hint that nobody may read. */
function placed(d: Diagnostic, profile: Profile): Diagnostic {
  const position = d.pointer === undefined ? undefined : profile.locate(d.pointer);
  return Object.assign(d, { file: profile.file, ...position });
}

function refuseErrors(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.some((d) => d.severity === 'error')) throw new SeccompcError(inFileOrder(diagnostics));
}

/** As a reader of the file meets them; those without a place last. */
function inFileOrder(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const place = ({ line = Infinity, column = 0 }: Diagnostic) => [line, column] as const;
  return diagnostics.toSorted((a, b) => {
    const [[lineA, columnA], [lineB, columnB]] = [place(a), place(b)];
    return lineA === lineB ? columnA - columnB : lineA - lineB;
  });
}

function besideTheProgram(seccomp: Seccomp | null): Pick<Filter, 'flags' | 'listenerPath'> {
  const { flags, listenerPath } = seccomp ?? { flags: undefined };
  return { flags, ...(listenerPath === undefined ? {} : { listenerPath }) };
}

function unconfined(seccomp: Seccomp | null, target: Target, diagnostics: Diagnostic[]): Filter {
  return {
    instructions: [],
    bytes: new Uint8Array(),
    convertedLength: 0,
    endian: 'little',
    arches: [],
    confined: false,
    ...besideTheProgram(seccomp),
    target,
    proved: false,
    diagnostics: inFileOrder(diagnostics),
  };
}
