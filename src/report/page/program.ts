/** The instructions, as the disassembler prints them. */
import type { Study } from '../study.ts';
import { byId, el, reveal, roving } from './dom.ts';

export class ProgramPane {
  readonly #list = byId('listing');
  readonly #pick: (at: number) => void;

  constructor(pick: (at: number) => void) {
    this.#pick = pick;
    roving(this.#list, '[role=option]');
  }

  show({ listing }: Study): void {
    const items = listing.map(({ text, comment }, at) =>
      el(
        'div',
        {
          role: 'option',
          tabindex: at === 0 ? 0 : -1,
          'aria-selected': 'false',
          click: () => this.#pick(at),
        },
        el('span', { class: 'at' }, String(at)),
        el('span', { class: 'instruction' }, text),
        el('span', { class: 'comment' }, comment ?? ''),
      ),
    );
    this.#list.replaceChildren(...items);
  }

  /** `strong`: what only the chosen calls run; `weak`: what others run too. */
  highlight(strong: ReadonlySet<number>, weak: ReadonlySet<number>, isPicked: boolean): void {
    [...this.#list.children].forEach((element, at) => {
      element.setAttribute('aria-selected', String(strong.has(at)));
      element.classList.toggle('weak', weak.has(at));
    });
    // Every path starts alike; what decides is at its end.
    const lit = [...(strong.size > 0 ? strong : weak)].toSorted((a, b) => a - b);
    const last = lit.findLast((at) => !this.#list.children[at]?.textContent.includes('ret #')) ?? lit.at(-1);
    if (!isPicked && last !== undefined) reveal(this.#list, this.#list.children[last]);
  }
}
