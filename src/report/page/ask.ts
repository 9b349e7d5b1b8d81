/** The box that answers what happens to one call. */
import type { Arch } from '../../arch.ts';
import { archOf, parseArch } from '../../arch.ts';
import { ArgumentError, describeCall } from '../../format/call.ts';
import { VERBS } from '../../assert/parse.ts';
import { nodeLabels } from '../../bpf/annotate.ts';
import { BPF_JMP } from '../../bpf/instruction.ts';
import { answerParts } from '../../prove/describe.ts';
import { constantsOf } from '../../syscalls/constants.ts';
import { nearestNames } from '../../syscalls/lookup.ts';
import { prototypeText, signatureOf } from '../../syscalls/signatures.ts';
import { answerTo } from '../study.ts';
import type { Answer, Question, Study } from '../study.ts';
import { byId, el } from './dom.ts';
import { pill } from './pills.ts';

const MOST_PROPOSED = 12;
/** A statement, and no question: docs/assertions.md. */
const ASSERTION = new RegExp(`^(?:${[...VERBS, 'no-effect-on'].join('|')})\\s`);

export interface AskEvents {
  answered: (answer: Answer | undefined) => void;
  keep: (assertion: string) => void;
  pickEntry: (pointer: string) => void;
}

export class AskBox {
  readonly #input = byId('question', HTMLInputElement);
  readonly #list = byId('proposals');
  readonly #answer = byId('answer');
  readonly #on: AskEvents;
  #study: Study | undefined;
  #chosen = -1;

