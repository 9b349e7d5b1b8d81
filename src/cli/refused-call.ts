import { actionLabel } from '../action.ts';
import { answerTo, describeOrigin, readSubject } from '../audit/answer.ts';
import { readLog } from '../audit/records.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { kernelRecordsOf } from '../oci/process/kernel-log.ts';
import type { Target } from '../target.ts';

/** Says at which call the filter of a profile has ended a process, as far as the kernel has logged it. */
export async function refusedCall(
  { profile, file, target }: { profile: Uint8Array; file: string; target: Target },
  pid: number,
  since: number,
): Promise<Diagnostic> {
  const lines = await kernelRecordsOf(pid, since);
  const unknown = (reason: string) => diagnostic('CALL_NOT_LOGGED', { reason, file });
  if (lines === undefined) return unknown("you may not read the kernel's log");
  const { records } = await readLog(lines.join('\n'));
  const record = records.findLast(({ action }) => /^(?:KILL|TRAP)/.test(actionLabel(action) ?? ''));
  if (record === undefined)
    return unknown("the kernel's log has no record of it; it drops records when there are many");
  const { abi, nr, name, action } = record;
  if (abi === undefined) return unknown('the record in the log names no known architecture');
  const subject = (await readSubject(profile, target, file))!;
  const answer = answerTo(subject, { abi, nr, name, action });
  const said = `${actionLabel(action)}, ${describeOrigin(answer, abi, subject)}`;
  return diagnostic('CALL_ENDED_COMMAND', { call: name ?? `number ${nr}`, arch: abi, answer: said, file });
}
