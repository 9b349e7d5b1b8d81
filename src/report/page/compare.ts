/**
 * What changes from another profile or filter, or from how this one was opened, by meaning; and
 * their sizes.
 */
import { archOf } from '../../arch.ts';
import { checkProgram, convertedLength } from '../../bpf/check.ts';
import { decode } from '../../bpf/instruction.ts';
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { testedArches } from '../../bpf/tested-arches.ts';
import { SeccompcError } from '../../errors.ts';
import { longestPath } from '../../graph/reach.ts';
import { filterIn } from '../../input/filter.ts';
import { compare } from '../../prove/compare.ts';
import type { ComparisonResult, Difference, NamedCalls, Relation, Side } from '../../prove/compare.ts';
import { describeAnswer, describeCall, nameOfCall } from '../../prove/describe.ts';
import { loadTables } from '../../syscalls/load.ts';
import type { Target } from '../../target.ts';
import type { ReportData } from '../report.ts';
import { compiledFrom } from '../study.ts';
import type { Compiled, Study } from '../study.ts';
import { byId, el, link } from './dom.ts';
import { pill } from './pills.ts';
import type { Shared } from './state.ts';
import { targetChoice, targetText } from './target.ts';

/** A profile for a target, or a filter. */
export interface Other {
  name: string;
  /** Undefined: the text in the editor. */
  text?: string | undefined;
  filter?: { program: SockFilter[]; endian: Endian };
  target: Target;
}

/** One side of a comparison. */
interface Made {
  side: Side;
  calls: NamedCalls[];
  instructions: readonly SockFilter[];
}

export interface ComparisonEvents {
  ask: (question: string) => void;
  /** Another one was chosen. */
  changed: () => void;
  /** Why something failed that is no fault of a profile. */
  reasonOf: (error: unknown) => string;
}

export class Comparison {
  readonly #on: ComparisonEvents;
  readonly #given: readonly Other[];
  #others: Other[];
  #other: Other;
  #study: Study | undefined;
  readonly #made = new WeakMap<Other, Promise<Made>>();
  readonly #select = byId('other', HTMLSelectElement);
  readonly #box = byId('comparison');
  readonly #details = byId('other-target');
  readonly #fillTarget: (target: Target) => void;

