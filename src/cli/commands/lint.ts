import { createTwoFilesPatch } from 'diff';
import { Option } from 'commander';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Severity } from '../../errors.ts';
import { lint } from '../../lint/lint.ts';
import type { LintReport } from '../../lint/lint.ts';
import { LEVELS } from '../../lint/rule.ts';
import type { Finding, Level } from '../../lint/rule.ts';
import { decodeUtf8 } from '../../profile/json-text.ts';
import { describeAnswer, describeCall } from '../../prove/describe.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { readInput } from '../options/input-file.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { applyFixes } from '../output/apply-fixes.ts';
import { LINT_FORMATS, lintReport } from '../output/lint-report.ts';
import type { LintFormat } from '../output/lint-report.ts';
import { printDiagnostics, printable, writeStderr } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { isTerminal, writeProduct } from '../output/streams.ts';

const SEVERITIES = ['note', 'warning', 'error'] as const satisfies readonly Severity[];

interface Options extends TargetFlags, OutputOptions {
  format: LintFormat;
  failOn: Severity;
  profile?: Level;
  fix?: true;
  diff?: true;
}

const HELP = `
Looks for what a profile says and its author hardly means: entries and conditions without
effect, refusals that another call or the high bits of an argument get past, and what the
compilation warns of. Each finding that a call can show names that call.

"seccompc:ignore CODE reason" in a member "comment" silences findings of that code in the
object around it.

--fix writes what is safe: entries that repeat others are removed, refusals that high bits
get past compare under a mask. What that changes is proved and printed.

Exit codes: 0 nothing at --fail-on or above, 1 a finding, 65 a file is no acceptable profile,
66 a file cannot be read.

Examples:
  seccompc lint profile.json
  seccompc lint --profile sandbox --fail-on note *.json
  seccompc lint --format sarif profiles/*.json > findings.sarif
  seccompc lint --diff profile.json`;

export function makeCommand(): CliCommand {
  return makeLint('lint');
}

/** @param more further findings about a file that is a profile */
export function makeLint(name: string, more?: MoreFindings): CliCommand {
  const command = new CliCommand(name)
    .description('Finds what a profile says and its author hardly means.')
    .argument('<PROFILE...>', 'OCI, config.json or Docker profiles; - for standard input')
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
    .runs((files: string[], options: Options) => run(files, options, more));
  return addTargetOptions(addOutputOptions(command));
}

type MoreFindings = (file: string, bytes: Uint8Array, options: TargetFlags) => Promise<Finding[]>;

async function run(files: string[], options: Options, more?: MoreFindings): Promise<number> {
  const format = options.json ? 'json' : options.format;
  const target = targetOf(options);
  const reports: LintReport[] = [];
  const patches: string[] = [];
  for (const file of files) {
    const settings = { file, target, level: options.profile };
    try {
      let bytes = await readInput(file);
      if (options.fix || options.diff) {
        if (options.fix && file === '-') fail('USAGE', { reason: '--fix needs a file that it can write' });
        const text = decodeUtf8(bytes) ?? '';
        const fixed = await applyFixes(text, settings);
        if (fixed.refused > 0)
          await printDiagnostics([refusedFixes(fixed.refused, file)], { ...options, json: false });
        if (fixed.count > 0) {
          patches.push(createTwoFilesPatch(file, file, text, fixed.text));
          if (options.fix) await writeProduct(fixed.text, file);
          if (!options.quiet) await writeStderr(await proofText(file, fixed.count, fixed.changed));
          if (options.fix) bytes = Buffer.from(fixed.text);
        }
      }
      const report = await lint(bytes, settings);
      if (report.failed === undefined) report.findings.push(...((await more?.(file, bytes, options)) ?? []));
      reports.push(report);
    } catch (error) {
      if (!(error instanceof SeccompcError) || error.diagnostics.some(({ code }) => code === 'USAGE'))
        throw error;
      reports.push({
        file,
        findings: error.diagnostics.map((each) => ({ diagnostic: each })),
        failed: error.exitCode,
      });
    }
  }
  await writeProduct(
    options.diff ? patches.join('') : lintReport(reports, format, isTerminal(1) && !process.env['NO_COLOR']),
  );
  const least = SEVERITIES.indexOf(options.failOn);
  const isFatal = reports.some(({ findings }) =>
    findings.some((found) => SEVERITIES.indexOf(found.diagnostic.severity) >= least),
  );
  const failed = reports.find((report) => report.failed !== undefined)?.failed;
  return failed ?? (isFatal ? EXIT.no : EXIT.ok);
}

function refusedFixes(count: number, file: string) {
  const reason = 'the profile with them is not proved to be as strict';
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
