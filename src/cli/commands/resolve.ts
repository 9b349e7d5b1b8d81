import { InvalidArgumentError, Option } from 'commander';
import { diagnostic, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { filterArches } from '../../policy/architectures.ts';
import { youkiFaults } from '../../policy/youki.ts';
import { resolveProfile } from '../../profile/docker.ts';
import { formatOci } from '../../profile/oci-text.ts';
import { parseProfile } from '../../profile/read.ts';
import type { Profile, Seccomp } from '../../profile/types.ts';
import { parseRuntime } from '../../target.ts';
import type { RuntimeName, Target } from '../../target.ts';
import { asksForNoFilter } from '../../policy/lower.ts';
import { CliCommand } from '../command.ts';
import { addUnconfinedOption, notConfined, refuseUnconfined } from '../options/confined.ts';
import type { UnconfinedFlag } from '../options/confined.ts';
import { addReadingOptions, readProfileFile, withNotes } from '../options/profile-file.ts';
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
  for?: Reader;
}

/** The runtime that gets the result. */
interface Reader {
  semantics: RuntimeName;
  isYouki: boolean;
}

const HELP = `
The Docker dialect depends on machine, kernel and capabilities. The printed OCI object does
not.

A config.json without linux.seccomp is refused; with --allow-unconfined the result is
"null".

--for checks that the runtime starts a container with the result, and reads it as seccompc does.
"runc" is every release from 1.1 on.

Examples:
  seccompc resolve default.json
  seccompc resolve default.json --arch arm64 --cap SYS_ADMIN --kernel 5.15
  seccompc resolve default.json --engine podman
  seccompc resolve default.json --for runc --architectures native -o runc.json`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('resolve')
    .description('Prints the OCI linux.seccomp object that a profile of any dialect becomes for a target.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .option('-o, --output <FILE>', 'where to write it (default: standard output)')
    .addOption(
      new Option('--for <RUNTIME>', 'for a runtime that compiles it: crun, runc, runc@1.3, youki')
        .argParser(readerArgument)
        .conflicts('semantics'),
    )
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addReadingOptions(addOutputOptions(addUnconfinedOption(command))));
}

export async function run(path: string, options: Options): Promise<void> {
  const target = targetOf({ ...options, ...(options.for && { semantics: options.for.semantics }) });
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
  if (!confined) found.push(notConfined(file, options));
  else if (options.for !== undefined)
    found.splice(0, found.length, ...(await forReader(profile, seccomp, target, options.for, notes)));
  await printDiagnostics(found, options);
  await writeProduct(confined ? printableJson(formatOci(seccomp)) : 'null\n', options.output);
}

function readerArgument(text: string): Reader {
  const isYouki = text === 'youki';
  // Of runc without a release: what all of them take.
  const semantics = isYouki ? 'crun' : text === 'runc' ? 'runc@1.1' : (text as RuntimeName);
  if (parseRuntime(semantics) !== undefined) return { semantics, isYouki };
  throw new InvalidArgumentError('Give crun, runc, runc@X.Y, runc@X.Y.Z or youki.');
}

/**
 * All that was found, what the runtime does with the profile included.
 * @throws SeccompcError if it would not start with it
 */
async function forReader(
  profile: Profile,
  seccomp: Seccomp,
  target: Target,
  { isYouki }: Reader,
  notes: readonly Diagnostic[],
): Promise<Diagnostic[]> {
  const { lowerProfile } = await import('../../compile.ts');
  const { diagnostics } = await withNotes(notes, lowerProfile(profile, { target, file: profile.file }));
  const refused = isYouki ? youkiFaults(seccomp).map((each) => placed(each, profile)) : [];
  const found = [...diagnostics, ...refused];
  if (refused.length > 0) throw new SeccompcError(found);
  const { architectures: _, ...whole } = target;
  const archesFor = (aim: Target) =>
    filterArches(resolveProfile(profile, aim).seccomp!, aim, () => {}).map(({ name }) => name);
  const kept = archesFor(target);
  const cut = archesFor(whole).filter((name) => !kept.includes(name));
  if (cut.length > 0)
    found.push({ ...diagnostic('ARCHITECTURES_CUT', { names: cut.join(', ') }), file: profile.file });
  return found;
}

/**
 * The policy stage refuses a missing default action; there is nothing to print without one either.
 */
function defaultFault(seccomp: Seccomp | null, target: Target): Diagnostic[] {
  if (seccomp === null || seccomp.defaultAction !== undefined || asksForNoFilter(seccomp, target)) return [];
  return [diagnostic('MISSING_DEFAULT_ACTION', {}, { pointer: seccomp.pointer })];
}

function placed(found: Diagnostic, profile: Profile): Diagnostic {
  const position = found.pointer === undefined ? undefined : profile.locate(found.pointer);
  return { ...found, file: profile.file, ...position };
}
