/** Changes the text of a profile as findings propose, and proves what that changes. */
import { lowerProfile } from '../../compile.ts';
import { lint } from '../../lint/lint.ts';
import type { LintOptions } from '../../lint/lint.ts';
import type { Change, Fix } from '../../lint/rule.ts';
import { parseJson } from '../../profile/json.ts';
import { find } from '../../profile/pointer.ts';
import { compare } from '../../prove/compare.ts';
import type { Difference } from '../../prove/compare.ts';
import { SeccompcError } from '../../errors.ts';

/** One entry is removed a round: two that repeat each other are both superfluous, but not together. */
const MOST_ROUNDS = 100;

export interface Fixed {
  text: string;
  count: number;
  /** Fixes that are not safe for this profile after all. */
  refused: number;
  /** Calls that the new profile answers more strictly, one each; proved to be all kinds of change there are. */
  changed: Difference[];
}

export async function applyFixes(text: string, options: LintOptions): Promise<Fixed> {
  let current = text;
  let count = 0;
  let refused = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const { findings } = await lint(Buffer.from(current), options);
    const fixes = findings.flatMap(({ fix }) => (fix === undefined ? [] : [fix]));
    const next = fixes.findLast(({ relation }) => relation === 'equal');
    const batch = [...fixes.filter(({ relation }) => relation === 'tightens'), ...(next ? [next] : [])];
    if (batch.length === 0) break;
    let progress = false;
    // Each alone if they do not pass together.
    const whole = await tried(current, batch, options);
    for (const part of whole === undefined ? batch.map((fix) => [fix]).toReversed() : [batch]) {
      const made = whole ?? (await tried(current, part, options));
      if (made === undefined) continue;
      current = made;
      count += part.length;
      progress = true;
      if (part.includes(next!)) break;
    }
    if (!progress) {
      refused = batch.length;
      break;
    }
  }
  const changed = count === 0 ? [] : await differences(text, current, options);
  return { text: current, count, refused, changed };
}

/** The text with the fixes, if the new profile is proved to be what they promise. */
async function tried(text: string, fixes: readonly Fix[], options: LintOptions): Promise<string | undefined> {
  const changes = fixes.flatMap((fix) => fix.changes);
  const made = changes.toReversed().reduce(changedText, text);
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

/** Changes nothing but the value; a new member gets the white space of the one before it. */
function changedText(text: string, { pointer, value }: Change): string {
  const cut = pointer.lastIndexOf('/');
  const key = pointer.slice(cut + 1);
  const { node } = find(parseJson(text).root!, pointer.slice(0, cut));
  const replaced = (from: number, to: number, by: string) => text.slice(0, from) + by + text.slice(to);
  if (node.kind === 'array' && value === undefined) {
    const items = node.items.map(({ offset, end }) => ({ offset, end }));
    const [before, item, after] = [-1, 0, 1].map((step) => items[Number(key) + step]);
    if (before !== undefined) return replaced(before.end, item!.end, '');
    return replaced(item!.offset, after?.offset ?? item!.end, '');
  }
  if (node.kind !== 'object' || value === undefined) throw new Error(`${pointer} cannot be changed`);
  const known = node.members.find((member) => member.key === key);
  if (known !== undefined) return replaced(known.value.offset, known.value.end, JSON.stringify(value));
  const last = node.members.at(-1)!;
  const space = /\s*$/.exec(text.slice(0, last.keyOffset))![0];
  return replaced(last.value.end, last.value.end, `,${space}"${key}": ${JSON.stringify(value)}`);
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
