/** How many instructions each entry has, as areas. */
import { hierarchy, treemap } from 'd3-hierarchy';
import { actionTone } from '../../graph/tone.ts';
import { describeAnswer } from '../../prove/describe.ts';
import { sharesOf } from '../shares.ts';
import type { Share } from '../shares.ts';
import type { Study } from '../study.ts';
import { byId, el, roving } from './dom.ts';

interface Datum {
  share?: Share;
  children?: Datum[];
}

export class Treemap {
  readonly #box = byId('treemap');
  readonly #pick: (share: Share) => void;
  #study: Study | undefined;
  #drawn: Study | undefined;
  #lit: ReadonlySet<string> = new Set();

  constructor(pick: (share: Share) => void) {
    this.#pick = pick;
    roving(this.#box, 'button');
  }

  show(study: Study): void {
    this.#study = study;
    this.#draw();
  }

  /** Drawn only where it has a size. */
  shown(): void {
    this.#draw();
  }

  highlight(entries: ReadonlySet<string>): void {
    this.#lit = entries;
    for (const block of this.#box.querySelectorAll<HTMLElement>('button'))
      block.setAttribute('aria-pressed', String(entries.has(block.dataset['entry']!)));
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#box;
    const study = this.#study;
    if (study === undefined || study === this.#drawn || width === 0) return;
    this.#drawn = study;
    const root: Datum = { children: sharesOf(study).map((share) => ({ share })) };
    const laid = treemap<Datum>().size([width, height])(
      hierarchy(root).sum(({ share }) => share?.instructions ?? 0),
    );
    const total = study.filter.instructions.length;
    this.#box.replaceChildren(
      ...laid
        .leaves()
        .filter(({ value }) => value !== 0)
        .map(({ data, x0, y0, x1, y1 }, index) => {
          const block = this.#block(study, data.share!, total, index === 0);
          fit(block, x1 - x0, y1 - y0);
          // In parts of the box, so that they follow its size.
          block.style.left = `${(x0 / width) * 100}%`;
          block.style.top = `${(y0 / height) * 100}%`;
          block.style.width = `${((x1 - x0) / width) * 100}%`;
          block.style.height = `${((y1 - y0) / height) * 100}%`;
          return block;
        }),
    );
    this.highlight(this.#lit);
  }

  #block({ profile, fallback }: Study, share: Share, total: number, isFirst: boolean): HTMLElement {
    const { pointer, rows, instructions, own } = share;
    const [row] = rows;
    const calls = [...new Set(rows.map(({ call }) => call))];
    const line = profile.locate(pointer)?.line;
    const name =
      pointer === fallback ? 'default action' : pointer.startsWith('/') ? `line ${line ?? '?'}` : pointer;
    const about = `of ${total} instructions, ${own} of its own`;
    const size = instructions.toFixed(1);
    const tone = row && actionTone(describeAnswer(row.rules[0]?.action ?? row.otherwise, undefined));
    return el(
      'button',
      {
        type: 'button',
        class: `block ${tone ?? ''}`,
        tabindex: isFirst ? 0 : -1,
        'data-entry': pointer,
        title: `${name}: ${size} ${about}\n${calls.slice(0, 30).join(', ')}${calls.length > 30 ? ', …' : ''}`,
        click: () => this.#pick(share),
      },
      el('b', {}, name),
      el('span', {}, size, el('span', { class: 'unseen' }, ` ${about}; ${calls.length} calls: `)),
      el('span', { class: 'names' }, calls.slice(0, 60).join(', ')),
    );
  }
}

/** No word is cut in its height; where there is little room, the number of the line is enough. */
function fit(block: HTMLElement, width: number, height: number): void {
  const names = block.lastElementChild as HTMLElement;
  const lines = Math.floor((height - 22) / 16);
  if (width < 66 || height < 20) {
    const [, line = ''] = /^line (\d+)/.exec(block.title) ?? [];
    block.setAttribute('aria-label', block.title);
    block.replaceChildren(width > 7.5 * line.length + 12 && height > 18 ? line : '');
  } else if (width < 90 || lines < 1) names.remove();
  else names.style.maxHeight = `${lines * 16}px`;
}
