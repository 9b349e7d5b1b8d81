/** The decision tree as a picture: boxes open and close, and what a question meets is marked. */
import { layOut, ROW } from '../../graph/layout.ts';
import type { Placed } from '../../graph/layout.ts';
import { stepBetween } from '../../graph/reach.ts';
import { curve } from '../../graph/svg.ts';
import { actionTone } from '../../graph/tone.ts';
import { decisionTree } from '../../graph/tree.ts';
import { describeAnswer } from '../../prove/describe.ts';
import type { Study } from '../study.ts';
import { byId, el, svg } from './dom.ts';

/** Tests above those that are folded at first. */
const DEPTH = 4;

export class TreeView {
  readonly #box = byId('tree');
  readonly #only = byId('only', HTMLInputElement);
  readonly #pick: (at: number) => void;
  #study: Study | undefined;
  /** Folded or not against the rule of depth. */
  readonly #turned = new Set<number>();
  #scale = 1;
  #marked: ReadonlySet<number> = new Set();
  #steps: () => ReadonlySet<number> = () => new Set();
  #isShown = false;

  constructor(pick: (at: number) => void) {
    this.#pick = pick;
    this.#only.addEventListener('change', () => this.#draw());
    for (const [id, factor] of [
      ['zoom-in', 1.25],
      ['zoom-out', 0.8],
      ['zoom-none', 0],
    ] as const)
      byId(id).addEventListener('click', () => {
        this.#scale = factor === 0 ? 1 : Math.max(0.2, Math.min(3, this.#scale * factor));
        this.#resize();
      });
    for (const [id, isOpen] of [
      ['unfold', true],
      ['fold', false],
    ] as const)
      byId(id).addEventListener('click', () => {
        this.#turned.clear();
        this.#all = isOpen;
        this.#draw();
      });
  }

  #all = false;

  show(study: Study): void {
    this.#study = study;
    this.#turned.clear();
    this.#draw();
  }

  /** Drawn only while somebody looks. */
  set isShown(isShown: boolean) {
    this.#isShown = isShown;
    this.#draw();
  }

  /** @param steps between them, which are looked up only if they are shown */
  mark(instructions: ReadonlySet<number>, steps: () => ReadonlySet<number>): void {
    this.#steps = steps;
    this.#marked = instructions;
    this.#draw();
  }

  #draw(): void {
    const study = this.#study;
    if (study === undefined || !this.#isShown) return;
    const { instructions, endian } = study.filter;
    const steps = this.#steps();
    const isOnly = this.#only.checked && steps.size > 0;
    const tree = decisionTree(instructions, {
      endian,
      tables: study.tables,
      only: isOnly ? steps : undefined,
      isFolded: (id, above) => this.#turned.has(id) !== (above >= DEPTH && !this.#all && !isOnly),
    });
    const { placed, width, height } = layOut(tree);
    const picture = svg('svg', {
      viewBox: `0 0 ${width} ${height}`,
      'data-width': width,
      role: 'group',
      'aria-label': 'Decision tree',
    });
    picture.append(
      ...placed.flatMap((each) => this.#edge(each, study, steps)),
      ...placed.map((each) => this.#node(each)),
    );
    this.#box.replaceChildren(picture);
    this.#resize();
  }

  #resize(): void {
    const picture = this.#box.firstElementChild as SVGElement | null;
    if (picture) picture.style.width = `${Number(picture.dataset['width']) * this.#scale}px`;
  }

  #edge({ x, y, from }: Placed, { filter }: Study, steps: ReadonlySet<number>): SVGElement[] {
    if (from === undefined) return [];
    const {
      parent: { node },
      answer,
    } = from;
    const { jt, jf } = filter.instructions[node.id]!;
    const isOn = steps.has(stepBetween(node.id, node.id + 1 + (answer === 'yes' ? jt : jf)));
    return [svg('path', { class: `${answer}${isOn ? ' on' : ''}`, d: curve(from.parent, x, y) })];
  }

  #node({ node, isMention, x, y, width }: Placed): SVGElement {
    const { kind, id, label } = node;
    const tone = isMention ? 'mention' : kind === 'action' ? `action ${actionTone(label)}` : kind;
    const height = ROW - 4;
    const shape = [
      svg('rect', { x, y: y - height / 2, width, height, rx: kind === 'action' ? height / 2 : 3 }),
      svg('text', { x: x + 8, y: y + 4 }, isMention ? `↗ ${label}` : label),
    ];
    const on = this.#marked.has(id) ? ' on' : '';
    if (kind === 'action' || isMention) return svg('g', { class: `${tone}${on}` }, ...shape);
    const turn = () => {
      if (!this.#turned.delete(id)) this.#turned.add(id);
      this.#draw();
      this.#box.querySelector<SVGElement>(`[data-id="${id}"]`)?.focus();
      if (kind === 'test') this.#pick(id);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      turn();
    };
    const says = `${label}, ${kind === 'fold' ? 'folded' : 'open'}`;
    return svg(
      'g',
      {
        class: `${tone}${on}`,
        role: 'button',
        tabindex: 0,
        'data-id': id,
        'aria-label': says,
        click: turn,
        keydown: key,
      },
      ...shape,
    );
  }
}

/** Every number of every architecture, in the colour of its action. */
export function drawNumbers(study: Study, pick: (row: number) => void): void {
  const COLUMNS = 64;
  const figures = study.lowered.arches.map((abi) => {
    const cells = study.rows.flatMap((row, index) =>
      row.places.filter((place) => place.abi === abi).map((place) => ({ row, index, ...place })),
    );
    const base = cells.reduce((least, { nr }) => Math.min(least, nr), Infinity);
    const first = base - (base % COLUMNS);
    const last = cells.reduce((most, { nr }) => Math.max(most, nr), 0);
    const height = Math.ceil((last - first + 1) / COLUMNS);
    const text = study.lowered.reference.tables.of(abi.name);
    const picture = svg('svg', {
      viewBox: `0 0 ${COLUMNS * 10} ${height * 10}`,
      role: 'img',
      'aria-label': `Numbers of ${abi.name}`,
    });
    for (const { row, index, nr, isInBitmap } of cells) {
      const at = nr - first;
      const tone = toneOf(row);
      picture.append(
        svg(
          'rect',
          {
            x: (at % COLUMNS) * 10 + 0.5,
            y: Math.floor(at / COLUMNS) * 10 + 0.5,
            width: 9,
            height: 9,
            class: `cell ${tone}${isInBitmap ? ' bitmap' : ''}`,
            click: () => pick(index),
          },
          svg('title', {}, `${nr} ${text.nameOf(nr) ?? ''}: ${tone === 'mixed' ? 'by its arguments' : tone}`),
        ),
      );
    }
    const inBitmap = cells.filter(({ isInBitmap }) => isInBitmap).length;
    const byArguments = cells.filter(({ row }) => row.rules.length > 0).length;
    const caption = `${abi.name}: ${cells.length} calls from ${first < 1 << 30 ? first : `0x${first.toString(16)}`}; ${byArguments} by their arguments; ${inBitmap} always allowed, which the kernel remembers`;
    return el('figure', {}, el('figcaption', {}, caption), picture);
  });
  byId('numbers').replaceChildren(...figures);
}

function toneOf({ rules, otherwise }: Study['rows'][number]): string {
  return rules.length > 0 ? 'mixed' : actionTone(describeAnswer(otherwise, undefined));
}
