/**
 * The decision tree as layers: the deeper a test, the lower, and the more calls get there, the
 * wider.
 */
import { hierarchy, partition } from 'd3-hierarchy';
import { actionTone } from '../../graph/tone.ts';
import type { Part } from '../shares.ts';
import { button, el } from './dom.ts';

/** Of a layer, in pixels. */
const HEIGHT = 24;

export function drawIcicle(
  top: Part,
  width: number,
  marked: { instructions: ReadonlySet<number>; steps: ReadonlySet<number> },
  pick: (at: number) => void,
): HTMLElement {
  const root = hierarchy(top).each((each) => void Object.assign(each, { value: each.data.share }));
  const layers = root.height + 1;
  const blocks = partition<Part>()
    .size([1, layers])(root)
    .descendants()
    .map(({ data: { node, step, share }, x0, x1, y0 }, index) => {
      const percent = `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} % of the calls`;
      // One action is at the end of many ways.
      const isOn = marked.instructions.has(node.id) && (node.kind === 'test' || marked.steps.has(step));
      const isShown = (x1 - x0) * width > 30;
      const block = button(isShown ? node.label : '', () => pick(node.id), {
        class: `block ${node.kind === 'action' ? actionTone(node.label) : 'test'}`,
        tabindex: index === 0 ? 0 : -1,
        'aria-pressed': String(isOn),
        title: `${node.label}: ${percent}`,
        'aria-label': isShown ? undefined : `${node.label}: ${percent}`,
      });
      if (isShown) block.append(el('span', { class: 'unseen' }, ` ${percent}`));
      block.style.left = `${100 * x0}%`;
      block.style.width = `${100 * (x1 - x0)}%`;
      block.style.top = `${y0 * HEIGHT}px`;
      block.style.height = `${HEIGHT}px`;
      return block;
    });
  const box = el('div', { class: 'icicle', role: 'group', 'aria-label': 'Decision tree' }, ...blocks);
  box.style.height = `${layers * HEIGHT}px`;
  return box;
}
