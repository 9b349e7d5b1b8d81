import { Option } from 'commander';
import { diagnostic, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { encodeBase64 } from '../../format/text.ts';
import { FILTER_ANNOTATION } from '../../oci/config.ts';
import { CliCommand } from '../command.ts';
import { addCacheOptions } from '../cache-options.ts';
import type { CacheFlags } from '../cache-options.ts';
import { readInput } from '../input.ts';
import { writeProduct } from '../output.ts';
import { addVoiceOptions, diagnosticJson, printWarnings, toJson } from '../report.ts';
import type { Voice } from '../report.ts';
import { addTargetOptions, targetOf } from '../target-options.ts';
import type { TargetFlags } from '../target-options.ts';
import { compileWith } from '../compile-with.ts';

const CLIENTS = ['podman', 'docker', 'ctr'] as const;
type Client = (typeof CLIENTS)[number];

interface Options extends TargetFlags, CacheFlags, Voice {
  for: Client;
  requireProof?: true;
}

/** What makes the client use crun, where that is not its own choice. */
const RUNTIME: Record<Client, string | undefined> = {
  podman: undefined,
  docker: '--runtime=crun',
  ctr: '--runc-binary=crun',
};

const HELP = `
The argument has nothing in it that a shell would change. Only crun reads it: other runtimes run the container with the
profile that the client gives them, so give them the same one.

Examples:
  seccompc annotate profile.json
  podman run $(seccompc annotate profile.json) --security-opt seccomp=profile.json IMAGE
  docker run --runtime=crun $(seccompc annotate profile.json --for docker) IMAGE`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('annotate')
    .description('Prints the argument by which podman, docker or ctr hand a compiled filter to crun.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .addOption(new Option('--for <CLIENT>', 'who gets the argument').choices(CLIENTS).default('podman'))
    .option('--require-proof', 'fail rather than print a filter that is not proved')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addCacheOptions(addVoiceOptions(command)));
}

async function run(file: string, options: Options): Promise<void> {
  const input = await readInput(file);
  const target = targetOf(options);
  const settings = { target, file, prove: options.requireProof ? 'require' : 'auto' } as const;
  const { filter, warnings } = await compileWith(options, input, settings);
  if (!filter.confined)
    throw new SeccompcError([{ ...diagnostic('NOT_CONFINED', {}, { severity: 'error' }), file }]);
  const found: Diagnostic[] = [...warnings, ...filter.diagnostics];
  const beside = [
    ...(filter.flags === undefined ? [] : ['flags']),
    ...(filter.listenerPath === undefined ? [] : ['listenerPath']),
  ];
  if (beside.length > 0)
    found.push({ ...diagnostic('NOT_IN_ANNOTATION', { members: beside.join(' and ') }), file });
  const runtime = RUNTIME[options.for];
  if (runtime !== undefined)
    found.push(
      diagnostic('ONLY_CRUN_READS', { key: FILTER_ANNOTATION, client: options.for, argument: runtime }),
    );

  const argument = `--annotation=${FILTER_ANNOTATION}=${encodeBase64(filter.bytes)}`;
  if (options.json) {
    const { proved } = filter;
    return writeProduct(
      toJson({ for: options.for, argument, proved, diagnostics: found.map(diagnosticJson) }),
    );
  }
  await printWarnings(found, options);
  await writeProduct(`${argument}\n`);
}
