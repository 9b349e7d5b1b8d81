/** What changes from another profile, or from how this one was opened, by meaning. */
import { lowerProfile } from '../../compile.ts';
import { SeccompcError } from '../../errors.ts';
import { compare } from '../../prove/compare.ts';
import type { ComparisonResult, Difference, Relation } from '../../prove/compare.ts';
import { describeAnswer, describeCall, nameOfCall } from '../../prove/describe.ts';
import type { Target } from '../../target.ts';
import type { Study } from '../study.ts';
import { byId, el } from './dom.ts';
import { pill } from './pills.ts';

export interface Other {
  name: string;
  text: string;
  target: Target;
}

/** Calls that are named in one line. */
const MOST_NAMED = 40;
const MOST_DIFFERENCES = 2000;

export async function showComparison(
  study: Study,
  other: Other,
  ask: (question: string) => void,
): Promise<void> {
  const box = byId('comparison');
  try {
    const before = await lowerProfile(other.text, { target: other.target, file: other.name });
    if (!before.confined) return box.replaceChildren(el('p', {}, `${other.name} asks for no filter.`));
    const calls = [before, study.lowered].flatMap(({ arches, reference }) =>
      arches.map((abi) => ({ abi, table: reference.tables.of(abi.name) })),
    );
    const decide = (relation: Relation) =>
      compare(before.reference, study.lowered.reference, { relation, limit: MOST_DIFFERENCES, calls });
    const [looser, tighter, equal] = [decide('tightens'), decide('loosens'), decide('equal')];
    const undecided = [looser, tighter, equal].find(
      ({ verdict }) => verdict === 'undecided' || verdict === 'malformed',
    );
    if (undecided !== undefined)
      return box.replaceChildren(
        el('p', {}, `Cannot be decided: ${(undecided as { reason: string }).reason}`),
      );
    const directed = new Set([...differencesOf(looser), ...differencesOf(tighter)].map(keyOf));
    const rest = differencesOf(equal).filter((each) => !directed.has(keyOf(each)));
    const groups = [
      await group('Looser: gets through, or further', 'looser', differencesOf(looser), ask),
      await group('Tighter: is stopped, or stopped sooner', 'tighter', differencesOf(tighter), ask),
      await group('Answered otherwise, and as strictly', 'otherwise', rest, ask),
    ];
    const total = new Set(
      [...differencesOf(equal), ...differencesOf(looser), ...differencesOf(tighter)].map(keyOf),
    ).size;
    byId('tab-compare').textContent = total === 0 ? 'Compare' : `Compare ${total}`;
    const found = groups.filter((each) => each !== undefined);
    box.replaceChildren(
      ...(found.length > 0
        ? found
        : [el('p', { class: 'none' }, 'Proved equal: both answer every call alike.')]),
    );
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    box.replaceChildren(
      ...error.diagnostics.map(({ line, message }) =>
        el(
          'p',
          { class: 'refused' },
          `${other.name}${line === undefined ? '' : ` line ${line}`}: ${message}`,
        ),
      ),
    );
  }
}

function differencesOf(result: ComparisonResult): readonly Difference[] {
  return result.verdict === 'broken' ? result.differences : [];
}

function keyOf({ abi, data }: Difference): string {
  return `${abi} ${data.arch} ${data.nr}`;
}

async function group(
  title: string,
  id: string,
  differences: readonly Difference[],
  ask: (question: string) => void,
): Promise<HTMLElement | undefined> {
  if (differences.length === 0) return undefined;
  const changes = new Map<
    string,
    { first: Difference; arches: Set<string>; calls: Map<string, Difference> }
  >();
  for (const each of differences) {
    const key = `${describeAnswer(each.first, each.abi)} ${describeAnswer(each.second, each.abi)}`;
    const known = changes.get(key) ?? {
      first: each,
      arches: new Set<string>(),
      calls: new Map<string, Difference>(),
    };
    changes.set(key, known);
    known.arches.add(each.abi ?? 'other architectures');
    const name = (await nameOfCall(each.abi, each.data.nr).catch(() => undefined)) ?? 'other numbers';
    if (!known.calls.has(name)) known.calls.set(name, each);
  }
  const items = [...changes.values()].map(({ first, arches, calls }) => {
    const named = [...calls].slice(0, MOST_NAMED);
    const buttons = named.flatMap(([name, { data, abi }], index) => {
      const question = `${name}${data.args.some((each) => each !== 0n) ? `(${data.args.map((each) => `0x${each.toString(16)}`).join(', ')})` : ''} on ${abi}`;
      const isKnown = abi !== undefined && name !== 'other numbers';
      const button = isKnown
        ? el('button', { type: 'button', class: 'link', click: () => ask(question) }, name)
        : el('span', {}, name);
      if (isKnown) void describeCall(data, abi).then((text) => (button.title = text));
      return index === 0 ? [button] : [', ', button];
    });
    const more = calls.size > named.length ? ` and ${calls.size - named.length} more` : '';
    return el(
      'li',
      {},
      el(
        'p',
        { class: 'change' },
        pill(first.first, first.abi),
        '→',
        pill(first.second, first.abi),
        el('span', { class: 'muted' }, [...arches].join(', ')),
      ),
      el('p', { class: 'calls' }, ...buttons, more),
    );
  });
  const total = new Set(differences.map(keyOf)).size;
  return el(
    'section',
    { class: id },
    el('h3', {}, title, el('span', { class: 'count' }, String(total))),
    el('ul', {}, ...items),
  );
}
