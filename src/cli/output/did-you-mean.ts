/** A guess at what a wrong word of the command line was meant to be. */
import { allArches } from '../../arch.ts';
import type { Diagnostic } from '../../errors.ts';
import { valuesOf } from '../../options/option-values.ts';
import { OPTIONS } from '../../options/table.ts';
import { nearest } from '../../profile/nearest.ts';
import { CAPABILITY_NAMES } from '../../target.ts';

/** The error with the guess in its hint. */
export function withGuess(found: Diagnostic, commands: readonly string[]): Diagnostic {
  const { word = '', candidates } = wrongWord(found.message, commands);
  const guess = nearest(word, candidates);
  if (guess === undefined) return found;
  const { hint } = found;
  return {
    ...found,
    hint: hint === undefined ? `did you mean ${guess}?` : `Did you mean ${guess}? Or ${hint}`,
  };
}

function wrongWord(
  message: string,
  commands: readonly string[],
): { word: string | undefined; candidates: readonly string[] } {
  const [, kind, named] = /^there is no (capability|command) "(.*)"/.exec(message) ?? [];
  if (kind !== undefined)
    return { word: named, candidates: kind === 'command' ? commands : CAPABILITY_NAMES };
  const [, option, word] = /^(?:.*?--([\w-]+))?.*?'([^']*)' is invalid/s.exec(message) ?? [];
  const choices = /Allowed choices are (.*)\.$/s.exec(message)?.[1]?.split(', ');
  const spec = OPTIONS.find(({ name }) => name === option);
  const aliases =
    spec?.takes === 'arch' || spec?.takes === 'arches' ? allArches().flatMap((arch) => arch.aliases) : [];
  return { word, candidates: choices ?? [...((spec && valuesOf(spec)) ?? []), ...aliases] };
}