  constructor(on: AskEvents) {
    this.#on = on;
    this.#input.addEventListener('input', () => {
      this.#propose();
      this.answer();
    });
    this.#input.addEventListener('keydown', (event) => this.#key(event));
    this.#input.addEventListener('blur', () => this.#close());
  }

  get question(): string {
    return this.#input.value;
  }

  set question(text: string) {
    this.#input.value = text;
  }

  use(study: Study): void {
    this.#study = study;
    this.answer();
  }

  /** Answers what is in the box, at once. */
  answer(): void {
    const study = this.#study;
    const text = this.#input.value.trim();
    if (study === undefined || text === '') {
      this.#answer.replaceChildren(...(study === undefined ? [] : [this.#examples(study)]));
      return this.#on.answered(undefined);
    }
    if (ASSERTION.test(text)) {
      const keep = () => this.#on.keep(text);
      const button = el('button', { type: 'button', id: 'keep', click: keep }, 'Keep as assertion');
      this.#answer.replaceChildren(
        el('p', { class: 'verdict' }, button, 'It is judged for every call, at each change.'),
      );
      return this.#on.answered(undefined);
    }
    try {
      const question = parseQuestion(text);
      const arches = question.arch === undefined ? study.lowered.arches : [archOf(question.arch)];
      const answers = arches
        .map((abi) => study.lowered.arches.includes(abi) && answerTo(study, question, abi))
        .filter((each) => each !== undefined && each !== false);
      const [first] = answers;
      if (first === undefined) return this.#refuse(unknownText(question, arches));
      this.#show(study, question, [first, ...answers.slice(1)]);
      this.#on.answered(first);
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      this.#refuse(`${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`);
    }
  }

  /** Calls that are worth a question. */
  #examples({ rows }: Study): HTMLElement {
    const calls = [...new Set(rows.filter(({ rules }) => rules.length > 0).map(({ call }) => call))];
    const buttons = calls.slice(0, MOST_PROPOSED).flatMap((call) => {
      const ask = () => {
        this.#input.value = `${call}(`;
        this.#input.focus();
        this.answer();
        this.#propose();
      };
      return [' ', el('button', { type: 'button', class: 'link', click: ask }, call)];
    });
    const words =
      calls.length === 0 ? 'No answer depends on arguments.' : 'Answers depend on the arguments of';
    return el('p', { class: 'muted' }, words, ...buttons);
  }

  #refuse(text: string): void {
    // While there are proposals, the question is not at its end.
    const tone = this.#list.hidden ? 'refused' : 'muted';
    this.#answer.replaceChildren(el('p', { class: tone }, text));
    this.#on.answered(undefined);
  }

  #show(study: Study, question: Question, answers: [Answer, ...Answer[]]): void {
    const [
      { abi, name = `number ${question.call}`, data, value, decided, others, path, isInBitmap, explanation },
    ] = answers;
    const place = (pointer: string, text: string) =>
      el('button', { type: 'button', class: 'link', click: () => this.#on.pickEntry(pointer) }, text);
    const lineOf = (pointer: string) => `line ${study.profile.locate(pointer)?.line ?? '?'}`;
    const { entry } = explanation;
    const same = answers.filter((each) => each.value === value).map((each) => each.abi.name);
    const assertion = assertionFor(question, answers[0]);
    this.#answer.replaceChildren(
      el(
        'p',
        { class: 'verdict' },
        pill(value, abi.name),
        el('code', {}, describeCall(abi, name, data.args)),
        el('span', {}, `on ${same.join(', ')}`),
        ...answers
          .filter((each) => each.value !== value)
          .flatMap((each) => [pill(each.value, each.abi.name), el('span', {}, `on ${each.abi.name}`)]),
        el(
          'button',
          { type: 'button', id: 'keep', click: () => this.#on.keep(assertion), title: assertion },
          'Keep as assertion',
        ),
      ),
      el(
        'p',
        { class: 'why' },
        'Decided by ',
        entry === undefined ? decided : place(entry, `the entry at ${lineOf(entry)}`),
        `. ${path.length} instructions run${isInBitmap ? ', and none once the kernel has it in its bitmap' : ''}.`,
      ),
      ...(others.length === 0
        ? []
        : [
            el(
              'ul',
              { class: 'others' },
              ...others.map(({ pointer, why }) => el('li', {}, place(pointer, lineOf(pointer)), ` ${why}`)),
            ),
          ]),
      el('ol', { class: 'path', 'aria-label': 'Path through the program' }, ...pathItems(study, answers[0])),
    );
  }

  /** Names of calls, or constants of the argument at the caret. */
  #propose(): void {
    const before = this.#input.value.slice(0, this.#input.selectionStart ?? undefined);
    const [, call, list] = /^(\w+)\s*\((.*)$/s.exec(before) ?? [];
    const study = this.#study;
    if (study === undefined) return;
    if (before.includes(')')) return this.#close();
    const abi = study.lowered.arches[0]!;
    const word = /[\w]*$/.exec(before)![0];
    let names: string[];
    let hint = '';
    if (call === undefined || list === undefined) {
      if (/\s/.test(before)) return this.#close();
      names = [...new Set(study.rows.map((row) => row.call))];
    } else {
      const signature = signatureOf(abi, call);
      hint = signature === undefined ? '' : prototypeText(call, signature);
      names = [...(constantsOf(abi, call, list.split(',').length - 1)?.entries.keys() ?? [])];
    }
    const lower = word.toLowerCase();
    const starts = names.filter((name) => name.toLowerCase().startsWith(lower));
    const found = [
      ...starts,
      ...names.filter((name) => !starts.includes(name) && name.toLowerCase().includes(lower)),
    ];
    const isDone = found[0] === word && found.length === 1;
    const shown = (word === '' && call === undefined) || isDone ? [] : found.slice(0, MOST_PROPOSED);
    this.#chosen = -1;
    this.#list.replaceChildren(
      ...(hint === ''
        ? []
        : [
            el(
              'div',
              { class: 'hint', role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false' },
              hint,
            ),
          ]),
      ...shown.map((name, index) =>
        el(
          'div',
          {
            role: 'option',
            id: `proposal-${index}`,
            'aria-selected': 'false',
            pointerdown: (event: PointerEvent) => {
              event.preventDefault();
              this.#take(name);
            },
          },
          name,
        ),
      ),
    );
    this.#open(shown.length > 0 || hint !== '');
  }

  #open(isOpen: boolean): void {
    this.#list.hidden = !isOpen;
    this.#input.setAttribute('aria-expanded', String(isOpen));
    this.#input.removeAttribute('aria-activedescendant');
  }

  #close(): void {
    this.#open(false);
  }

  #take(name: string): void {
    const at = this.#input.selectionStart ?? this.#input.value.length;
    const before = this.#input.value.slice(0, at).replace(/\w*$/, name);
    this.#input.value = before + this.#input.value.slice(at).replace(/^\w*/, '');
    this.#input.setSelectionRange(before.length, before.length);
    this.#close();
    this.answer();
  }

  #key(event: KeyboardEvent): void {
    const options = [...this.#list.querySelectorAll<HTMLElement>('[id]')];
    const isOpen = !this.#list.hidden && options.length > 0;
    if (event.key === 'Escape' && !this.#list.hidden) {
      event.stopPropagation();
      return this.#close();
    }
    const isChoice = (event.key === 'Enter' || event.key === 'Tab') && this.#chosen >= 0;
    if (!isOpen || !(isChoice || event.key === 'ArrowDown' || event.key === 'ArrowUp')) return;
    event.preventDefault();
    if (isChoice) return this.#take(options[this.#chosen]!.textContent);
    const step = event.key === 'ArrowDown' ? 1 : -1;
    this.#chosen = (this.#chosen + step + options.length) % options.length;
    options.forEach((each, index) => each.setAttribute('aria-selected', String(index === this.#chosen)));
    options[this.#chosen]!.scrollIntoView({ block: 'nearest' });
    this.#input.setAttribute('aria-activedescendant', options[this.#chosen]!.id);
  }
}

/**
 * `socket(AF_VSOCK, SOCK_STREAM)`, `clone3`, `personality 0xffffffff`, each with `on ARCH` at its
 * end.
 * @throws ArgumentError
 */
function parseQuestion(text: string): Question {
  const [, call, inside, loose, on] =
    /^(\w+)\s*(?:\(([^)]*)\)?|\s([^()]*?))?\s*(?:\bon\s+(\w+))?$/.exec(text) ?? [];
  if (call === undefined) throw new ArgumentError('write a call such as socket(AF_VSOCK, SOCK_STREAM)');
  const arch = on === undefined ? undefined : parseArch(on);
  if (on !== undefined && arch === undefined) throw new ArgumentError(`there is no architecture "${on}"`);
  const list = (inside ?? loose ?? '').trim();
  const args =
    list === '' ? [] : list.split(inside === undefined ? /[\s,]+/ : ',').map((each) => each.trim());
  // What is still being typed is no argument yet.
  if (args.at(-1) === '') args.pop();
  if (args.length > 6) throw new ArgumentError('a call has at most 6 arguments');
  return { call, args, arch };
}

function unknownText({ call }: Question, arches: readonly Arch[]): string {
  const near = nearestNames(call, 3);
  const names = arches.map(({ name }) => name).join(', ');
  return `no system call "${call}" in the filter for ${names}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`;
}

const KEPT_AS: Record<string, string> = {
  ALLOW: 'allow',
  LOG: 'log',
  USER_NOTIF: 'notify',
  TRACE: 'trace',
  TRAP: 'trap',
};

/** The statement that the answer stays as it is. */
function assertionFor({ call, args, arch }: Question, { abi, name, value }: Answer): string {
  const { action, errno } = answerParts(value, abi.name);
  const verb = action === 'ERRNO' ? (errno === 0 ? 'errno 0' : 'deny') : (KEPT_AS[action] ?? 'kill');
  const on = arch === undefined ? '' : ` on ${abi.name}`;
  return `${verb} ${name ?? call}${args.length === 0 ? '' : `(${args.join(', ')})`}${on}`;
}

function pathItems({ filter, tables }: Study, { path, value, abi }: Answer): HTMLElement[] {
  const { instructions, endian } = filter;
  const labels = nodeLabels(instructions, { endian, tables });
  const tests = path.flatMap((at, index) => {
    const { code, jt, jf } = instructions[at]!;
    if ((code & 0x07) !== BPF_JMP || jt === jf) return [];
    const isTaken = path[index + 1] === at + 1 + jt;
    return [
      el(
        'li',
        {},
        el('code', {}, labels[at] ?? `instruction ${at}`),
        el('b', { class: isTaken ? 'yes' : 'no' }, isTaken ? 'yes' : 'no'),
      ),
    ];
  });
  return [...tests, el('li', {}, pill(value, abi.name))];
}
