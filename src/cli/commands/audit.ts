import { actionLabel, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../../action.ts';
import type { ArchName } from '../../arch.ts';
import { answerTo, describeOrigin, placesOf, readSubject } from '../../audit/answer.ts';
import type { Answer, Subject, Wanted } from '../../audit/answer.ts';
import { proposePatch, wantedIn } from '../../audit/patch.ts';
import type { Proposal } from '../../audit/patch.ts';
import { foldRecords, readLog } from '../../audit/records.ts';
import type { FoldedRecord } from '../../audit/records.ts';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import { errnoName } from '../../errno.ts';
import { describeCondition } from '../../format/call.ts';
import { formatLine } from '../../profile/oci-text.ts';
import { isBuiltIn } from '../../options/built-in.ts';
import { describeAnswer } from '../../prove/describe.ts';
import { auditArchHex } from '../../syscalls/lookup.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { profilePath } from '../options/built-in-profile.ts';
import { notConfined } from '../options/confined.ts';
import { readInput } from '../options/input-file.ts';
import { openProfile } from '../options/profile-file.ts';
import { refuseTwiceStdin } from '../options/operand.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { makeProgress } from '../output/progress.ts';
import { diagnosticJson, printDiagnostics, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends TargetFlags, OutputOptions {
  profile?: string;
  apply?: true;
  output?: string;
  anyArguments?: true;
}

const HELP = `
FILE has SECCOMP records of the kernel, in any form: dmesg, journalctl, audit.log,
ausearch -i. Lines of strace count too: calls that failed with EPERM or ENOSYS, or ended the
process. They are taken for calls of --arch.

Without --profile: how often, call, architecture, action and programs, separated by tabs.
With --profile: also the entry that decides, and the smallest change that allows this call
and changes nothing else, as a JSON Patch (RFC 6902) with its proof. The patches apply one
after another.

Exit codes: 1 if there is no record, or a call without such a change.

Examples:
  dmesg | seccompc audit
  journalctl -k | seccompc audit --profile profile.json
  seccompc audit audit.log --profile profile.json --apply -o new.json`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('audit')
    .description('Reads which calls a filter has refused, and how a profile would allow them.')
    .argument('[FILE]', 'the log; - or nothing for standard input', '-')
    .option('--profile <P>', 'the profile that the filter was made of')
    .option('--apply', 'write the changed profile')
    .option('-o, --output <FILE>', 'where --apply writes (default: the profile itself)')
    .option('--any-arguments', 'allow any arguments where the record does not have those that decide')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addOutputOptions(command));
}

/** What is said of one call; a call of strace with several lists of arguments gets several. */
interface Verdict {
  wanted: Wanted;
  answer: Answer | undefined;
  proposal: Proposal;
}

async function run(file: string, options: Options): Promise<number> {
  const { profile, apply, output } = options;
  const profileFile = profile === undefined ? undefined : profilePath(profile);
  if (profileFile === undefined && (apply || options.anyArguments))
    fail('USAGE', { reason: '--apply and --any-arguments need --profile' });
  if (output !== undefined && !apply) fail('USAGE', { reason: '--output needs --apply' });
  const place = output ?? profileFile;
  if (apply && output === undefined && isBuiltIn(profile ?? ''))
    fail('USAGE', { reason: '--apply does not write a built-in profile: name a file by --output' });
  if (apply && place === '-') fail('USAGE', { reason: 'name the file for --apply by --output' });
  if (profileFile !== undefined) refuseTwiceStdin(file, profileFile);

  const target = targetOf(options);
  const { records, unread } = await readLog(new TextDecoder().decode(await readInput(file)), target.arch);
  const warnings = unread.length === 0 ? [] : [unreadable(unread, file)];
  const original = profileFile === undefined ? undefined : await subjectIn(profileFile, options);
  const calls = foldRecords(records).filter((record) => isRefusal(record, original));
  if (calls.length === 0) throw new SeccompcError([...warnings, { ...diagnostic('NO_RECORDS'), file }]);
  await printDiagnostics(warnings, options);

  let subject = original;
  const found: { record: FoldedRecord; verdicts: Verdict[] }[] = [];
  const progress = makeProgress(calls.length, options);
  for (const record of calls) {
    const verdicts: Verdict[] = [];
    for (const wanted of original === undefined ? [] : wantedIn(original, record)) {
      const answer = answerTo(original!, wanted);
      const proposal = await proposePatch(subject!, wanted, options.anyArguments);
      if (proposal.kind === 'patch') ({ subject } = proposal);
      verdicts.push({ wanted, answer, proposal });
    }
    found.push({ record, verdicts });
    progress.show(found.length);
  }
  progress.clear();
  const applied = apply && subject !== original ? place : undefined;
  if (applied !== undefined) await writeProduct(subject!.text, applied);
  await writeProduct(
    options.json
      ? toJson({
          records: found.map(({ record, verdicts }) => recordJson(record, verdicts, original)),
          applied: applied ?? null,
          diagnostics: warnings.map(diagnosticJson),
        })
      : table(found.flatMap(({ record, verdicts }) => rows(record, verdicts, original))),
  );
  const refused = found.some(({ verdicts }) => verdicts.some(({ proposal }) => proposal.kind === 'none'));
  return refused ? EXIT.no : EXIT.ok;
}

