import type { ArchName } from '../../arch.ts';
import type { Cache } from '../../cache/compile-cached.ts';
import { atOnce } from '../../cache/at-once.ts';
import { RegistryFault } from '../../distribution/fault.ts';
import { parseReference } from '../../distribution/reference.ts';
import type { Reference } from '../../distribution/reference.ts';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { programOf } from '../../options/flags.ts';
import { optionNamed } from '../../options/table.ts';
import type { ProgramFlags } from '../../options/table.ts';
import { findProfiles } from '../../prebuild/profile-files.ts';
import type { ProfileFile } from '../../prebuild/profile-files.ts';
import { Pusher } from '../../registry/push.ts';
import type { Pushed } from '../../registry/push.ts';
import { CliCommand } from '../command.ts';
import { addOptions, addOutputOptions } from '../options/add-options.ts';
import { addCacheOptions, cacheOf, keysOf } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { readInput } from '../options/input-file.ts';
import { takeArches } from '../options/target-lists.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { makeProgress } from '../output/progress.ts';
import { diagnosticJson, printDiagnostics, toJson, writeStderr } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options
  extends Omit<TargetFlags, 'arch'>, Pick<ProgramFlags, 'optimize'>, CacheFlags, OutputOptions {
  arch?: ArchName[];
  plainHttp?: true;
}

const HELP = `
Sends each profile as an artifact that runtimes, oras and skopeo read, and prints its
reference with its digest. With --arch, the filters for these architectures are compiled,
proved, and sent too: they are referrers of the profile. What the registry has is not sent
again. A profile of the Docker dialect is resolved for one --arch and --kernel.

One profile gets the reference as it is; its tag is "latest" unless given. Of several, each
gets a repository below that, named like its file. "{name}" in the reference stands for
that name.

Credentials are those of "docker login" and "podman login".

Examples:
  seccompc push web.json oci://registry.example/seccomp/web:v1
  seccompc push profiles/ oci://registry.example/seccomp:v1 --arch x86_64,aarch64
  seccompc push profiles/ 'oci://registry.example/seccomp:{name}-v1'
  seccompc push web.json oci://127.0.0.1:5000/web --plain-http`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('push')
    .description('Sends profiles and their filters to an OCI registry.')
    .usage('PROFILE|DIR... oci://HOST/NAME[:TAG] [OPTION...]')
    .argument('PROFILE|DIR|URL...', 'profiles, folders with .json files, and last the reference')
    .option('--plain-http', 'HTTP instead of HTTPS, for a registry on this machine')
    .addHelpText('after', HELP)
    .runs(run);
  addTargetOptions(addCacheOptions(addOutputOptions(addOptions(command, [optionNamed('optimize')]))));
  takeArches(command, 'send filters for these architectures too, with commas, or "all"');
  return command;
}

async function run(words: string[], options: Options): Promise<number> {
  const paths = words.slice(0, -1);
  const goal = words.at(-1)!;
  if (paths.length === 0) fail('USAGE', { reason: 'give at least one profile, and then the reference' });
  const plan = referencesFor(await findProfiles(paths), goal, options.plainHttp ?? false);
  const cache = await cacheOf(options);
  const { pushed, failed, sent } = await pushAll(plan, cache, options);
  const diagnostics = [...pushed.flatMap((each) => each.diagnostics), ...failed];
  if (options.json) {
    const profiles = pushed.map((each) => ({ ...each, diagnostics: undefined }));
    await writeProduct(toJson({ profiles, sent, diagnostics: diagnostics.map(diagnosticJson) }));
  } else {
    await printDiagnostics(diagnostics, options);
    await writeProduct(pushed.map(({ reference }) => `${reference}\n`).join(''));
    const missing = failed.length === 0 ? '' : `; ${plan.length - pushed.length} FAILED`;
    if (!options.quiet)
      await writeStderr(
        `${pushed.length} of ${plan.length} there, ${sent} blobs and manifests sent${missing}\n`,
      );
  }
  return failed.length > 0 ? new SeccompcError(failed).exitCode : EXIT.ok;
}

/** A profile with faults keeps none of the others; a fault of the registry ends all. */
async function pushAll(
  plan: readonly { profile: ProfileFile; reference: Reference }[],
  cache: Cache | undefined,
  options: Options,
): Promise<{ pushed: Pushed[]; failed: Diagnostic[]; sent: number }> {
  const { arch: arches = [], ...flags } = options;
  const targets = arches.map((arch) => targetOf({ ...flags, arch }));
  const pusher = new Pusher({
    targets,
    unresolved: whyUnresolved(options),
    otherwise: targetOf({ ...flags, arch: 'X86_64' }),
    optimize: programOf(options).optimize,
    cache,
    signer: (await keysOf(options))?.signer,
  });
  const results = new Map<number, Pushed | Diagnostic[]>();
  const progress = makeProgress(plan.length, options);
  try {
    await atOnce(plan.entries(), async ([at, { profile, reference }]) => {
      try {
        const bytes = await readInput(profile.path);
        results.set(at, await pusher.push({ file: profile.path, bytes, reference }));
      } catch (error) {
        if (!(error instanceof SeccompcError) || error instanceof RegistryFault) throw error;
        results.set(
          at,
          error.diagnostics.map((found) => ({ file: profile.path, ...found })),
        );
      }
      progress.show(results.size);
    });
  } finally {
    progress.clear();
    if (cache !== undefined) await (await import('../../cache/open.ts')).closeCache(cache);
  }
  const inOrder = plan.map((_, at) => results.get(at)!);
  return {
    pushed: inOrder.filter((each): each is Pushed => !Array.isArray(each)),
    sent: pusher.sent,
    failed: inOrder.filter((each) => Array.isArray(each)).flat(),
  };
}

function whyUnresolved({ arch = [], kernel }: Options): string | undefined {
  if (arch.length !== 1) return arch.length === 0 ? 'there is no --arch' : 'there is more than one --arch';
  return kernel === undefined ? 'there is no --kernel' : undefined;
}

const PLACEHOLDER = '{name}';

function referencesFor(
  profiles: readonly ProfileFile[],
  goal: string,
  plainHttp: boolean,
): { profile: ProfileFile; reference: Reference }[] {
  const isEach = goal.includes(PLACEHOLDER);
  if (profiles.length === 1 && !isEach)
    return [{ profile: profiles[0]!, reference: givenReference(goal, plainHttp) }];
  const base = isEach ? undefined : givenReference(goal, plainHttp);
  const taken = new Map<string, string>();
  return profiles.map((profile) => {
    const name = profile.name.replace(/\.json$/i, '').toLowerCase();
    const refuse = (reason: string): never => {
      throw new SeccompcError([diagnostic('PROFILE_NAME', { reason }, { file: profile.path })]);
    };
    if (!/^[a-z0-9]+(?:[._/-][a-z0-9]+)*$/.test(name))
      refuse(`"${name}" is not made of a-z, 0-9, and single . _ - /`);
    const other = taken.get(name);
    if (other !== undefined) refuse(`${other} has the same`);
    taken.set(name, profile.path);
    if (base !== undefined) return { profile, reference: { ...base, name: `${base.name}/${name}` } };
    return { profile, reference: givenReference(goal.replaceAll(PLACEHOLDER, name), plainHttp) };
  });
}

function givenReference(text: string, plainHttp: boolean): Reference {
  const reference = parseReference(text, { plainHttp });
  if (reference.digest !== undefined)
    fail('REFERENCE_INVALID', { text, reason: 'the digest of what is pushed is not known before' });
  return reference;
}
