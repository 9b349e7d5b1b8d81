import { readFileSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import type { Arch } from '../../arch.ts';
import { allArches, archOf } from '../../arch.ts';
import { encode } from '../../bpf/instruction.ts';
import { programsOf } from '../../bpf/stack.ts';
import { testedArches } from '../../bpf/tested-arches.ts';
import { fail, SeccompcError } from '../../errors.ts';
import { lowerProfile } from '../../compile.ts';
import { builtFile } from '../../fs/built-file.ts';
import type { ProfileText } from '../../input/profile-text.ts';
import { decodeUtf8 } from '../../profile/json-text.ts';
import { factsFor } from '../../report/facts.ts';
import { makeReport } from '../../report/report.ts';
import type { ReportData } from '../../report/report.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { notConfined } from '../options/confined.ts';
import { readGiven } from '../options/operand.ts';
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
  seccompc report profile.json --against libseccomp.bpf -o sizes.html
  seccompc report profile.json --arch arm64 --kernel 6.1 > report.html`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('report')
    .description('Makes a page that shows a profile, answers questions about it, and edits it.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .option('--against <PROFILE|FILTER...>', 'other profiles and filters to compare it with')
    .option('-o, --output <FILE>', 'where to write the page (default: standard output)')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addReadingOptions(addOutputOptions(command)));
}

async function run(file: string, options: Options): Promise<void> {
  if (options.output === undefined && isTerminal(1))
    fail('USAGE', { reason: 'name a file for the page with -o' });
  const target = targetOf(options);
  const others = options.against ?? [];
  if ([file, ...others].filter((each) => each === '-').length > 1)
    fail('USAGE', { reason: 'only one of the files can be -' });
  const arches = new Set([archOf(target.arch)]);
  const { file: opened, ...rest } = await readProfileFile(file, options);
  const data: ReportData = {
    file: nameOf(opened),
    text: await textOf({ file: opened, ...rest }, target, options, arches),
    target,
    against: [],
  };
  for (const each of others) {
    const given = await readGiven(each, options);
    const name = nameOf(given.file);
    if (!('side' in given)) {
      data.against.push({ name, text: await textOf(given, target, options, arches) });
      continue;
    }
    const programs = programsOf(given.side);
    for (const arch of programs.flatMap(testedArches)) arches.add(archOf(arch));
    const bytes = Buffer.from(encode(programs[0]!, 'little')).toString('base64');
    data.against.push({ name, filter: { endian: given.side.endian, bytes } });
  }
  // A program may name calls of whatever shares an audit arch.
  const audited = new Set([...arches].map(({ auditArch }) => auditArch));
  const facts = await factsFor(allArches().filter(({ auditArch }) => audited.has(auditArch)));
  const page = readFileSync(builtFile('report/page.html'), 'utf8');
  await writeProduct(makeReport(page, data, facts), options.output);
}

/** The page must not tell the folders of this machine. */
function nameOf(file: string): string {
  return isAbsolute(file) ? basename(file) : file;
}

/**
 * Adds the architectures of the profile to those of the page.
 * @throws SeccompcError also when it asks for no filter
 */
async function textOf(
  { bytes, file, notes }: ProfileText,
  target: Target,
  options: Options,
  arches: Set<Arch>,
): Promise<string> {
  const lowered = await withNotes(notes, lowerProfile(bytes, { target, file }));
  await printDiagnostics(lowered.diagnostics, options);
  if (!lowered.confined) throw new SeccompcError([...lowered.diagnostics, notConfined(file)]);
  for (const arch of lowered.arches) arches.add(arch);
  return decodeUtf8(bytes) ?? '';
}
