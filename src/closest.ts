import { distance } from 'fastest-levenshtein';

/** Characters. No name has as many. */
const LONGEST = 80;

/**
 * The candidates of which at most a third of the word's letters, or one, is wrong, the best first;
 * equal ones in their order. Letters that changed places count once.
 * @param stemOf what of a word counts first; the rest decides between candidates that are equal
 *   otherwise
 */
export function closest(
  word: string,
  candidates: readonly string[],
  stemOf: (word: string) => string,
): string[] {
  const written = word.slice(0, LONGEST);
  const stem = stemOf(written);
  if (stem === '') return [];
  const letters = lettersOf(stem);
  const most = Math.max(1, Math.floor(stem.length / 3));
  return candidates
    .map((candidate) => {
      const other = stemOf(candidate);
      const apart = distance(stem, other) - (other !== stem && lettersOf(other) === letters ? 1 : 0);
      return { candidate, apart };
    })
    .filter(({ apart }) => apart <= most)
    .map((each) => ({ ...each, whole: distance(written, each.candidate) }))
    .toSorted((a, b) => a.apart - b.apart || a.whole - b.whole)
    .map(({ candidate }) => candidate);
}

function lettersOf(stem: string): string {
  return stem.split('').toSorted().join('');
}