function unreadable(lines: readonly number[], file: string) {
  return { ...diagnostic('RECORD_UNREADABLE', { count: lines.length }), file, line: lines[0]! };
}

/** @throws SeccompcError for what is no profile, or asks for no filter */
async function subjectIn(path: string, options: Options): Promise<Subject> {
  const input = await readInput(path);
  const { bytes, file } = await openProfile(input, path, {});
  if (options.apply && bytes !== input)
    fail('USAGE', { reason: `--apply changes a profile in JSON; ${path} has it inside another document` });
  const subject = await readSubject(bytes, targetOf(options), file);
  if (subject === undefined) throw new SeccompcError([notConfined(file)]);
  return subject;
}

/**
 * Of strace's failed calls only those that a filter may have refused: most fail for other reasons.
 */
function isRefusal({ action, errno, abi, nr, name }: FoldedRecord, subject: Subject | undefined): boolean {
  if (action !== SECCOMP_RET_ERRNO || errno === undefined || abi === undefined) return true;
  const usual = ['EPERM', 'ENOSYS'].includes(errnoName(errno, 'generic') ?? '');
  if (subject === undefined) return usual;
  const answer = answerTo(subject, { abi, nr, name, action });
  return usual || answer?.explanation?.answer === (action | errno) >>> 0;
}

function rows(
  record: FoldedRecord,
  verdicts: readonly Verdict[],
  subject: Subject | undefined,
): (string | number)[][] {
  const { count, name, nr, abi, auditArch, programs } = record;
  const where = abi ?? auditArchHex(auditArch);
  const lines = verdicts.flatMap((verdict) => verdictLines(verdict, record.abi!, subject!));
  return [
    [count, name ?? nr, where, actionOf(record), programs.join(', ')],
    ...lines.map((line) => ['', line]),
  ];
}

function verdictLines({ wanted, answer, proposal }: Verdict, abi: ArchName, subject: Subject): string[] {
  const conditions = [...(wanted.args ?? [])].flatMap((value, index) => {
    if (value === undefined) return [];
    return [describeCondition(abi, wanted.name ?? '', { index, op: 'EQ', value, valueTwo: 0n })];
  });
  const condition = conditions.length === 0 ? '' : ` where ${conditions.join(' && ')}`;
  const first = `profile: ${answer?.text ?? 'KILL_THREAD'}${condition}, ${describeOrigin(answer, abi, subject)}`;
  if (proposal.kind === 'none') return [first, `no patch: ${proposal.reason}`];
  if (proposal.kind === 'patch')
    return [
      first,
      `patch: ${formatLine(proposal.changes, '')}`,
      `proof: nothing else changes. ${proposal.proof}`,
    ];
  return answer?.explanation?.answer === SECCOMP_RET_ALLOW
    ? [first, 'no patch: the profile allows it, so another filter or another version of it was on']
    : [first, 'no patch: one above allows it'];
}

function recordJson(
  record: FoldedRecord,
  verdicts: readonly Verdict[],
  subject: Subject | undefined,
): object {
  const { count, name, nr, abi, auditArch, action, errno, programs, lines } = record;
  return {
    call: name ?? null,
    nr,
    arch: abi ?? null,
    auditArch,
    action: actionLabel(action) ?? null,
    errno: errno ?? null,
    count,
    programs,
    lines,
    verdicts: verdicts.map(({ wanted, answer, proposal }) => ({
      args: wanted.args?.map((value) => (value === undefined ? null : String(value))) ?? null,
      answer: answer?.text ?? null,
      decidedBy: placesOf(answer, subject!),
      allowed: proposal.kind === 'allowed',
      patch: proposal.kind === 'patch' ? (JSON.parse(formatLine(proposal.changes, '')) as unknown) : null,
      proof: proposal.kind === 'patch' ? proposal.proof : null,
      reason: proposal.kind === 'none' ? proposal.reason : null,
    })),
  };
}

function actionOf({ action, errno, abi }: FoldedRecord): string {
  return errno === undefined
    ? (actionLabel(action) ?? auditArchHex(action))
    : describeAnswer(action | errno, abi);
}
