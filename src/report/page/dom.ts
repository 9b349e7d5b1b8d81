/**
 * Elements without a framework. Texts become text nodes only, so that no profile can add markup.
 */

export type Child = Node | string | undefined | false;
type Props = Record<string, string | number | boolean | undefined | ((event: never) => void)>;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), props, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

export function button(text: string, click: () => void, props: Props = {}): HTMLButtonElement {
  return el('button', { type: 'button', click, ...props }, text);
}

/** A button that looks like a link. */
export function link(text: string, click: () => void, props: Props = {}): HTMLButtonElement {
  return button(text, click, { class: 'link', ...props });
}

function fill<T extends Element>(element: T, props: Props, children: Child[]): T {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name, value as EventListener);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

export function byId(id: string): HTMLElement;
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T;
export function byId(id: string, kind: new () => HTMLElement = HTMLElement): HTMLElement {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${id}`);
}

/** Arrow keys move the focus among the children of a list, of which one is in the order of tabs. */
export function roving(list: HTMLElement, selector: string): void {
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 };
  list.addEventListener('keydown', (event) => {
    const items = [...list.querySelectorAll<HTMLElement>(selector)];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    const ends: Record<string, number> = { Home: 0, End: items.length - 1 };
    const to = ends[event.key] ?? at + (steps[event.key] ?? 0);
    if (to === at) {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      items[at]!.click();
    }
    event.preventDefault();
    focusOn(items, items[Math.max(0, Math.min(items.length - 1, to))]!);
  });
}

export function focusOn(items: readonly HTMLElement[], item: HTMLElement): void {
  for (const each of items) each.tabIndex = -1;
  item.tabIndex = 0;
  item.focus();
}

/** Scrolls a container, and nothing around it, so that an element is in sight. */
export function reveal(container: HTMLElement, element: Element | undefined | null): void {
  if (!element) return;
  const [outer, inner] = [container.getBoundingClientRect(), element.getBoundingClientRect()];
  if (inner.top >= outer.top + 40 && inner.bottom <= outer.bottom) return;
  container.scrollTop += inner.top - outer.top - outer.height / 3;
}
