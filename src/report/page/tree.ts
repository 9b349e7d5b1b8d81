/** The decision tree as a picture: boxes open and close, and what a question meets is marked. */
import { archOf } from '../../arch.ts';
import type { Arch } from '../../arch.ts';
import { callCounts } from '../../audit/counts.ts';
import { FREQUENCY, SELDOM } from '../../codegen/numbers/frequency.ts';
import { layOut, ROW } from '../../graph/layout.ts';
import type { Placed } from '../../graph/layout.ts';
import { stepBetween } from '../../graph/reach.ts';
import { curve } from '../../graph/svg.ts';
import { actionTone } from '../../graph/tone.ts';
import { decisionTree } from '../../graph/tree.ts';
import type { DecisionTree } from '../../graph/tree.ts';
import { flowOf, partsOf } from '../shares.ts';
import type { Study } from '../study.ts';
import { byId, el, focusOn, roving, svg } from './dom.ts';
import { drawIcicle } from './icicle.ts';

/** Tests above those that are folded at first. */
const DEPTH = 4;
/** Of a step that every call takes, in pixels. */
const WIDEST = 18;

/** How often a call is made, in any unit. */
type Weigh = (call: string) => number;
const WEIGHTS: Record<string, Weigh> = {
  typical: (call) => FREQUENCY.get(call) ?? SELDOM,
  even: () => 1,
};

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
  readonly #width = byId('width', HTMLSelectElement);
  readonly #shape = byId('shape', HTMLSelectElement);
  #flow: ReadonlyMap<number, number> = new Map();

  constructor(pick: (at: number) => void) {
    this.#pick = pick;
    this.#only.addEventListener('change', () => this.#draw());
    this.#width.addEventListener('change', () => this.#weigh());
    this.#shape.addEventListener('change', () => this.#draw());
    roving(this.#box, 'button');
    const files = byId('recording', HTMLInputElement);
    files.addEventListener('change', () => {
      const [file] = files.files ?? [];
      void file?.text().then((text) => this.#use(file.name, callCounts(text)));
    });
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
    this.#weigh();
  }

  /** Takes how often calls were made from a recording. */
  #use(name: string, counts: ReadonlyMap<string, number>): void {
    const made = [...counts.values()].reduce((sum, each) => sum + each, 0);
    byId('recorded').textContent = made === 0 ? `${name} has no calls` : '';
    if (made === 0) return;
    const key = `recording ${this.#width.options.length}`;
    WEIGHTS[key] = (call) => counts.get(call) ?? 0;
    this.#width.append(el('option', { value: key, selected: true }, `as in ${name}: ${made} calls`));
    this.#weigh();
  }

  #weigh(): void {
    if (this.#study === undefined) return;
    this.#flow = flowOf(this.#study.rows, this.#abi, this.#weight);
    this.#draw();
  }

  get #weight(): Weigh {
    return WEIGHTS[this.#width.value]!;
  }

  /** Whose calls are counted: the native architecture, if the filter has it. */
  get #abi(): Arch {
    const { lowered, target } = this.#study!;
    const native = archOf(target.arch);
    return lowered.arches.includes(native) ? native : lowered.arches[0]!;
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
    byId('width-of').textContent = this.#abi.name;
    const { instructions, endian } = study.filter;
    const options = { endian, tables: study.tables };
    const isIcicle = this.#shape.value === 'icicle';
    for (const each of byId('panel-tree').querySelectorAll<HTMLElement>('.of-boxes, .of-layers'))
      each.hidden = each.classList.contains('of-layers') !== isIcicle;
    const steps = this.#steps();
    if (isIcicle) return this.#drawIcicle(study, decisionTree(instructions, options), steps);
    const isOnly = this.#only.checked && steps.size > 0;
    const tree = decisionTree(instructions, {
      ...options,
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

  #drawIcicle(study: Study, tree: DecisionTree, steps: ReadonlySet<number>): void {
    const buttons = () => [...this.#box.querySelectorAll('button')];
    const focused = buttons().indexOf(document.activeElement as HTMLButtonElement);
    const parts = partsOf(study, tree, this.#abi, this.#weight);
    const marked = { instructions: this.#marked, steps };
    this.#box.replaceChildren(
      parts === undefined
        ? 'The recording has no call of this architecture.'
        : drawIcicle(parts, this.#box.clientWidth, marked, this.#pick),
    );
    if (focused >= 0) focusOn(buttons(), buttons()[focused]!);
  }

  #resize(): void {
    const picture = this.#box.querySelector<SVGElement>('svg');
    if (picture) picture.style.width = `${Number(picture.dataset['width']) * this.#scale}px`;
  }

  #edge({ x, y, from }: Placed, { filter }: Study, steps: ReadonlySet<number>): SVGElement[] {
    if (from === undefined) return [];
    const {
      parent: { node },
      answer,
    } = from;
    const { jt, jf } = filter.instructions[node.id]!;
    const step = stepBetween(node.id, node.id + 1 + (answer === 'yes' ? jt : jf));
    const d = curve(from.parent, x, y);
    const share = this.#flow.get(step) ?? 0;
    return [
      svg('path', { class: 'flow', d, 'stroke-width': (WIDEST * share).toFixed(2) }),
      svg('path', { class: `${answer}${steps.has(step) ? ' on' : ''}`, d }),
    ];
  }

  /** Of the calls, how many take each way from a test. */
  #shares(id: number): string {
    const { jt, jf } = this.#study!.filter.instructions[id]!;
    const part = (skip: number) =>
      `${Math.round(100 * (this.#flow.get(stepBetween(id, id + 1 + skip)) ?? 0))} %`;
    return `yes ${part(jt)} of the calls, no ${part(jf)}`;
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
    const says = kind === 'fold' ? `${label}, folded` : `${label}, open, ${this.#shares(id)}`;
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
      svg('title', {}, says),
      ...shape,
    );
  }
}
