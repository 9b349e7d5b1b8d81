import { constants } from 'node:os';
import { actionLabel, SECCOMP_RET_ACTION_FULL } from '../action.ts';
import { answerTo, describeOrigin, readSubject } from '../audit/answer.ts';
import type { Subject } from '../audit/answer.ts';
import { readLog } from '../audit/records.ts';
import type { AuditRecord } from '../audit/records.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { decisionOn } from '../explain/explain.ts';
import { inKernelLog } from '../oci/process/kernel-log.ts';
import type { Target } from '../target.ts';

/**
 * Says at which call the filter of a profile has ended a process, as far as the kernel has logged
 * it.
 *
 * @param pid undefined for a process below the command: its number is not known any more
 * @param since ms since 1970, against earlier processes
 */
export async function refusedCall(
  { profile, file, target }: { profile: Uint8Array; file: string; target: Target },
  pid: number | undefined,
  since: number,
): Promise<Diagnostic> {
  const subject = (await readSubject(profile, target, file))!;
  const record = await inKernelLog(since, async (lines) => {
    const { records } = await readLog(lines.join('\n'));
    return records.findLast(
      (one) =>
        /^(?:KILL|TRAP)/.test(actionLabel(one.action) ?? '') &&
        (pid === undefined ? canAnswer(subject, one) : one.pid === pid),
    );
  });
  const ended = pid === undefined ? 'a process of the command' : 'the command';
  const unknown = (reason: string) => diagnostic('CALL_NOT_LOGGED', { ended, reason, file });
  if (record === undefined) return unknown("you may not read the kernel's log");
  if (record === false)
    return unknown("the kernel's log has no record of it; it drops records when there are many");
  const { abi, nr, name, action, program = 'a program' } = record;
  if (abi === undefined) return unknown('the record in the log names no known architecture');
  const answer = answerTo(subject, { abi, nr, name, action });
  const said = `${actionLabel(action)}, ${describeOrigin(answer, abi, subject)}`;
  const values = { call: name ?? `number ${nr}`, arch: abi, answer: said, file };
  if (pid === undefined)
    return diagnostic('CALL_ENDED_CHILD', { ...values, program, code: 128 + constants.signals.SIGSYS });
  return diagnostic('CALL_ENDED_COMMAND', values);
}

/** Whether the profile has this action for the call, with some arguments. */
function canAnswer({ lowered }: Subject, { auditArch, nr, action }: AuditRecord): boolean {
  const decision = decisionOn(lowered.policy, { arch: auditArch, nr });
  const answers = decision
    ? [decision.otherwise, ...decision.rules.map((rule) => rule.action)]
    : [lowered.policy.badArchAction];
  return answers.some((answer) => (answer & SECCOMP_RET_ACTION_FULL) >>> 0 === action);
}
