/** The pipeline: from the text of a profile to a filter. */
import type { Arch } from './arch.ts';
import { convertedLength } from './bpf/check.ts';
import { encode } from './bpf/instruction.ts';
import { generatedProgram, kernelFaults } from './compile/make-program.ts';
import { refuseUnconfined, runtimeMembers, unconfinedFilter } from './compile/filter.ts';
import type { Filter } from './compile/filter.ts';
import { readInput } from './compile/findings.ts';
import type { Findings, ProfileInput } from './compile/findings.ts';
import type { FindProgram, LoweredProfile } from './compile/lowered.ts';
import { compileSettings } from './compile/settings.ts';
import type { CompileOptions, CompileSettings } from './compile/settings.ts';
import { Contradiction, proveGenerated } from './compile/proof.ts';
import { filterArches } from './policy/architectures.ts';
import { asksForNoFilter, lowerPolicy } from './policy/lower.ts';
import { resolveProfile } from './profile/docker.ts';
import type { Seccomp } from './profile/types.ts';
import { loadTables, tablesNow } from './syscalls/load.ts';

export type { Filter } from './compile/filter.ts';
export type { CompileOptions, CompileSettings } from './compile/settings.ts';
export type { LoweredProfile } from './compile/lowered.ts';

/**
 * Compiles a profile. All errors of all stages are reported together.
 *
 * @throws SeccompcError if the profile or the options are not acceptable; nothing is ever compiled
 *   in part
 */
export async function compile(input: ProfileInput, options: CompileOptions): Promise<Filter> {
  const filter = await runPipeline(input, compileSettings(options));
  refuseUnconfined(filter, options);
  return filter;
}

/**
 * The same at once, after `addTables` with those of the architectures.
 * @throws as {@link compile}
 */
export function compileNow(input: ProfileInput, options: CompileOptions): Filter {
  const settings = compileSettings(options);
  const read = readStages(input, settings);
  const lowered = lowerStage(read, settings);
  const filter = lowered.confined
    ? programStages(read, lowered, settings)
    : unconfinedFilter(read.seccomp, settings.target, lowered.diagnostics);
  refuseUnconfined(filter, options);
  return filter;
}

/**
 * The first four stages, in which a profile is found to be acceptable or not.
 * @throws as {@link compile}
 */
export function lowerProfile(input: ProfileInput, settings: CompileSettings): Promise<LoweredProfile> {
  return runPipeline(input, settings, { until: 'lower' });
}

/**
 * The stages in order. Each is a pure function: the settings hold all that the result depends on.
 * `until` ends with the lowered profile; `find` may have its program already.
 *
 * @throws as {@link compile}
 */
export function runPipeline(
  input: ProfileInput,
  settings: CompileSettings,
  course: { until: 'lower' },
): Promise<LoweredProfile>;
export function runPipeline(
  input: ProfileInput,
  settings: CompileSettings,
  course?: { find: FindProgram },
): Promise<Filter>;
export async function runPipeline(
  input: ProfileInput,
  settings: CompileSettings,
  { until, find }: { until?: 'lower'; find?: FindProgram } = {},
): Promise<LoweredProfile | Filter> {
  const read = readStages(input, settings);
  await loadTables(read.arches.map((arch) => arch.table));
  const lowered = lowerStage(read, settings);
  if (until === 'lower') return lowered;
  if (!lowered.confined) return unconfinedFilter(read.seccomp, settings.target, lowered.diagnostics);
  try {
    return programStages(read, lowered, settings, await find?.(lowered));
  } catch (error) {
    throw error instanceof Contradiction ? await error.described() : error;
  }
}

interface ReadStages {
  /** Null if the input has none. */
  seccomp: Seccomp | null;
  /** None if the input asks for no filter. */
  arches: Arch[];
  findings: Findings;
}

function readStages(input: ProfileInput, { target, file = '-' }: CompileSettings): ReadStages {
  // 1. Read the text.
  const { profile, findings } = readInput(input, { file, semantics: target.semantics });

  // 2. Resolve what depends on the target: archMap, includes, excludes.
  const { seccomp, diagnostics } = resolveProfile(profile, target);
  diagnostics.forEach(findings.report);
  if (seccomp === null || asksForNoFilter(seccomp, target)) {
    findings.refuseErrors();
    return { seccomp, arches: [], findings };
  }

  // 3. Choose the architectures.
  return { seccomp, arches: filterArches(seccomp, target, findings.report), findings };
}

function lowerStage({ seccomp, arches, findings }: ReadStages, { target }: CompileSettings): LoweredProfile {
  if (seccomp === null || arches.length === 0)
    return { confined: false, diagnostics: findings.inFileOrder() };

  // 4. Lower the rules to one decision for each number of each architecture.
  const tables = tablesNow(arches.map((arch) => arch.table));
  const policy = lowerPolicy(seccomp, arches, target, tables, findings.report, findings.placeOf);
  findings.refuseErrors();
  const reference = { seccomp, target, tables };
  return { confined: true, arches, policy: policy!, reference, diagnostics: findings.inFileOrder() };
}

function programStages(
  { seccomp, findings }: ReadStages,
  { arches, policy, reference }: LoweredProfile & { confined: true },
  { target, optimize = 'attach', prove = 'auto' }: CompileSettings,
  known?: Pick<Filter, 'instructions' | 'proved'>,
): Filter {
  // 5. Generate the program.
  const { tables } = reference;
  const instructions = known?.instructions ?? generatedProgram(policy, optimize, tables, findings.report);
  findings.refuseErrors();

  // 6. Check it by the kernel's rules.
  kernelFaults(instructions, policy, tables).forEach(findings.report);
  findings.refuseErrors();

  // 7. Prove that it answers every call as the profile says.
  const proved = known?.proved ?? proveGenerated(instructions, reference, prove, findings.report);
  findings.refuseErrors();

  // 8. Encode it.
  return {
    instructions,
    bytes: encode(instructions, policy.endian),
    convertedLength: convertedLength(instructions),
    endian: policy.endian,
    arches: arches.map((arch) => arch.name),
    confined: true,
    ...runtimeMembers(seccomp),
    target,
    proved,
    diagnostics: findings.inFileOrder(),
  };
}
