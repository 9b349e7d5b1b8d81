/** Which input of a set operation decides a call, and why. */
import { compareSeverity } from '../../../action.ts';
import type { ArchName } from '../../../arch.ts';
import { runPrograms } from '../../../bpf/stack.ts';
import type { LoweredProfile } from '../../../compile.ts';
import { explainCall } from '../../../explain/explain.ts';
import { describeSource } from '../../../explain/text.ts';
import { OPERATIONS, refuses, UNMATCHED } from '../../../merge/operations.ts';
import type { Operation } from '../../../merge/operations.ts';
import type { Profile } from '../../../profile/types.ts';
import type { Joined, Side } from '../../../prove/compare.ts';
import { answerParts, describeAnswer } from '../../../prove/describe.ts';
import type { Call } from '../../options/call.ts';
import { callOf } from '../../output/explanation.ts';

/** `profile` and `lowered`: of a profile or a patch, not of a filter. */
export interface Input {
  file: string;
  side: Side | Joined;
  profile?: Profile;
  lowered?: LoweredProfile & { confined: true };
}

/**
 * `answer`: u32, UNMATCHED of a patch without an entry for the call. `source`: if no entry gives
 * it.
 */
interface Part {
  answer: number;
  place: string;
  source?: string;
}

export function explainMerge(
  operation: Operation,
  inputs: readonly Input[],
  call: Call,
  arch: ArchName,
): { json: unknown; text: string } {
  const parts = inputs.map((input) => partOf(input, call, arch));
  const answers = parts.map(({ answer }) => answer);
  const { start, join } = OPERATIONS[operation];
  const answer = start === undefined ? answers.reduce(join) : answers.reduce(join, start);
  const isLast = operation === 'extend';
  const by = isLast
    ? answers.findLastIndex((own) => own !== UNMATCHED)
    : Math.max(answers.indexOf(answer), 0);
  const why = whyOf(operation, answers, by);
  const said = (own: number) => (own === UNMATCHED ? 'no entry matches' : describeAnswer(own, arch));
  const lines = parts.map(({ answer: own, place, source }) =>
    [`${place}: ${said(own)}`, ...(source === undefined ? [] : [source])].join(', '),
  );
  return {
    json: {
      ...answerParts(answer, arch),
      decidedBy: parts[by]!.place,
      why,
      inputs: parts.map(({ answer: own, place, source = null }) => ({
        ...(own === UNMATCHED ? { action: null } : answerParts(own, arch)),
        place,
        source,
      })),
      call: callOf(arch, call),
    },
    text: `${[describeAnswer(answer, arch), `decided by: ${parts[by]!.place}, ${why}`, ...lines].join('\n')}\n`,
  };
}

function partOf({ file, side, profile, lowered }: Input, { data }: Call, arch: ArchName): Part {
  if (profile === undefined || lowered === undefined) {
    if (!('endian' in side)) throw new Error('internal error: an input is neither a profile nor a filter');
    return { answer: runPrograms(side, data).value, place: file };
  }
  const { answer, source, entry } = explainCall(profile, lowered, data);
  if (entry !== undefined) {
    const { line, column } = profile.locate(entry) ?? {};
    return { answer, place: [file, line, column].filter((part) => part !== undefined).join(':') };
  }
  if ('sides' in side) return { answer: UNMATCHED, place: file };
  const isListed = lowered.arches.some(({ name }) => name === arch);
  return { answer, place: file, source: describeSource(source, arch, isListed) };
}

function whyOf(operation: Operation, answers: readonly number[], by: number): string {
  const first = answers[0]!;
  const isFirst = by === 0;
  switch (operation) {
    case 'extend':
      return isFirst ? 'no entry of a patch matches' : 'the last patch with an entry that matches';
    case 'subtract':
      if (!isFirst) return 'the first that refuses what A lets through';
      return refuses(first) ? 'A refuses it itself' : 'no other input refuses it';
    case 'intersect':
    case 'union': {
      const degree = operation === 'intersect' ? 'strictest' : 'laxest';
      const shared = answers.filter((each) => compareSeverity(each, answers[by]!) === 0);
      return shared.length > 1 ? `the first with the ${degree} answer` : `the ${degree} answer`;
    }
  }
}
