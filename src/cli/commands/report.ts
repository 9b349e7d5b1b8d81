import { readFileSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import type { Arch } from '../../arch.ts';
import { allArches, archOf } from '../../arch.ts';
import { fail, SeccompcError } from '../../errors.ts';
import { lowerProfile } from '../../compile.ts';
import { builtFile } from '../../fs/built-file.ts';
import { decodeUtf8 } from '../../profile/json-text.ts';
import { factsFor } from '../../report/facts.ts';
import { makeReport } from '../../report/report.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { notConfined } from '../options/confined.ts';
import { addReadingOptions, readProfileFile, withNotes } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { printDiagnostics } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { isTerminal, writeProduct } from '../output/streams.ts';

interface Options extends TargetFlags, ReadingFlags, OutputOptions {
  output?: string;
  against?: string[];
}

const HELP = `
The page is one file that loads nothing: a browser opens it from the disk. It shows the profile,
the policy and the program side by side, answers questions about calls, and compiles and proves
what is changed in it. It has the tables of the architectures of these profiles.

Examples:
  seccompc report profile.json -o report.html
  seccompc report new.json --against old.json -o review.html
  seccompc report profile.json --arch arm64 --kernel 6.1 > report.html`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('report')
    .description('Makes a page that shows a profile, answers questions about it, and edits it.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .option('--against <PROFILE...>', 'other profiles to compare it with')
    .option('-o, --output <FILE>', 'where to write the page (default: standard output)')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addReadingOptions(addOutputOptions(command)));
}

async function run(file: string, options: Options): Promise<void> {
  if (options.output === undefined && isTerminal(1))
    fail('USAGE', { reason: 'name a file for the page with -o' });
  const target = targetOf(options);
  const files = [file, ...(options.against ?? [])];
  if (files.filter((each) => each === '-').length > 1)
    fail('USAGE', { reason: 'only one of the profiles can be -' });
  const found: Opened[] = [];
  for (const each of files) found.push(await opened(each, target, options));
  const [profile, ...against] = found as [Opened, ...Opened[]];
  const data = {
    file: profile.name,
    text: profile.text,
    target,
    against: against.map(({ name, text }) => ({ name, text })),
  };
  const page = readFileSync(builtFile('report/page.html'), 'utf8');
  await writeProduct(
    makeReport(page, data, await factsFor(found.flatMap(({ arches }) => arches))),
    options.output,
  );
}

interface Opened {
  name: string;
  text: string;
  arches: Arch[];
}

/** @throws SeccompcError with all faults of the profile, also when it asks for no filter */
async function opened(path: string, target: Target, options: Options): Promise<Opened> {
  const { bytes, file, notes } = await readProfileFile(path, options);
  const lowered = await withNotes(notes, lowerProfile(bytes, { target, file }));
  await printDiagnostics(lowered.diagnostics, options);
  if (!lowered.confined) throw new SeccompcError([...lowered.diagnostics, notConfined(file)]);
  const arches = [archOf(target.arch), ...lowered.arches];
  // The program may name calls of whatever shares an audit arch.
  const shared = allArches().filter(({ auditArch }) => arches.some((each) => each.auditArch === auditArch));
  // The page must not tell the folders of this machine.
  return {
    name: isAbsolute(file) ? basename(file) : file,
    text: decodeUtf8(bytes) ?? '',
    arches: shared,
  };
}
