/**
 * Differences between two filters as few lines: equal changes together, a call on several
 * architectures once.
 */
import type { ArchName } from '../../arch.ts';
import type { Difference } from '../../prove/compare.ts';
import { callPlace, callText, describeAnswer, nameOfCall } from '../../prove/describe.ts';

/** The text of a change: `ALLOW becomes LOG`. */
export type ChangeText = (first: string, second: string) => string;

/** What stands for calls without a name. */
const OTHERS = { numbers: 'numbers without a name', arches: 'calls of other architectures' };

interface Group {
  change: string;
  places: string[];
  calls: string[];
}

/**
 * One line for each change on the same architectures. Numbers without a name change with the
 * default action, so their line has all calls that change so too.
 *
 * @param arches those of the two sides
 */
export async function differenceLines(
  differences: readonly Difference[],
  arches: readonly ArchName[],
  textOf: ChangeText,
  limit: number,
): Promise<{ lines: string[]; total: string }> {
  const byCall = new Map<string, Group>();
  const totals = new Map<string, number>();
  for (const { data, abi, first, second } of differences) {
    const change = textOf(describeAnswer(first, abi), describeAnswer(second, abi));
    const place = callPlace(data, abi);
    const isListed = abi !== undefined && arches.includes(abi);
    const isNamed = isListed && (await nameOfCall(abi, data.nr)) !== undefined;
    const call = isNamed
      ? (await callText(data, abi)).replace('()', '')
      : OTHERS[isListed ? 'numbers' : 'arches'];
    const group = groupAt(byCall, [call, change], { change, places: [], calls: [call] });
    if (isNamed) totals.set(place, (totals.get(place) ?? 0) + 1);
    if (!group.places.includes(place)) group.places.push(place);
  }
  const all = [...byCall.values()];
  const defaults = new Set(
    all.filter(({ calls }) => calls[0] === OTHERS.numbers).map(({ change }) => change),
  );
  const groups = new Map<string, Group>();
  for (const { change, places, calls } of all) {
    const [call] = calls;
    const isDefault = call !== OTHERS.arches && defaults.has(change);
    const group = groupAt(groups, [isDefault ? '' : [call === OTHERS.arches, ...places], change], {
      change,
      places,
      calls: [],
    });
    group.places = [...new Set([...group.places, ...places])];
    group.calls.push(call!);
  }
  const counts = [...totals].map(([place, count]) => `${count} on ${place}`).join(', ');
  return {
    lines: [...groups.values()].map((group) => lineOf(group, limit)),
    total: counts === '' ? '' : `total of calls: ${counts}`,
  };
}

function groupAt(groups: Map<string, Group>, key: unknown, made: Group): Group {
  const text = JSON.stringify(key);
  const group = groups.get(text) ?? made;
  groups.set(text, group);
  return group;
}

function lineOf({ change, places, calls }: Group, limit: number): string {
  const where = places.join(', ');
  if (calls[0] === OTHERS.arches) return `${OTHERS.arches}, such as ${where}: ${change}`;
  const named = calls.filter((call) => call !== OTHERS.numbers);
  const more = named.length > limit ? ` and ${named.length - limit} more` : '';
  const text = `${named.slice(0, limit).join(', ')}${more}`;
  const numbers = named.length < calls.length ? [OTHERS.numbers] : [];
  return `${[...(text === '' ? [] : [text]), ...numbers].join(', and ')} on ${where}: ${change}`;
}
