import { Option } from 'commander';
import { diagnostic, fail } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { encodeBase64 } from '../../format/text.ts';
import { FILTER_ANNOTATION } from '../../oci/config.ts';
import { shellWord } from '../../oci/store/program.ts';
import { parseProfile } from '../../profile/read.ts';
import type { Profile } from '../../profile/types.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { keepHot } from '../keep-hot.ts';
import { addCacheOptions } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { refuseUnconfined } from '../options/confined.ts';
import { filterFor } from '../options/filter-file.ts';
import { readInput } from '../options/input-file.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions, addProofOption } from '../options/add-options.ts';
import type { ProofFlag } from '../options/add-options.ts';
import { programOf } from '../../options/flags.ts';
import { diagnosticJson, printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { compileWith } from '../compile-with.ts';

interface Options extends TargetFlags, ProofFlag, CacheFlags, OutputOptions {
  for: keyof typeof CLIENTS;
}

/** The arguments that a client needs besides the annotation. */
interface Client {
  /** Selects crun; empty if the client has its own choice of runtime. */
  runtime: string;
  /** Passes the profile, whose path follows this text. */
  profile: string;
  /** The forms of a profile that it reads in the same way as seccompc. */
  reads: readonly Profile['form'][];
}

const CLIENTS = {
  podman: { runtime: '', profile: '--security-opt seccomp=', reads: ['seccomp', 'docker'] },
  docker: { runtime: '--runtime=crun ', profile: '--security-opt seccomp=', reads: ['seccomp', 'docker'] },
  ctr: { runtime: '--runc-binary=crun ', profile: '--seccomp --seccomp-profile ', reads: ['seccomp'] },
} as const satisfies Record<string, Client>;

const HELP = `
The argument needs no quoting in a shell. Only crun reads it, so also give the profile to
the client, as below: other runtimes enforce the profile, and without it ctr starts the
container without a filter under them.

No client reads a config.json as a profile, and ctr does not read the Docker dialect.
"seccompc resolve" converts both to an OCI profile.

Examples:
  seccompc annotate profile.json
  podman run $(seccompc annotate profile.json) --security-opt seccomp=profile.json IMAGE
  docker run --runtime=crun $(seccompc annotate profile.json --for docker) \\
    --security-opt seccomp=profile.json IMAGE
  seccompc resolve profile.json -o oci.json &&
  ctr run --runc-binary=crun $(seccompc annotate oci.json --for ctr) \\
    --seccomp --seccomp-profile oci.json IMAGE NAME`;

export function makeCommand({ args }: Invocation): CliCommand {
  const command = new CliCommand('annotate')
    .description('Prints the argument by which podman, docker or ctr hand a compiled filter to crun.')
    .argument(
      'PROFILE',
      'an OCI or Docker profile, which the client gets too, or a filter; - for standard input',
    )
    .addOption(
      new Option('--for <CLIENT>', 'who gets the argument').choices(Object.keys(CLIENTS)).default('podman'),
    )
    .addHelpText('after', HELP)
    .runs((file: string, options: Options) => run(file, options, args));
  return addTargetOptions(addCacheOptions(addOutputOptions(addProofOption(command))));
}

async function run(file: string, options: Options, args: readonly string[]): Promise<void> {
  const input = await readInput(file);
  const { bytes, proved, found, warnings } = await annotated(input, file, options);
  const { runtime, profile } = CLIENTS[options.for];
  const words = `${runtime}${profile}${file === '-' || proved === null ? 'PROFILE' : shellWord(file)}`;
  found.push(
    diagnostic('ONLY_CRUN_READS', { key: FILTER_ANNOTATION, client: options.for, arguments: words }),
  );
  const argument = `--annotation=${FILTER_ANNOTATION}=${encodeBase64(bytes)}`;
  const json = (all: readonly Diagnostic[]) =>
    toJson({ for: options.for, argument, proved, diagnostics: all.map(diagnosticJson) });
  const product = async () => (options.json ? json(found) : `${argument}\n`);
  const made = { input, warnings, diagnostics: found, output: options, product };
  warnings.push(...(await keepHot(args, made)));
  if (options.json) return writeProduct(json([...warnings, ...found]));
  await printDiagnostics([...warnings, ...found], options);
  await writeProduct(`${argument}\n`);
}

/** What is annotated, and what was found in it. */
interface Annotated {
  bytes: Uint8Array;
  /** null for a filter, of which we know no profile. */
  proved: boolean | null;
  found: Diagnostic[];
  /** Of the cache. */
  warnings: Diagnostic[];
}

async function annotated(input: Uint8Array, file: string, options: Options): Promise<Annotated> {
  const target = targetOf(options);
  const given = filterFor(target.arch, input, file);
  if (given !== undefined) return { bytes: given, proved: null, found: [], warnings: [] };
  const settings = { target, file, prove: programOf(options).prove } as const;
  const { filter, warnings } = await compileWith(options, { bytes: input }, settings);
  refuseUnconfined(filter, file);
  refuseUnreadable(input, settings, options.for);
  const found = [...filter.diagnostics];
  const beside = [
    ...(filter.flags === undefined ? [] : ['flags']),
    ...(filter.listenerPath === undefined ? [] : ['listenerPath']),
  ];
  if (beside.length > 0)
    found.push({ ...diagnostic('NOT_IN_ANNOTATION', { members: beside.join(' and ') }), file });
  return { bytes: filter.bytes, proved: filter.proved, found, warnings };
}

/**
 * The profile is for runtimes that do not read the annotation, so it must be one that the client
 * reads as we do.
 */
function refuseUnreadable(
  input: Uint8Array,
  { file, target }: { file: string; target: Target },
  client: Options['for'],
): void {
  const form = parseProfile(input, { file, semantics: target.semantics }).profile?.form;
  const read: readonly (string | undefined)[] = CLIENTS[client].reads;
  if (read.includes(form)) return;
  const what = form === 'config' ? 'a config.json' : 'the Docker dialect';
  fail('CLIENT_READS_OTHERWISE', { client, what }, { file });
}
