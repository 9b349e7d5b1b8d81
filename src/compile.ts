import type { ArchName } from './arch.ts';
import { checkProgram, convertedLength } from './bpf/check.ts';
import { encode } from './bpf/instruction.ts';
import type { Endian, SockFilter } from './bpf/instruction.ts';
import { generate } from './codegen/generate.ts';
import { weightsFor } from './codegen/weights.ts';
import type { Optimize } from './codegen/weights.ts';
import { diagnostic, fail, SeccompcError } from './errors.ts';
import type { Diagnostic } from './errors.ts';
import { filterArches } from './policy/architectures.ts';
import { describeAction } from './policy/combine.ts';
import { asksForNoFilter, lowerPolicy } from './policy/lower.ts';
import { resolveProfile } from './profile/docker.ts';
import { parseProfile } from './profile/read.ts';
import type { FlagName, Profile, Seccomp } from './profile/types.ts';
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
  /** Warnings and notes, in the order in which they were found, with their place in the file. */
  diagnostics: Diagnostic[];
}

/**
 * From the text of a profile to a filter: every stage in order. All faults of all stages are reported together.
 *
 * @throws SeccompcError when the profile is not acceptable; nothing is ever compiled in part.
 */
export async function compile(
  input: Profile | string | Uint8Array,
  options: CompileOptions,
): Promise<Filter> {
  const { target, optimize = 'attach', prove: proof = 'auto' } = options;
  const { profile, diagnostics } = readInput(input, options.file ?? '-');
  if (profile === undefined) throw new SeccompcError(diagnostics);
  const report = (d: Diagnostic) => diagnostics.push(placed(d, profile));

  const resolved = resolveProfile(profile, target);
  resolved.diagnostics.forEach(report);
  const { seccomp } = resolved;
  if (seccomp === null || asksForNoFilter(seccomp, target)) {
    refuseErrors(diagnostics);
    return unconfined(seccomp, target, diagnostics);
  }

  const arches = filterArches(seccomp, target, report);
  const tables = await loadTables(arches.map((arch) => arch.table));
  const policy = lowerPolicy(seccomp, arches, target, tables, report);
  refuseErrors(diagnostics);

  const instructions = generate(policy!, weightsFor(optimize, tables));
  checkProgram(instructions).forEach(report);
  const proved = proof !== 'never' && provedEqual(instructions, { seccomp, target, tables }, proof, report);
  refuseErrors(diagnostics);

  return {
    instructions,
    bytes: encode(instructions, policy!.endian),
    convertedLength: convertedLength(instructions),
    endian: policy!.endian,
    arches: arches.map((arch) => arch.name),
    confined: true,
    ...besideTheProgram(seccomp),
    target,
    proved,
    diagnostics,
  };
}

/** Proves the program; a program that differs from its profile is a fault of ours and never leaves here. */
function provedEqual(
  program: readonly SockFilter[],
  reference: Reference,
  proof: 'auto' | 'require',
  report: (d: Diagnostic) => void,
): boolean {
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
      return fail('PROOF_CONTRADICTS', { witness: describeWitness(result.witnesses[0]!, reference.tables) });
  }
}

function describeWitness({ data, abi, expected, actual }: Witness, tables: SyscallTables): string {
  const name = abi === undefined ? undefined : tables.of(abi).nameOf(data.nr);
  const args = data.args.map((arg) => `0x${arg.toString(16)}`).join(', ');
  const call = `${name ?? data.nr}(${args}) on ${abi ?? `audit arch 0x${data.arch.toString(16)}`}`;
  return `${call}: the profile asks for ${describeAction(expected)}, the program gives ${describeAction(actual)}`;
}

function readInput(
  input: Profile | string | Uint8Array,
  file: string,
): { profile?: Profile; diagnostics: Diagnostic[] } {
  if (typeof input === 'string' || input instanceof Uint8Array) return parseProfile(input, { file });
  return { profile: input, diagnostics: [...input.diagnostics] };
}

/** A diagnostic with the line and column of its pointer. */
function placed(d: Diagnostic, profile: Profile): Diagnostic {
  const position = d.pointer === undefined ? undefined : profile.locate(d.pointer);
  return { ...d, file: profile.file, ...position };
}

function refuseErrors(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.some((d) => d.severity === 'error')) throw new SeccompcError(diagnostics);
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
    diagnostics,
  };
}
