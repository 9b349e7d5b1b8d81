/** Changes the text of a profile as findings propose, and proves what that changes. */
import { lowerProfile } from '../compile.ts';
import { lint } from './lint.ts';
import type { LintOptions } from './lint.ts';
import type { Change, Fix } from './rule.ts';
import { parseJson } from '../profile/json.ts';
import { find } from '../profile/pointer.ts';
import { compare } from '../prove/compare.ts';
import type { Difference } from '../prove/compare.ts';
import { SeccompcError } from '../errors.ts';

const MOST_ROUNDS = 100;

export interface Fixed {
  text: string;
  count: number;
  /** Fixes that are not safe for this profile after all. */
  refused: number;
  /**
   * Calls that the new profile answers more strictly, one each; proved to be all kinds of change
   * there are.
   */
  changed: Difference[];
}

export async function applyFixes(text: string, options: LintOptions): Promise<Fixed> {
  let current = text;
  let count = 0;
  let refused = 0;
  // Entries are removed last: the places of all that follows move.
  for (const relation of ['tightens', 'equal'] as const)
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const { findings } = await lint(new TextEncoder().encode(current), { ...options, all: true });
      const fixes = findings.flatMap(({ fix }) => (fix?.relation === relation ? [fix] : []));
      const part = await largestPart(current, fixes, options);
      if (part === undefined) {
        refused += fixes.length;
        break;
      }
      current = part.text;
      count += part.count;
    }
  const changed = count === 0 ? [] : await differences(text, current, options);
  return { text: current, count, refused, changed };
}

/**
 * The last fixes of a list, as many as pass together. Entries that repeat each other are all
 * without effect, but not all can be removed.
 */
async function largestPart(
  text: string,
  fixes: readonly Fix[],
  options: LintOptions,
): Promise<{ text: string; count: number } | undefined> {
  for (let count = fixes.length; count > 0; count >>= 1) {
    const made = await tried(text, fixes.slice(-count), options);
    if (made !== undefined) return { text: made, count };
  }
  return undefined;
}

/** The text with the fixes, if the new profile is proved to be what they promise. */
async function tried(text: string, fixes: readonly Fix[], options: LintOptions): Promise<string | undefined> {
  const changes = fixes.flatMap((fix) => fix.changes);
  const made = changedText(text, changes);
  if (made === text) return undefined;
  const relation = fixes.every((fix) => fix.relation === 'equal') ? 'equal' : 'tightens';
  try {
    const [before, after] = await Promise.all([text, made].map((each) => reference(each, options)));
    return compare(before!, after!, { relation }).verdict === 'holds' ? made : undefined;
  } catch (error) {
    if (error instanceof SeccompcError) return undefined;
    throw error;
  }
}

/** Changes nothing else; a new member gets the white space of the one before it. */
function changedText(text: string, changes: readonly Change[]): string {
  const root = parseJson(text).root!;
  const removed = new Set(changes.filter(({ value }) => value === undefined).map(({ pointer }) => pointer));
  const edits = changes.map(({ pointer, value }): [from: number, to: number, by: string] => {
    const cut = pointer.lastIndexOf('/');
    const [above, key] = [pointer.slice(0, cut), pointer.slice(cut + 1)];
    const { node } = find(root, above);
    if (node.kind === 'array' && value === undefined) {
      const at = Number(key);
      const { offset, end } = node.items[at]!;
      // The comma before it goes, or the one behind if all before it go too.
      const kept = node.items.findIndex((_, index) => !removed.has(`${above}/${index}`));
      if (kept < 0 || at < kept) return [offset, node.items[at + 1]?.offset ?? end, ''];
      return [node.items[at - 1]!.end, end, ''];
    }
    if (node.kind !== 'object' || value === undefined) throw new Error(`${pointer} cannot be changed`);
    const known = node.members.find((member) => member.key === key);
    if (known !== undefined) return [known.value.offset, known.value.end, JSON.stringify(value)];
    const last = node.members.at(-1)!;
    const space = /\s*$/.exec(text.slice(0, last.keyOffset))![0];
    return [last.value.end, last.value.end, `,${space}"${key}": ${JSON.stringify(value)}`];
  });
  const parts: string[] = [];
  let done = 0;
  for (const [from, to, by] of edits.toSorted(([a], [b]) => a - b)) {
    parts.push(text.slice(done, from), by);
    done = to;
  }
  return [...parts, text.slice(done)].join('');
}

/**
 * One fix of a finding, if the new profile is proved to be what it promises; with the calls that it
 * changes.
 */
export async function applyFix(
  text: string,
  fix: Fix,
  options: LintOptions,
): Promise<{ text: string; changed: Difference[] } | undefined> {
  const made = await tried(text, [fix], options);
  return made === undefined ? undefined : { text: made, changed: await differences(text, made, options) };
}

async function differences(before: string, after: string, options: LintOptions): Promise<Difference[]> {
  const result = compare(await reference(before, options), await reference(after, options), {
    relation: 'equal',
  });
  return result.verdict === 'broken' ? result.differences : [];
}

async function reference(text: string, { file, target }: LintOptions) {
  const lowered = await lowerProfile(text, { target, file });
  if (!lowered.confined) throw new Error('a profile without a filter has no fixes');
  return lowered.reference;
}
