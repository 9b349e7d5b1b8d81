import { straceLine } from '../audit/strace-line.ts';
import { ALLOW, namesOf, refuse } from './draft.ts';
import type { Answer, Draft, Place } from './draft.ts';

/** Whether the listed calls are the allowed or the refused ones, and what refused ones get. */
export interface ListMeaning {
  refused: Answer;
  allowRest: boolean;
}

/** A profile of the named calls and groups. */
export function listDraft(words: [word: string, place: Place][], { refused, allowRest }: ListMeaning): Draft {
  const names = words.flatMap(([word, place]) => namesOf(word, place));
  const [fallback, listed] = allowRest ? [ALLOW, refused] : [refused, ALLOW];
  return { fallback, architectures: [], rules: names.map((name) => ({ name, ...listed })) };
}

/** Names separated by blanks, commas and line breaks; `#` starts a comment. */
export function namesIn(text: string, file: string): [string, Place][] {
  return text.split('\n').flatMap((line, index) =>
    line
      .replace(/#.*/, '')
      .split(/[\s,]+/)
      .filter((word) => word !== '')
      .map((word): [string, Place] => [word, { file, line: index + 1 }]),
  );
}

/** What is no call, behind the process and the time. */
const NO_CALL = /^(?:---|\+\+\+|<\.\.\. \w+ resumed|$)/;
/** What strace says itself, except that a program is of another architecture. */
const NOTICE = /^strace: (?!\[ Process)/;

/** The calls of a log of strace. */
export function callsIn(text: string, file: string): [string, Place][] {
  const found = new Map<string, Place>();
  for (const [index, line] of text.split('\n').entries()) {
    const place = { file, line: index + 1 };
    const { rest } = straceLine(line.trimEnd());
    const name = /^([a-z_]\w*)\(/.exec(rest)?.[1];
    if (name !== undefined) found.set(name, found.get(name) ?? place);
    else if (!NO_CALL.test(rest) && !NOTICE.test(line))
      refuse(place, 'this line of the log names no call', 'give a log of "strace -f -o FILE COMMAND"');
  }
  return [...found];
}
