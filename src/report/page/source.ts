/** The profile's text: an editor over the same text in colours. */
import type { Diagnostic } from '../../errors.ts';
import type { Entry } from '../study.ts';
import { byId, el, reveal } from './dom.ts';

const TOKENS = /("(?:[^"\\\n]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

export class SourcePane {
  readonly #box = byId('source');
  readonly #area = byId('text', HTMLTextAreaElement);
  readonly #lines = byId('lines');
  readonly #faults = byId('faults');
  #entries: readonly Entry[] = [];

  constructor(on: { edit: () => void; pick: (pointer: string) => void }) {
    this.#area.addEventListener('input', () => {
      this.#paint();
      on.edit();
    });
    const pick = () => {
      const at = this.#area.selectionStart;
      const entry = this.#entries.find(({ from, to }) => from <= at && at <= to);
      if (entry !== undefined) on.pick(entry.pointer);
    };
    this.#area.addEventListener('click', pick);
    this.#area.addEventListener('keyup', ({ key }) => {
      if (/^(Arrow|Page|Home|End)/.test(key)) pick();
    });
  }

  get text(): string {
    return this.#area.value;
  }

  set text(text: string) {
    this.#area.value = text;
    this.#paint();
  }

  /** The same in a way that undo takes back. */
  replace(text: string): void {
    this.#area.focus();
    this.#area.select();
    if (!document.execCommand('insertText', false, text)) this.#area.value = text;
    this.#area.setSelectionRange(0, 0);
    this.#paint();
  }

  show(entries: readonly Entry[], faults: readonly Diagnostic[]): void {
    this.#entries = entries;
    this.#faults.hidden = faults.length === 0;
    this.#faults.replaceChildren(...faults.map((each) => this.#fault(each)));
    this.#area.setAttribute('aria-invalid', String(faults.some(({ severity }) => severity === 'error')));
    for (const line of this.#lines.querySelectorAll('.fault')) line.classList.remove('fault');
    for (const { line, severity } of faults)
      if (line !== undefined && severity === 'error') this.#lines.children[line - 1]?.classList.add('fault');
  }

  #fault({ severity, line, column = 1, message, code, hint }: Diagnostic): HTMLElement {
    const go = () => {
      const lines = this.text.split('\n');
      const at = lines.slice(0, line! - 1).reduce((sum, each) => sum + each.length + 1, column - 1);
      this.#area.focus();
      this.#area.setSelectionRange(at, at);
      reveal(this.#box, this.#lines.children[line! - 1]);
    };
    const place =
      line !== undefined && el('button', { type: 'button', class: 'link', click: go }, `${line}:${column}`);
    const said = el('span', {}, `${message}${hint === undefined ? '' : `; ${hint}`}`);
    return el('li', { class: severity }, place, el('b', {}, severity), said, el('code', {}, code));
  }

  highlight(pointers: ReadonlySet<string>, isPicked: boolean): void {
    for (const line of this.#lines.querySelectorAll('.hit')) line.classList.remove('hit');
    const hit = this.#entries.filter(({ pointer }) => pointers.has(pointer));
    for (const { firstLine, lastLine } of hit)
      for (let line = firstLine; line <= lastLine; line++)
        this.#lines.children[line - 1]?.classList.add('hit');
    // A reader who types must not lose the place.
    if (!isPicked && hit.length > 0 && document.activeElement !== this.#area)
      reveal(this.#box, this.#lines.children[hit[0]!.firstLine - 1]);
  }

  #painted: readonly string[] = [];

  /** Lines before and behind what was changed stay. */
  #paint(): void {
    const [old, now] = [this.#painted, this.text.split('\n')];
    const most = Math.min(old.length, now.length);
    let [before, behind] = [0, 0];
    while (before < most && old[before] === now[before]) before++;
    while (behind < most - before && old.at(-1 - behind) === now.at(-1 - behind)) behind++;
    const elements = [...this.#lines.children];
    for (const each of elements.slice(before, old.length - behind)) each.remove();
    const made = now.slice(before, now.length - behind).map(coloured);
    if (before === 0) this.#lines.prepend(...made);
    else elements[before - 1]!.after(...made);
    this.#painted = now;
  }
}

function coloured(text: string): HTMLElement {
  const line = el('div');
  let done = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [all, string, colon, number] = match;
    line.append(text.slice(done, match.index));
    const kind = string === undefined ? (number === undefined ? 'word' : 'number') : colon ? 'key' : 'string';
    line.append(el('span', { class: kind }, all));
    done = match.index + all.length;
  }
  line.append(`${text.slice(done)}\n`);
  return line;
}
