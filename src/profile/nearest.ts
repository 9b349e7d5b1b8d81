import { closest } from '../closest.ts';

/** What other tools call an action or operator: lower case, without prefix. */
const SYNONYMS: Record<string, string> = {
  deny: 'SCMP_ACT_ERRNO', block: 'SCMP_ACT_ERRNO', reject: 'SCMP_ACT_ERRNO', eperm: 'SCMP_ACT_ERRNO',
  permit: 'SCMP_ACT_ALLOW', accept: 'SCMP_ACT_ALLOW', audit: 'SCMP_ACT_LOG', usernotif: 'SCMP_ACT_NOTIFY',
  '==': 'SCMP_CMP_EQ', '=': 'SCMP_CMP_EQ', '!=': 'SCMP_CMP_NE', '<': 'SCMP_CMP_LT', '<=': 'SCMP_CMP_LE',
  '>': 'SCMP_CMP_GT', '>=': 'SCMP_CMP_GE', '&': 'SCMP_CMP_MASKED_EQ', maskedequal: 'SCMP_CMP_MASKED_EQ',
  equal: 'SCMP_CMP_EQ', notequal: 'SCMP_CMP_NE', lessthan: 'SCMP_CMP_LT', greaterthan: 'SCMP_CMP_GT',
}; // prettier-ignore

/** Prefixes that are left out or swapped for one another. */
const PREFIX = /^(scmpact|scmpcmp|scmparch|scmp|seccompret|seccompfilterflag|seccomp|act|cmp|cap)/;

/** The most likely candidate: it differs in case, prefix, punctuation, or a few letters. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const synonym = SYNONYMS[stemOf(word.slice(0, 80))] ?? SYNONYMS[word];
  if (synonym !== undefined && candidates.includes(synonym)) return synonym;
  return closest(word, candidates, stemOf)[0];
}

function stemOf(word: string): string {
  const plain = word.toLowerCase().replaceAll(/[\s_.-]/g, '');
  return plain.replace(PREFIX, '') || plain;
}

/** Each suggestion searches all candidates, and a document may have 100,000 wrong words. */
const MAX_SUGGESTIONS = 20;

/** Makes the suggestions of one stage, for the first wrong words. */
export class Suggestions {
  #left = MAX_SUGGESTIONS;

  /** "did you mean X?", or nothing. */
  didYouMean(word: string, candidates: readonly string[]): string | undefined {
    if (this.#left === 0) return undefined;
    this.#left -= 1;
    const meant = nearest(word, candidates);
    return meant === undefined ? undefined : `did you mean "${meant}"?`;
  }
}
