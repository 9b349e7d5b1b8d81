/** The policy as a table of calls, which can be searched. */
import { describeAnswer } from '../../prove/describe.ts';
import type { Row, Study } from '../study.ts';
import { byId, el, reveal, roving } from './dom.ts';
import type { Child } from './dom.ts';
import { pill } from './pills.ts';

export class PolicyPane {
  readonly #box = byId('policy');
  readonly #body = byId('rows');
  readonly #search = byId('search', HTMLInputElement);
  readonly #action = byId('action', HTMLSelectElement);
  readonly #count = byId('count');
  readonly #pick: (row: number) => void;
  #lit: ReadonlySet<number> = new Set();
  #items: { element: HTMLElement; words: string; actions: Set<string> }[] = [];

  constructor(pick: (row: number) => void) {
    this.#pick = pick;
    this.#search.addEventListener('input', () => this.#filter());
    this.#action.addEventListener('change', () => this.#filter());
    roving(this.#body, '[role=row]:not([hidden])');
  }

  show(study: Study): void {
    const all = study.lowered.arches.length;
    this.#items = study.rows.map((row, index) => {
      const abi = row.places[0]!.abi.name;
      const actions = [...row.rules.map(({ action }) => action), row.otherwise].map((each) =>
        describeAnswer(each, abi),
      );
      const cell = (name: string, text: string | HTMLElement, title?: string) =>
        el('div', { role: 'gridcell', class: name, title }, text);
      const listed = (of: 'nr' | 'since') =>
        row.places.map((each) => `${each.abi.name} ${each[of]}`).join(', ');
      const element = el(
        'div',
        {
          role: 'row',
          tabindex: index === 0 ? 0 : -1,
          'aria-selected': 'false',
          click: () => this.#pick(index),
        },
        el('div', { role: 'rowheader', title: listed('nr') }, ...breakable(row.call)),
        cell('answer', row.rules.length === 0 ? pill(row.otherwise, abi) : 'by arguments'),
        cell('on', row.places.length === all ? 'all' : row.places.map((each) => each.abi.name).join(' ')),
        cell('since', row.places[0]!.since, listed('since')),
        cell('from', this.#lineOf(study, row)),
        row.rules.length > 0 && el('div', { role: 'gridcell', class: 'rules' }, ...ruleLines(row)),
      );
      const words = [
        row.call,
        ...row.rules.map(({ text }) => text),
        ...actions,
        ...row.places.map((each) => each.abi.name),
      ];
      return {
        element,
        words: words.join(' ').toLowerCase(),
        actions: new Set(actions.map((each) => each.split(' ')[0]!)),
      };
    });
    this.#body.replaceChildren(...this.#items.map(({ element }) => element));
    const known = [...new Set(this.#items.flatMap(({ actions }) => [...actions]))].toSorted();
    const chosen = this.#action.value;
    this.#action.replaceChildren(
      el('option', { value: '' }, 'every action'),
      ...known.map((each) => el('option', { selected: each === chosen }, each)),
      el('option', { value: '?', selected: chosen === '?' }, 'by arguments'),
    );
    this.#filter();
  }

  #lineOf({ profile, fallback }: Study, { entries }: Row): string {
    if (entries.length === 0) return 'ENOSYS';
    if (entries[0] === fallback) return 'default';
    const lines = entries.map((pointer) => profile.locate(pointer)?.line ?? 0);
    return lines.length > 2 ? `${lines[0]}…${lines.at(-1)}` : lines.join(', ');
  }

  #filter(): void {
    const wanted = this.#search.value.toLowerCase().split(/\s+/);
    const action = this.#action.value;
    let shown = 0;
    for (const { element, words, actions } of this.#items) {
      const isAction = action === '' || (action === '?' ? actions.size > 1 : actions.has(action));
      element.hidden = !isAction || !wanted.every((word) => words.includes(word));
      if (!element.hidden) shown += 1;
    }
    const visible = [...this.#body.querySelectorAll<HTMLElement>('[role=row]:not([hidden])')];
    if (!visible.some(({ tabIndex }) => tabIndex === 0) && visible[0]) visible[0].tabIndex = 0;
    this.#count.textContent =
      shown === this.#items.length ? `${shown} rows` : `${shown} of ${this.#items.length} rows`;
  }

  highlight(rows: ReadonlySet<number>, isPicked: boolean): void {
    for (const row of this.#lit) this.#items[row]?.element.setAttribute('aria-selected', 'false');
    for (const row of rows) this.#items[row]?.element.setAttribute('aria-selected', 'true');
    this.#lit = rows;
    const first = this.#items.findIndex(({ element }, index) => rows.has(index) && !element.hidden);
    if (!isPicked && first >= 0) reveal(this.#box, this.#items[first]!.element);
  }
}

/** A long name may break behind an underscore. */
function breakable(call: string): Child[] {
  return call.split(/(?<=_)/).flatMap((part) => [part, el('wbr')]);
}

function ruleLines({ rules, otherwise, places }: Row): HTMLElement[] {
  const abi = places[0]!.abi.name;
  const line = (action: number, text: string) => el('div', {}, pill(action, abi), el('code', {}, text));
  return [...rules.map(({ action, text }) => line(action, text)), line(otherwise, 'otherwise')];
}
