/**
 * Findings about one profile: what its compilation says, and what the rules of lint say about its
 * meaning.
 */
import type { ArchName } from '../arch.ts';
import { abiOfCall, allArches } from '../arch.ts';
import { run } from '../bpf/interpreter.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import { compile, lowerProfile } from '../compile.ts';
import { readInput } from '../compile/findings.ts';
import { codeTable, collector, diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic, ExitCode } from '../errors.ts';
import { effectsOf, surveyOf } from '../explain/effects.ts';
import { describeCall } from '../format/call.ts';
import { parseJson } from '../profile/json.ts';
import type { JsonNode } from '../profile/json.ts';
import { decodeUtf8 } from '../profile/json-text.ts';
import { escapeToken } from '../profile/pointer.ts';
import type { Profile } from '../profile/types.ts';
import { loadCallFacts } from '../syscalls/constants.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Target } from '../target.ts';
import type { Finding, Level } from './rule.ts';
import { RULES } from './rules.ts';

/** Of the compilation, about entries without effect. */
const SAID_BETTER: ReadonlySet<string> = new Set([
  'ENTRY_EQUALS_DEFAULT',
  'ENTRY_WITHOUT_EFFECT',
  'ENTRY_WITHOUT_CALL',
]);

export interface LintOptions {
  file: string;
  target: Target;
  level?: Level | undefined;
  /** Each finding; otherwise the first of each code, and how many more there are. */
  all?: boolean;
}

export interface LintReport {
  file: string;
  /** In the order of the file, with their places. */
  findings: Finding[];
  /** What to exit with if the file is no acceptable profile; its errors are the findings then. */
  failed?: ExitCode;
  /** Names of calls, for those in findings. */
  tables?: SyscallTables;
}

export async function lint(bytes: Uint8Array, options: LintOptions): Promise<LintReport> {
  const { file, target } = options;
  try {
    const { profile, findings } = readInput(bytes, { file, semantics: target.semantics });
    findings.refuseErrors();
    const found = await findingsOf(profile, options);
    const ignored = ignoresIn(bytes);
    const kept = [...found.findings, ...ignored.faults.map((each) => ({ diagnostic: each }))].filter(
      ({ diagnostic: each }) => !isIgnored(each, ignored.ignores),
    );
    for (const each of kept) place(each.diagnostic, profile);
    return {
      file,
      findings: options.all ? inFileOrder(kept) : fewOfAKind(inFileOrder(kept)),
      tables: found.tables,
    };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return {
      file,
      findings: error.diagnostics.map((each) => ({ diagnostic: each })),
      failed: error.exitCode,
    };
  }
}

async function findingsOf(
  profile: Profile,
  { file, target, level }: LintOptions,
): Promise<{ findings: Finding[]; tables: SyscallTables }> {
  const lowered = await lowerProfile(profile, { target, file });
  if (!lowered.confined) {
    const found = {
      ...diagnostic('NOT_CONFINED', {}, { hint: 'add linux.seccomp, with a defaultAction' }),
      file,
    };
    throw new SeccompcError([...lowered.diagnostics, found]);
  }
  const filter = await compile(profile, { target, prove: 'never', file });
  await loadCallFacts();
  const { tables } = lowered.reference;
  const survey = surveyOf(lowered);
  const subject = {
    profile,
    lowered,
    level,
    survey,
    effects: effectsOf(lowered, survey),
    lineOf: (pointer: string) => `line ${profile.locate(pointer)?.line ?? '?'}`,
    describe: (data: SeccompData) => callText(data, tables),
  };
  const findings = RULES.flatMap((rule) => [...rule.find(subject)]);
  for (const {
    call,
    diagnostic: { code },
  } of findings)
    if (call !== undefined) {
      const { value } = run(filter.instructions, call.data, filter.endian);
      if (value !== call.answer) throw new Error(`the program does not confirm the call of ${code}`);
    }
  // These entries are reported with a call, or with what decides instead.
  const known = new Set(
    findings
      .filter(({ diagnostic: { code } }) => code === 'ENTRY_WITHOUT_EFFECT')
      .map((each) => each.diagnostic.pointer),
  );
  const others = filter.diagnostics.filter(
    ({ code, pointer }) => !SAID_BETTER.has(code) || !known.has(pointer),
  );
  return { findings: [...others.map((each) => ({ diagnostic: each })), ...findings], tables };
}

