import { diagnostic, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { resolveProfile } from '../../profile/docker.ts';
import { formatOci } from '../../profile/oci-text.ts';
import { parseProfile } from '../../profile/read.ts';
import type { Profile, Seccomp } from '../../profile/types.ts';
import type { Target } from '../../target.ts';
import { asksForNoFilter } from '../../policy/lower.ts';
import { CliCommand } from '../command.ts';
import { addUnconfinedOption, notConfined, refuseUnconfined } from '../options/confined.ts';
import type { UnconfinedFlag } from '../options/confined.ts';
import { addReadingOptions, readProfileFile } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { printDiagnostics } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { printableJson } from '../output/text.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';

interface Options extends TargetFlags, ReadingFlags, UnconfinedFlag, OutputOptions {
  output?: string;
}

const HELP = `
The Docker dialect depends on machine, kernel and capabilities. The printed OCI object does
not.

A config.json without linux.seccomp is refused; with --allow-unconfined the result is
"null".

Examples:
  seccompc resolve default.json
  seccompc resolve default.json --arch arm64 --cap SYS_ADMIN --kernel 5.15
  seccompc resolve default.json --engine podman`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('resolve')
    .description('Prints the OCI linux.seccomp object that a profile of any dialect becomes for a target.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .option('-o, --output <FILE>', 'where to write it (default: standard output)')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addReadingOptions(addOutputOptions(addUnconfinedOption(command))));
}

export async function run(path: string, options: Options): Promise<void> {
  const target = targetOf(options);
  const { semantics } = target;
  const { bytes, file, notes } = await readProfileFile(path, options);
  const { profile, diagnostics } = parseProfile(bytes, { file, semantics });
  if (profile === undefined) throw new SeccompcError([...notes, ...diagnostics]);
  const resolved = resolveProfile(profile, target);
  const found = [
    ...notes,
    ...diagnostics,
    ...[...resolved.diagnostics, ...defaultFault(resolved.seccomp, target)].map((d) => placed(d, profile)),
  ];
  if (found.some(({ severity }) => severity === 'error')) throw new SeccompcError(found);
  const { seccomp } = resolved;
  const confined = seccomp !== null && !asksForNoFilter(seccomp, target);
  refuseUnconfined({ confined, diagnostics: found }, file, options);
  await printDiagnostics(confined ? found : [...found, notConfined(file, options)], options);
  await writeProduct(confined ? printableJson(formatOci(seccomp)) : 'null\n', options.output);
}

/** The policy stage refuses a missing default action; there is nothing to print without one either. */
function defaultFault(seccomp: Seccomp | null, target: Target): Diagnostic[] {
  if (seccomp === null || seccomp.defaultAction !== undefined || asksForNoFilter(seccomp, target)) return [];
  return [diagnostic('MISSING_DEFAULT_ACTION', {}, { pointer: seccomp.pointer })];
}

function placed(found: Diagnostic, profile: Profile): Diagnostic {
  const position = found.pointer === undefined ? undefined : profile.locate(found.pointer);
  return { ...found, file: profile.file, ...position };
}
