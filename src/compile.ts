/** The pipeline: from the text of a profile to a filter. */
import { convertedLength } from './bpf/check.ts';
import { encode } from './bpf/instruction.ts';
import { generatedProgram, kernelFaults } from './compile/make-program.ts';
import { refuseUnconfined, runtimeMembers, unconfinedFilter } from './compile/filter.ts';
import type { Filter } from './compile/filter.ts';
import { readInput } from './compile/findings.ts';
import type { ProfileInput } from './compile/findings.ts';
import type { FindProgram, LoweredProfile } from './compile/lowered.ts';
import { compileSettings } from './compile/settings.ts';
import type { CompileOptions, CompileSettings } from './compile/settings.ts';
import { proveGenerated } from './compile/proof.ts';
import { filterArches } from './policy/architectures.ts';
import { asksForNoFilter, lowerPolicy } from './policy/lower.ts';
import { resolveProfile } from './profile/docker.ts';
import { loadTables } from './syscalls/load.ts';

export type { Filter } from './compile/filter.ts';
export type { CompileOptions, CompileSettings } from './compile/settings.ts';
export type { LoweredProfile } from './compile/lowered.ts';

/**
 * Compiles a profile. All errors of all stages are reported together.
 *
 * @throws SeccompcError if the profile or the options are not acceptable; nothing is ever compiled in part
 */
export async function compile(input: ProfileInput, options: CompileOptions): Promise<Filter> {
  const filter = await runPipeline(input, compileSettings(options));
  refuseUnconfined(filter, options);
  return filter;
}

/** The first four stages, in which a profile is found to be acceptable or not. @throws as {@link compile} */
export function lowerProfile(input: ProfileInput, settings: CompileSettings): Promise<LoweredProfile> {
  return runPipeline(input, settings, { until: 'lower' });
}

/**
 * The stages in order. Each is a pure function: the settings hold all that the result depends on. `until` ends with
 * the lowered profile; `find` may have its program already.
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
  { target, optimize = 'attach', prove = 'auto', file = '-' }: CompileSettings,
  { until, find }: { until?: 'lower'; find?: FindProgram } = {},
): Promise<LoweredProfile | Filter> {
  // 1. Read the text.
  const { profile, findings } = readInput(input, { file, semantics: target.semantics });

  // 2. Resolve what depends on the target: archMap, includes, excludes.
  const { seccomp, diagnostics } = resolveProfile(profile, target);
  diagnostics.forEach(findings.report);
  if (seccomp === null || asksForNoFilter(seccomp, target)) {
    findings.refuseErrors();
    const found = findings.inFileOrder();
    return until === 'lower'
      ? { confined: false, diagnostics: found }
      : unconfinedFilter(seccomp, target, found);
  }

  // 3. Choose the architectures.
  const arches = filterArches(seccomp, target, findings.report);

  // 4. Lower the rules to one decision for each number of each architecture.
  const tables = await loadTables(arches.map((arch) => arch.table));
  const policy = lowerPolicy(seccomp, arches, target, tables, findings.report, findings.placeOf);
  findings.refuseErrors();
  const reference = { seccomp, target, tables };
  const lowered = {
    confined: true as const,
    arches,
    policy: policy!,
    reference,
    diagnostics: findings.inFileOrder(),
  };
  if (until === 'lower') return lowered;

  // 5. Generate the program.
  const known = await find?.(lowered);
  const instructions =
    known?.instructions ?? generatedProgram(lowered.policy, optimize, tables, findings.report);
  findings.refuseErrors();

  // 6. Check it by the kernel's rules.
  kernelFaults(instructions, lowered.policy, tables).forEach(findings.report);
  findings.refuseErrors();

  // 7. Prove that it answers every call as the profile says.
  const proved = known?.proved ?? (await proveGenerated(instructions, reference, prove, findings.report));
  findings.refuseErrors();

  // 8. Encode it.
  return {
    instructions,
    bytes: encode(instructions, lowered.policy.endian),
    convertedLength: convertedLength(instructions),
    endian: lowered.policy.endian,
    arches: arches.map((arch) => arch.name),
    confined: true,
    ...runtimeMembers(seccomp),
    target,
    proved,
    diagnostics: findings.inFileOrder(),
  };
}
