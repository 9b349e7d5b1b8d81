import { statSync } from 'node:fs';
import { createTwoFilesPatch } from 'diff';
import { Option } from 'commander';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic, Severity } from '../../errors.ts';
import type { ProfileText } from '../../input/profile-text.ts';
import { applyFixes } from '../../lint/fix.ts';
import { lint } from '../../lint/lint.ts';
import type { LintReport } from '../../lint/lint.ts';
import { LEVELS } from '../../lint/rule.ts';
import type { Finding, Level } from '../../lint/rule.ts';
import { isBuiltIn } from '../../options/built-in.ts';
import { decodeUtf8 } from '../../profile/json-text.ts';
import { findProfiles } from '../../prebuild/profile-files.ts';
import { describeAnswer, describeCall } from '../../prove/describe.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { readInput } from '../options/input-file.ts';
import { addReadingOptions, openProfile } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { isAtLeast, LINT_FORMATS, lintReport, SEVERITIES } from '../output/lint-report.ts';
import type { LintFormat } from '../output/lint-report.ts';
import { makeProgress } from '../output/progress.ts';
import type { Progress } from '../output/progress.ts';
import { printDiagnostics, printable, styleFor, writeStderr } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends TargetFlags, ReadingFlags, OutputOptions {
  format: LintFormat;
  failOn: Severity;
  profile?: Level;
  fix?: true;
  diff?: true;
}

const HELP = `
Looks for entries and conditions without effect, refusals that another call or the high bits
of an argument get past, and what the compilation warns of. Each finding that a call can show
names that call.

"seccompc:ignore CODE reason" in a member "comment" silences findings of that code in the
object around it.

--fix writes what is safe: entries that repeat others are removed, refusals that high bits
get past compare under a mask. What that changes is proved and printed.

Exit codes: 0 nothing at --fail-on or above, 1 a finding, 65 a file is no acceptable profile,
66 a file cannot be read.

Examples:
  seccompc lint profile.json
  seccompc lint --profile sandbox --fail-on note *.json
  seccompc lint --format sarif profiles > findings.sarif
  seccompc lint --diff profile.json`;

export function makeCommand(): CliCommand {
  return makeLint('lint');
}

/** @param more further findings about a file that is a profile */
export function makeLint(name: string, more?: MoreFindings): CliCommand {
  const command = new CliCommand(name)
    .description('Finds mistakes in profiles.')
    .argument('<PROFILE|DIR...>', 'profiles, and folders: all .json files below them; - for standard input')
    .addOption(new Option('--format <FORMAT>', 'how to print findings').choices(LINT_FORMATS).default('text'))
    .addOption(
      new Option('--fail-on <SEVERITY>', 'the least severity that fails')
        .choices(SEVERITIES)
        .default('warning'),
    )
    .addOption(new Option('--profile <LEVEL>', 'also name dangerous calls for such a use').choices(LEVELS))
    .option('--fix', 'write the safe fixes')
    .addOption(new Option('--diff', 'print what --fix would change, and write nothing').conflicts('fix'))
    .addHelpText('after', HELP)
    .runs(async (files: string[], options: Options) => {
      if (options.fix && command.args.some(isBuiltIn))
        fail('USAGE', { reason: '--fix does not write a built-in profile: copy it first' });
      return run(files, options, more);
    });
  return addTargetOptions(addReadingOptions(addOutputOptions(command)));
}

type MoreFindings = (path: string, profile: ProfileText, options: TargetFlags) => Promise<Finding[]>;