  constructor(
    { opened, target, against }: { opened: string; target: Target; against: ReportData['against'] },
    arches: readonly string[],
    on: ComparisonEvents,
  ) {
    this.#on = on;
    this.#given = [
      { name: 'the profile as it was opened', text: opened, target },
      { name: 'this profile', target },
      ...against.map((each) => ({
        target,
        ...('text' in each ? each : { name: each.name, filter: decoded(each.filter) }),
      })),
    ];
    this.#others = [...this.#given];
    this.#other = this.#usual;
    this.#fillTarget = targetChoice(this.#details, arches, (chosen) =>
      this.#use({ ...this.#other, target: chosen }, this.#other),
    );
    this.#list();
    this.#select.addEventListener('change', () => this.#use(this.#others[Number(this.#select.value)]!));
    byId('other-use').addEventListener('click', () =>
      this.#use({
        name: 'pasted profile',
        text: byId('other-text', HTMLTextAreaElement).value,
        target: this.#study?.target ?? target,
      }),
    );
    const files = byId('other-file', HTMLInputElement);
    files.addEventListener('change', () => {
      const [chosen] = files.files ?? [];
      void chosen?.arrayBuffer().then((content) => {
        const bytes = new Uint8Array(content);
        const filter = filterIn(bytes);
        const text = filter === undefined ? new TextDecoder().decode(bytes) : undefined;
        this.#use({
          name: chosen.name,
          target: this.#study?.target ?? target,
          ...(filter === undefined ? { text } : { filter }),
        });
      });
    });
  }

  /** What the page begins with: the first file to compare with, or the profile as it was opened. */
  get #usual(): Other {
    return this.#given[2] ?? this.#given[0]!;
  }

  /** Nothing for a filter that was opened in the page. */
  get shared(): Shared['other'] {
    const { name, text, filter, target } = this.#other;
    const own = this.#given.findIndex(
      (each) => each.name === name && each.text === text && each.filter === filter,
    );
    const isOtherTarget = target !== this.#given[0]!.target;
    if (own < 0) return filter === undefined ? { name, text: text!, target } : undefined;
    if (this.#given[own] === this.#usual && !isOtherTarget) return undefined;
    return { index: own, ...(isOtherTarget && { target }) };
  }

  /** @param target of the link, checked */
  restore({ index = -1, name, text }: NonNullable<Shared['other']>, target: Target | undefined): void {
    const isText = name !== undefined && text !== undefined;
    const usual = this.#usual;
    const base = this.#given[index] ?? (isText ? { name, text, target: usual.target } : usual);
    this.#other = target === undefined ? base : { ...base, target };
    this.#others = this.#given.map((each) => (each === base ? this.#other : each));
    if (!this.#others.includes(this.#other)) this.#others.push(this.#other);
    this.#list();
  }

  #use(chosen: Other, instead?: Other): void {
    this.#other = chosen;
    if (instead !== undefined) this.#others = this.#others.map((each) => (each === instead ? chosen : each));
    else if (!this.#others.includes(chosen)) this.#others.push(chosen);
    this.#list();
    this.#on.changed();
    if (this.#study !== undefined) void this.show(this.#study);
  }

  #list(): void {
    this.#select.replaceChildren(
      ...this.#others.map((each, index) =>
        el('option', { value: index, selected: each === this.#other }, each.name),
      ),
    );
    this.#fillTarget(this.#other.target);
    this.#details.hidden = this.#other.filter !== undefined;
  }

  async show(study: Study): Promise<void> {
    this.#study = study;
    const other = this.#other;
    const isCurrent = () => this.#study === study && this.#other === other;
    try {
      const before = await this.#sideOf(other, study);
      const found = await changesBetween(before, sideFrom(study), this.#on.ask);
      if (!isCurrent()) return;
      byId('tab-compare').textContent = found.count === 0 ? 'Compare' : `Compare ${found.count}`;
      this.#box.replaceChildren(...found.elements);
      const rows: [string, Made][] = [['this profile', sideFrom(study)]];
      for (const each of this.#others.filter((one) => one === other || this.#given.indexOf(one) > 1)) {
        const side = await this.#sideOf(each, study).catch(() => undefined);
        const isAlike = each.filter !== undefined || each.target === study.target;
        if (side !== undefined)
          rows.push([isAlike ? each.name : `${each.name} for ${targetText(each.target)}`, side]);
      }
      if (isCurrent()) byId('sizes').replaceChildren(sizesOf(rows));
    } catch (error) {
      if (!isCurrent()) return;
      byId('tab-compare').textContent = 'Compare';
      byId('sizes').replaceChildren();
      const said =
        error instanceof SeccompcError ? error.diagnostics : [{ message: this.#on.reasonOf(error) }];
      this.#box.replaceChildren(
        ...said.map(({ message, ...place }) => {
          const line = 'line' in place && place.line !== undefined ? ` line ${place.line}` : '';
          return el('p', { class: 'refused' }, `${other.name}${line}: ${message}`);
        }),
      );
    }
  }

  #sideOf(other: Other, study: Study): Promise<Made> {
    if (other.filter === undefined && other.text === undefined) return made({ ...other, text: study.text });
    const known = this.#made.get(other) ?? made(other);
    this.#made.set(other, known);
    return known;
  }
}

function decoded({ endian, bytes }: { endian: Endian; bytes: string }): NonNullable<Other['filter']> {
  return {
    program: decode(
      Uint8Array.from(atob(bytes), (each) => each.charCodeAt(0)),
      'little',
    ),
    endian,
  };
}

/** @throws SeccompcError for a profile with faults, or a filter that the kernel would refuse */
async function made({ name, text = '', filter, target }: Other): Promise<Made> {
  if (filter === undefined) return sideFrom(await compiledFrom(text, { file: name, target }));
  const faults = checkProgram(filter.program);
  if (faults.length > 0) throw new SeccompcError(faults);
  const abis = testedArches(filter.program).map(archOf);
  const tables = await loadTables(abis.map(({ table }) => table));
  return {
    side: filter,
    calls: abis.map((abi) => ({ abi, table: tables.of(abi.name) })),
    instructions: filter.program,
  };
}

function sideFrom({ lowered: { arches, reference }, filter }: Compiled): Made {
  return {
    side: reference,
    calls: arches.map((abi) => ({ abi, table: reference.tables.of(abi.name) })),
    instructions: filter.instructions,
  };
}

/** The programs beside each other. */
function sizesOf(rows: readonly [name: string, made: Made][]): HTMLElement {
  const figures = rows.map(([name, { instructions }]) => ({
    name,
    figures: [instructions.length, convertedLength(instructions), longestPath(instructions)],
  }));
  const cell = (figure: number, column: number) => {
    const most = Math.max(...figures.map((each) => each.figures[column]!));
    const bar = el('span', { class: 'bar' });
    bar.style.width = `${(100 * figure) / most}%`;
    return el('td', {}, String(figure), bar);
  };
  return el(
    'table',
    { class: 'sizes' },
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        ...['Size', 'instructions', 'as eBPF', 'longest path'].map((each) =>
          el('th', { scope: 'col' }, each),
        ),
      ),
    ),
    el(
      'tbody',
      {},
      ...figures.map((each) =>
        el('tr', {}, el('th', { scope: 'row' }, each.name), ...each.figures.map(cell)),
      ),
    ),
  );
}

