/** Findings of lint, and the statements that are kept. */
import { SeccompcError } from '../../errors.ts';
import { applyFix } from '../../lint/fix.ts';
import { callParts, lint } from '../../lint/lint.ts';
import type { Finding } from '../../lint/rule.ts';
import { describeAnswer, describeCall } from '../../prove/describe.ts';
import { checkAssertions } from '../../questions.ts';
import type { Study } from '../study.ts';
import { byId, el } from './dom.ts';
import { pill } from './pills.ts';

export interface FindingEvents {
  pickEntry: (pointer: string) => void;
  ask: (question: string) => void;
  /** A fix was proved. */
  fixed: (text: string) => void;
}

export async function showFindings(study: Study, file: string, on: FindingEvents): Promise<void> {
  const { text, target } = study;
  const { findings, tables } = await lint(new TextEncoder().encode(text), { file, target, all: true });
  byId('tab-findings').textContent = `Findings ${findings.length}`;
  const items = findings.map((finding) => {
    const { severity, code, message, hint, line, pointer } = finding.diagnostic;
    const go = () =>
      pointer !== undefined && on.pickEntry(/^.*\/syscalls\/\d+/.exec(pointer)?.[0] ?? pointer);
    return el(
      'li',
      { class: severity },
      el(
        'p',
        {},
        el('b', {}, severity),
        ' ',
        line !== undefined && el('button', { type: 'button', class: 'link', click: go }, `line ${line}`),
        ` ${message} `,
        el('code', {}, code),
      ),
      hint !== undefined && el('p', { class: 'muted' }, hint),
      tables !== undefined && finding.call !== undefined && example(finding.call, tables, on),
      finding.fix !== undefined && fixButton(study, file, finding.fix, on),
    );
  });
  byId('findings').replaceChildren(
    ...(items.length > 0 ? items : [el('li', { class: 'none' }, 'Nothing found.')]),
  );
}

function example(
  { data, answer }: NonNullable<Finding['call']>,
  tables: Study['tables'],
  on: FindingEvents,
): HTMLElement {
  const { arch, name } = callParts(data, tables);
  const line = el('p', { class: 'example' });
  void describeCall(data, arch).then((text) => {
    const question = `${name ?? data.nr}(${data.args.map((each) => `0x${each.toString(16)}`).join(', ')}) on ${arch}`;
    const ask = el('button', { type: 'button', class: 'link', click: () => on.ask(question) }, text);
    line.append('For example ', ask, ' gets ', pill(answer, arch));
  });
  return line;
}

function fixButton(
  study: Study,
  file: string,
  fix: NonNullable<Finding['fix']>,
  on: FindingEvents,
): HTMLElement {
  const apply = async () => {
    const made = await applyFix(study.text, fix, { file, target: study.target });
    if (made === undefined)
      return say('The profile with this fix is not proved to be as strict, so it stays as it is.');
    on.fixed(made.text);
    const calls = await Promise.all(
      made.changed.map(
        async ({ data, abi, first, second }) =>
          `${await describeCall(data, abi)}: was ${describeAnswer(first, abi)}, is ${describeAnswer(second, abi)}`,
      ),
    );
    say(
      calls.length === 0
        ? 'Fixed. Proved: every call gets the answer that it got.'
        : 'Fixed. Proved: nothing gets through that did not.',
      calls,
    );
  };
  return el(
    'p',
    {},
    el(
      'button',
      { type: 'button', class: 'fix', click: () => void apply() },
      fix.relation === 'equal' ? 'Fix without any change of meaning' : 'Fix, stricter only',
    ),
  );
}

/** Beside the findings, until the next fix. */
function say(text: string, calls: readonly string[] = []): void {
  byId('fixed').replaceChildren(
    el('p', {}, text),
    ...(calls.length === 0 ? [] : [el('ul', {}, ...calls.map((each) => el('li', {}, el('code', {}, each))))]),
  );
}

export interface AssertionEvents {
  remove: (text: string) => void;
  ask: (question: string) => void;
}

/** @throws SeccompcError if one cannot be judged */
export async function showAssertions(
  study: Study,
  assertions: readonly string[],
  on: AssertionEvents,
): Promise<void> {
  const items: HTMLElement[] = [];
  for (const text of assertions) items.push(await judged(study, text, on));
  byId('kept').replaceChildren(...items);
}

async function judged({ profile, target }: Study, text: string, on: AssertionEvents): Promise<HTMLElement> {
  const remove = el(
    'button',
    { type: 'button', class: 'remove', 'aria-label': `Remove ${text}`, click: () => on.remove(text) },
    '×',
  );
  const item = (verdict: string, ...more: (string | HTMLElement)[]) =>
    el(
      'li',
      { class: verdict },
      el('span', { class: 'mark', role: 'img', 'aria-label': verdict }, MARKS[verdict] ?? '?'),
      el('code', {}, text),
      ...more,
      remove,
    );
  try {
    const [result] = await checkAssertions({ profile, target }, text);
    if (result?.verdict !== 'fails') return item(result?.verdict ?? 'undecided');
    const { data, abi, answer } = result.call;
    return item('fails', ` ${await describeCall(data, abi)} gets `, pill(answer, abi));
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return item('invalid', ` ${error.diagnostics[0]!.message}`);
  }
}

const MARKS: Record<string, string> = { holds: '✓', fails: '✗' };