async function run(files: string[], options: Options, more?: MoreFindings): Promise<number> {
  const format = options.json ? 'json' : options.format;
  const target = targetOf(options);
  const reports: LintReport[] = [];
  const patches: string[] = [];
  const named = await namedFiles(files);
  const progress = makeProgress(named.length, options);
  for (const [done, { path, found }] of named.entries()) {
    progress.show(done);
    const report = await lintFile(path, options, { target, patches, more, progress });
    const other = found
      ? report.findings.find(({ diagnostic: { code } }) => code === 'NOT_A_PROFILE')
      : undefined;
    if (other === undefined) reports.push(report);
    else {
      progress.clear();
      await printDiagnostics([{ ...other.diagnostic, severity: 'note' }], options);
    }
  }
  progress.clear();
  await writeProduct(
    options.diff
      ? patches.join('')
      : lintReport(reports, { format, failOn: options.failOn, style: styleFor(1) }),
  );
  const isFatal = reports.some(({ findings }) => findings.some((found) => isAtLeast(options.failOn, found)));
  const failed = reports.find((report) => report.failed !== undefined)?.failed;
  return failed ?? (isFatal ? EXIT.no : EXIT.ok);
}

/** With the .json files below each folder; `found`: in a folder, not named. */
async function namedFiles(paths: readonly string[]): Promise<{ path: string; found: boolean }[]> {
  const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const files = await Promise.all(
    paths.map(async (path) => (isFolder(path) ? findProfiles([path]) : [{ path, found: false }])),
  );
  return files.flat();
}

interface LintContext {
  target: Target;
  /** What --diff prints. */
  patches: string[];
  more: MoreFindings | undefined;
  progress: Progress;
}

/** The findings of a file; with --fix, after the fixes. */
async function lintFile(
  path: string,
  options: Options,
  { target, patches, more, progress }: LintContext,
): Promise<LintReport> {
  try {
    const input = await readInput(path);
    const opened = await openProfile(input, path, options);
    const { file, notes } = opened;
    if (notes.length > 0 || options.fix || options.diff) progress.clear();
    await printDiagnostics(notes, options);
    const settings = { file, target, level: options.profile };
    if (options.fix || options.diff) {
      const isAlone = opened.bytes === input && path !== '-';
      const fixed = await applyFixes(decodeUtf8(opened.bytes) ?? '', settings);
      const refused = options.fix && !isAlone ? fixed.refused + fixed.count : fixed.refused;
      if (refused > 0) await printDiagnostics([refusedFixes(refused, file, isAlone)], {});
      if (fixed.count > 0 && (isAlone || options.diff)) {
        patches.push(createTwoFilesPatch(file, file, decodeUtf8(opened.bytes) ?? '', fixed.text));
        if (options.fix) await writeProduct(fixed.text, path);
        if (!options.quiet) await writeStderr(await proofText(file, fixed.count, fixed.changed));
        if (options.fix) opened.bytes = Buffer.from(fixed.text);
      }
    }
    const report = await lint(opened.bytes, settings);
    if (report.failed === undefined) report.findings.push(...((await more?.(path, opened, options)) ?? []));
    return report;
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    const findings = error.diagnostics.map((each) => ({ diagnostic: each }));
    return { file: path, findings, failed: error.exitCode };
  }
}

function refusedFixes(count: number, file: string, isAlone: boolean): Diagnostic {
  const reason = isAlone
    ? 'the profile with them is not proved to be as strict'
    : 'only a file that is the profile and nothing around it can be written';
  return { ...diagnostic('FIX_REFUSED', { count, reason }), file };
}

/** What fixes change, as the comparison of both profiles proves it. */
async function proofText(
  file: string,
  count: number,
  changed: Awaited<ReturnType<typeof applyFixes>>['changed'],
): Promise<string> {
  const fixes = count === 1 ? '1 fix' : `${count} fixes`;
  const verdict =
    changed.length === 0
      ? 'proved: every call gets the answer that it got'
      : 'proved: nothing gets through that did not';
  const lines = await Promise.all(
    changed.map(async ({ data, abi, first, second }) => {
      const call = await describeCall(data, abi);
      return `  ${call}: was ${describeAnswer(first, abi)}, is ${describeAnswer(second, abi)}`;
    }),
  );
  return [`${file}: ${fixes}; ${verdict}`, ...lines].map((line) => `${printable(line)}\n`).join('');
}
