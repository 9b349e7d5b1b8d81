/** Findings for people and for the tools that show them. */
import { codeTable } from '../../errors.ts';
import type { Severity } from '../../errors.ts';
import { packageVersion } from '../../cache/version.ts';
import { callParts } from '../../lint/lint.ts';
import type { LintReport } from '../../lint/lint.ts';
import type { Finding } from '../../lint/rule.ts';
import { RULES } from '../../lint/rules.ts';
import { answerParts } from '../../prove/describe.ts';
import { junitReport } from './junit.ts';
import type { JunitCase, JunitSuite } from './junit.ts';
import { diagnosticJson, formatDiagnostic, toJson } from './report.ts';
import type { Style } from './report.ts';
import { printable } from './text.ts';

export const LINT_FORMATS = ['text', 'json', 'sarif', 'github', 'junit'] as const;
export type LintFormat = (typeof LINT_FORMATS)[number];

/** Severities, those that matter least first. */
export const SEVERITIES = ['note', 'warning', 'error'] as const satisfies readonly Severity[];

/** Whether a finding is at least as severe. */
export function isAtLeast(failOn: Severity, { diagnostic: { severity } }: Finding): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(failOn);
}

interface ReportOptions {
  format: LintFormat;
  failOn: Severity;
  style: Style;
}

export function lintReport(reports: readonly LintReport[], { format, failOn, style }: ReportOptions): string {
  const all = reports.flatMap((report) => report.findings.map((finding) => ({ report, finding })));
  switch (format) {
    case 'text':
      return all.map(({ finding }) => formatDiagnostic(finding.diagnostic, style)).join('');
    case 'json':
      return toJson({
        files: reports.map((report) => ({
          file: report.file,
          findings: report.findings.map((finding) => findingJson(finding, report)),
        })),
      });
    case 'github':
      return all.map(({ finding }) => githubLine(finding)).join('');
    case 'junit':
      return junitReport(reports.map((report) => suiteOf(report, failOn)));
    case 'sarif':
      return toJson(sarif(all.map(({ finding }) => finding)));
  }
}

/** A finding that does not fail the command is a test that passed. */
function suiteOf({ file, findings, failed }: LintReport, failOn: Severity): JunitSuite {
  const cases = findings.map((finding): JunitCase => {
    const { code, line, column, message } = finding.diagnostic;
    const name = line === undefined ? code : `${code} at ${line}:${column ?? 1}`;
    if (!isAtLeast(failOn, finding)) return { name };
    return { name, problem: { kind: failed === undefined ? 'failure' : 'error', message } };
  });
  return { name: file, cases: cases.length > 0 ? cases : [{ name: 'no findings' }] };
}

function findingJson({ diagnostic, call, fix }: Finding, { tables }: LintReport): unknown {
  const { file: _, ...rest } = diagnosticJson(diagnostic);
  if (call === undefined || tables === undefined) return { ...rest, call: null, fixable: false };
  const { arch, name } = callParts(call.data, tables);
  const { nr, args } = call.data;
  const shown = {
    arch,
    nr,
    name: name ?? null,
    args: args.map(String),
    answer: answerParts(call.answer, arch),
  };
  return { ...rest, call: shown, fixable: fix !== undefined };
}

/** A workflow command; a line break in a value would start another one. */
function githubLine({ diagnostic: { severity, file, line, column, code, message, hint } }: Finding): string {
  const command = severity === 'note' ? 'notice' : severity;
  const data = (text: string) =>
    printable(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const place = line === undefined ? '' : `,line=${line},col=${column ?? 1}`;
  const text = hint === undefined ? message : `${message} (${hint})`;
  return `::${command} file=${property(file ?? '')}${place},title=${code}::${data(text)}\n`;
}

const LEVELS: Record<Severity, string> = { error: 'error', warning: 'warning', note: 'note' };

/** SARIF 2.1.0 (OASIS). */
function sarif(findings: readonly Finding[]): unknown {
  const used = new Set<string>(findings.map(({ diagnostic: { code } }) => code));
  const reasons = new Map<string, string>(RULES.map(({ code, reason }) => [code, reason]));
  const rules = codeTable().filter(({ code }) => used.has(code));
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'seccompc',
            version: packageVersion(),
            rules: rules.map(({ code, severity, message }) => ({
              id: code,
              shortDescription: { text: reasons.get(code) ?? message },
              defaultConfiguration: { level: LEVELS[severity] },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map(({ diagnostic: { code, severity, file, line, column, message, hint } }) => ({
          ruleId: code,
          ruleIndex: rules.findIndex((rule) => rule.code === code),
          level: LEVELS[severity],
          message: { text: hint === undefined ? message : `${message} (${hint})` },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: uriOf(file ?? '-') },
                ...(line !== undefined && { region: { startLine: line, startColumn: column ?? 1 } }),
              },
            },
          ],
        })),
      },
    ],
  };
}

/** A relative reference, or a file URI for an absolute path. */
function uriOf(file: string): string {
  if (file === '-') return 'stdin';
  const path = file.split('/').map(encodeURIComponent).join('/');
  return file.startsWith('/') ? `file://${path}` : path;
}