/** The architecture and name of a call, as far as the tables know them. */
export function callParts(
  { arch, nr }: SeccompData,
  tables: SyscallTables,
): { arch: ArchName; name: string | undefined } {
  const abi = abiOfCall(arch, nr) ?? allArches()[0]!.name;
  return { arch: abi, name: tables.of(abi).nameOf(nr) };
}

function callText(data: SeccompData, tables: SyscallTables): string {
  const { arch, name = `number ${data.nr}` } = callParts(data, tables);
  return `${describeCall(arch, name, data.args)} on ${arch}`;
}

function place(found: Diagnostic, profile: Profile): void {
  const position = found.pointer === undefined ? undefined : profile.locate(found.pointer);
  Object.assign(found, { file: profile.file, ...position });
}

function inFileOrder(findings: readonly Finding[]): Finding[] {
  const lineOf = ({ diagnostic: { line = Number.MAX_SAFE_INTEGER } }: Finding) => line;
  return findings.toSorted(
    (a, b) => lineOf(a) - lineOf(b) || (a.diagnostic.column ?? 0) - (b.diagnostic.column ?? 0),
  );
}

/** The first of each code, and how many more there are. */
function fewOfAKind(findings: readonly Finding[]): Finding[] {
  const kept: Diagnostic[] = [];
  findings.map(({ diagnostic: each }) => each).forEach(collector(kept));
  const all = new Map(findings.map((finding) => [finding.diagnostic, finding]));
  return kept.map((each) => all.get(each) ?? { diagnostic: each });
}

/** A comment that silences findings of one code inside an object. */
interface Ignore {
  pointer: string;
  code: string;
}

const IGNORE = /seccompc:ignore\b[ \t]*(\S*)[ \t]*([^\n]*)/g;

function ignoresIn(bytes: Uint8Array): { ignores: Ignore[]; faults: Diagnostic[] } {
  const ignores: Ignore[] = [];
  const faults: Diagnostic[] = [];
  const text = decodeUtf8(bytes);
  const root = text?.includes('seccompc:ignore') ? parseJson(text).root : undefined;
  const codes = new Set<string>(codeTable().map(({ code }) => code));
  const visit = (node: JsonNode, pointer: string): void => {
    if (node.kind === 'array') node.items.forEach((item, index) => visit(item, `${pointer}/${index}`));
    if (node.kind !== 'object') return;
    for (const { key, value } of node.members) {
      const at = `${pointer}/${escapeToken(key)}`;
      visit(value, at);
      if (key !== 'comment' || value.kind !== 'string') continue;
      for (const [, code = '', reason = ''] of value.value.matchAll(IGNORE)) {
        const fault = !codes.has(code)
          ? code === '' ? 'it names no code' : `there is no code ${code}`
          : reason.trim() === '' ? 'it gives no reason' : undefined; // prettier-ignore
        if (fault === undefined) ignores.push({ pointer, code });
        else faults.push(diagnostic('IGNORE_INVALID', { reason: fault }, { pointer: at }));
      }
    }
  };
  if (root !== undefined) visit(root, '');
  return { ignores, faults };
}

/** Errors are never silenced. */
function isIgnored({ code, severity, pointer = '' }: Diagnostic, ignores: readonly Ignore[]): boolean {
  if (severity === 'error') return false;
  return ignores.some(
    (each) => each.code === code && (pointer === each.pointer || pointer.startsWith(`${each.pointer}/`)),
  );
}