/** Calls that are named in one line. */
const MOST_NAMED = 40;
const MOST_DIFFERENCES = 2000;

async function changesBetween(
  before: Made,
  now: Made,
  ask: (question: string) => void,
): Promise<{ count: number; elements: HTMLElement[] }> {
  const calls = [...before.calls, ...now.calls];
  const decide = (relation: Relation) =>
    compare(before.side, now.side, { relation, limit: MOST_DIFFERENCES, calls });
  const results = [decide('tightens'), decide('loosens'), decide('equal')];
  for (const each of results)
    if (each.verdict === 'undecided' || each.verdict === 'malformed')
      return { count: 0, elements: [el('p', {}, `Cannot be decided: ${each.reason}`)] };
  const [looser = [], tighter = [], equal = []] = results.map(differencesOf);
  const directed = new Set([...looser, ...tighter].map(keyOf));
  const rest = equal.filter((each) => !directed.has(keyOf(each)));
  const groups = [
    await group('Looser: gets through, or further', 'looser', looser, ask),
    await group('Tighter: is stopped, or stopped sooner', 'tighter', tighter, ask),
    await group('Answered otherwise, and as strictly', 'otherwise', rest, ask),
  ].filter((each) => each !== undefined);
  if (groups.length === 0)
    groups.push(el('p', { class: 'none' }, 'Proved equal: both answer every call alike.'));
  return { count: directed.size + rest.length, elements: groups };
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
    const buttons = named.map(([name, { data, abi }], index) => {
      const question = `${name}${data.args.some((each) => each !== 0n) ? `(${data.args.map((each) => `0x${each.toString(16)}`).join(', ')})` : ''} on ${abi}`;
      const isKnown = abi !== undefined && name !== 'other numbers';
      const item = isKnown ? link(name, () => ask(question)) : name;
      if (typeof item !== 'string') void describeCall(data, abi).then((text) => (item.title = text));
      return [el('span', {}, item, index < named.length - 1 && ','), ' '];
    });
    const more = calls.size > named.length ? `and ${calls.size - named.length} more` : '';
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
      el('p', { class: 'calls' }, ...buttons.flat(), more),
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
