import { statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { sha256 } from '../../cache/records/sha256.ts';
import { parseReference } from '../../distribution/reference.ts';
import { Repository } from '../../distribution/repository.ts';
import { diagnosticJson, fail } from '../../errors.ts';
import { pullFilter, pullProfile } from '../../registry/pull.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { addTrust, keysOf } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { printDiagnostics, toJson, writeStderr } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { isTerminal, writeProduct } from '../output/streams.ts';
import { printableJson } from '../output/text.ts';

interface Options extends TargetFlags, Pick<CacheFlags, 'trust'>, OutputOptions {
  output?: string;
  filter?: string;
  plainHttp?: true;
}

const HELP = `
Writes a profile that "push" or another OCI client has sent. --filter also gets the filter
for the target. It is used only if it is proved here to answer every call as the profile
asks, or if a key of --trust has signed it for this target and version. With --trust, the
profile of a tag must be signed too, by "push --sign" or by cosign. Give a digest: a tag can
be moved to another signed profile.

Exit code 1: the registry has no filter for the target that may be used. Exit code 65: it
gives something else than the digest says, no profile, or one that is not signed.

Examples:
  seccompc pull oci://registry.example/seccomp/web:v1 -o web.json
  seccompc pull oci://registry.example/seccomp/web:v1 --filter web.bpf --arch arm64
  seccompc pull oci://registry.example/seccomp/web:v1 -o web.json --trust release.pub`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('pull')
    .description('Gets a profile and its filter from an OCI registry.')
    .argument('URL', 'oci://HOST/NAME[:TAG][@sha256:DIGEST]')
    .option('-o, --output <FILE|DIR>', 'where to write the profile (default: standard output)')
    .option('--filter <FILE>', 'write the filter for the target there; without -o, nothing else')
    .option('--plain-http', 'HTTP instead of HTTPS, for a registry on this machine')
    .addHelpText('after', HELP)
    .runs(run);
  addTargetOptions(addOutputOptions(command));
  return addTrust(command, 'take what this public key has signed: tags only then, filters without a proof');
}

async function run(url: string, options: Options): Promise<void> {
  const { output, filter: file, json = false, quiet = false, plainHttp = false } = options;
  const reference = parseReference(url, { plainHttp });
  const isWritten = output !== undefined || file === undefined;
  if (json && ((isWritten && (output ?? '-') === '-') || file === '-'))
    fail('USAGE', { reason: 'with --json, give -o and --filter files: standard output has the document' });
  if (file === '-' && isTerminal(1)) fail('OUTPUT_IS_TERMINAL');
  const place = placeIn(output, reference.name);
  if (place !== undefined && file !== undefined && resolve(place) === resolve(file))
    fail('USAGE', { reason: '-o and --filter name one file' });
  const keys = (await keysOf(options))?.trusted;
  const repository = new Repository(reference);
  const profile = await pullProfile(repository, reference, keys);
  const filter =
    file === undefined ? undefined : await pullFilter(repository, profile, targetOf(options), keys);
  await printDiagnostics(profile.diagnostics, options);
  if (isWritten) {
    // Only a terminal obeys what is in it; a file is what the digest says.
    const isShown = (place ?? '-') === '-' && isTerminal(1);
    await writeProduct(isShown ? printableJson(Buffer.from(profile.bytes).toString()) : profile.bytes, place);
  }
  if (filter !== undefined) await writeProduct(filter.bytes, file);
  if (json) {
    const { digest, trust } = filter ?? {};
    const found = filter && {
      digest,
      trust,
      sha256: sha256(filter.bytes),
      instructions: filter.bytes.length / 8,
    };
    const { reference: full, bytes } = profile;
    const diagnostics = profile.diagnostics.map(diagnosticJson);
    await writeProduct(
      toJson({ reference: full, profileSha256: sha256(bytes), filter: found ?? null, diagnostics }),
    );
  } else if (!quiet) {
    const about = filter && `, filter of ${filter.bytes.length / 8} instructions, ${filter.trust}`;
    await writeStderr(`${profile.reference}${about ?? ''}\n`);
  }
}

/** In a folder, the file is named like the repository. */
function placeIn(output: string | undefined, name: string): string | undefined {
  const isFolder = output !== undefined && statSync(output, { throwIfNoEntry: false })?.isDirectory();
  return isFolder ? join(output, `${basename(name)}.json`) : output;
}
