/** The page of a report: what its parts show, and how a click on one lights up the others. */
import { allArches } from '../../arch.ts';
import { SeccompcError } from '../../errors.ts';
import { stepBetween } from '../../graph/reach.ts';
import { launcherArch, makeLauncher } from '../../launcher/launcher.ts';
import { makeTarget } from '../../target.ts';
import type { Target } from '../../target.ts';
import type { ReportData } from '../report.ts';
import { studyOf } from '../study.ts';
import type { Answer, Study } from '../study.ts';
import { AskBox } from './ask.ts';
import { Comparison } from './compare.ts';
import { byId, el, focusOn, link } from './dom.ts';
import { showAssertions, showFindings } from './findings.ts';
import { drawLegend, drawNumbers, markNumbers } from './numbers.ts';
import { PolicyPane } from './policy.ts';
import { ProgramPane } from './program.ts';
import { SourcePane } from './source.ts';
import { fragmentOf, sharedIn } from './state.ts';
import { targetChoice } from './target.ts';
import { TreeView } from './tree.ts';
import { Treemap } from './treemap.ts';

/** Between the last key and the compilation, in milliseconds. */
const PAUSE = 250;

const { file, text: original, target: given, against } = JSON.parse(byId('data').textContent) as ReportData;
/** As an editor in a page has it. */
const opened = original.replaceAll(/\r\n?/g, '\n');
/** The tables that are in the file. */
const known = Object.keys(JSON.parse(byId('facts').textContent) as object);
const openedTarget = makeTarget(given);

let target = openedTarget;
let assertions: string[] = [];
let study: Study | undefined;

/** What is lit up. */
interface Lit {
  entries: ReadonlySet<string>;
  rows: ReadonlySet<number>;
  strong: ReadonlySet<number>;
  weak: ReadonlySet<number>;
  /** Between instructions, as stepBetween writes them. */
  steps: () => ReadonlySet<number>;
}
const NOTHING: Lit = {
  entries: new Set(),
  rows: new Set(),
  strong: new Set(),
  weak: new Set(),
  steps: () => new Set(),
};

function light(
  { entries, rows, strong, weak, steps }: Lit,
  from?: 'source' | 'policy' | 'program' | 'ask',
): void {
  source.highlight(entries, from === 'source');
  policy.highlight(rows, from === 'policy');
  program.highlight(strong, weak, from === 'program');
  tree.mark(new Set([...strong, ...weak]), steps);
  treemap.highlight(entries);
  markNumbers(rows);
}

/**
 * Of some rows: the entries behind them, and the instructions that only they, or others too, can
 * run.
 */
function litBy(rows: ReadonlySet<number>, entries?: ReadonlySet<string>): Lit {
  const { rows: all } = study!;
  const places = [...rows].flatMap((row) => all[row]!.places);
  const reached = new Set([...rows].flatMap((row) => [...all[row]!.reached]));
  const elsewhere = new Set(all.flatMap((row, index) => (rows.has(index) ? [] : [...row.reached])));
  return {
    entries: entries ?? new Set([...rows].flatMap((row) => all[row]!.entries)),
    rows,
    strong: new Set([...reached].filter((at) => !elsewhere.has(at))),
    weak: new Set([...reached].filter((at) => elsewhere.has(at))),
    steps: () => new Set(places.flatMap(({ steps }) => [...steps])),
  };
}

function rowsWhere(holds: (row: Study['rows'][number]) => boolean): Set<number> {
  return new Set(study!.rows.flatMap((row, index) => (holds(row) ? [index] : [])));
}

function pickEntry(pointer: string, from?: 'source'): void {
  if (study === undefined) return;
  light(
    litBy(
      rowsWhere(({ entries }) => entries.includes(pointer)),
      new Set([pointer]),
    ),
    from,
  );
}

function pickRow(row: number, from?: 'policy'): void {
  if (study !== undefined) light(litBy(new Set([row])), from);
}

function pickInstruction(at: number, from?: 'program'): void {
  if (study === undefined) return;
  const rows = rowsWhere(({ reached }) => reached.has(at));
  light({ ...NOTHING, rows, entries: litBy(rows).entries, strong: new Set([at]) }, from);
}

function lightAnswer(answer: Answer | undefined): void {
  share();
  if (answer === undefined || study === undefined) return light(NOTHING);
  const { abi, data, explanation, path } = answer;
  const rows = rowsWhere(({ places }) => places.some((each) => each.abi === abi && each.nr === data.nr));
  const { entry, source: by } = explanation;
  const decider = by === 'default-action' ? study.fallback : entry;
  const entries = new Set(decider === undefined ? [] : [decider]);
  const steps = new Set(path.slice(1).map((to, index) => stepBetween(path[index]!, to)));
  light({ entries, rows, strong: new Set(path), weak: new Set(), steps: () => steps }, 'ask');
}

const source = new SourcePane({ edit: later, pick: (pointer) => pickEntry(pointer, 'source') });
const policy = new PolicyPane((row) => pickRow(row, 'policy'));
const program = new ProgramPane((at) => pickInstruction(at, 'program'));
const tree = new TreeView((at) => pickInstruction(at));
const treemap = new Treemap(({ pointer, rows }) => {
  if (rows.length > 0)
    return light(litBy(new Set(rows.map((row) => study!.rows.indexOf(row))), new Set([pointer])));
  const reached = new Set(study!.rows.flatMap((row) => [...row.reached]));
  const rest = study!.listing.flatMap((_, at) => (reached.has(at) ? [] : [at]));
  light({ ...NOTHING, entries: new Set([pointer]), strong: new Set(rest) });
});
const ask = new AskBox({ answered: lightAnswer, keep, pickEntry });
const comparison = new Comparison({ opened, target: openedTarget, against }, archNames(), {
  ask: askAbout,
  changed: share,
  reasonOf,
});
const fillTarget = targetChoice(byId('target'), archNames(), (chosen) => {
  target = chosen;
  fillTarget(target);
  void compileText();
});

function askAbout(question: string): void {
  ask.question = question;
  ask.answer();
  byId('ask').scrollIntoView({ block: 'nearest' });
}

function keep(assertion: string): void {
  if (!assertions.includes(assertion)) assertions = [...assertions, assertion];
  void judge();
}

async function judge(): Promise<void> {
  share();
  if (study === undefined) return;
  const remove = (text: string) => {
    assertions = assertions.filter((each) => each !== text);
    void judge();
  };
  await showAssertions(study, assertions, { remove, ask: askAbout });
}

let timer: ReturnType<typeof setTimeout> | undefined;
function later(): void {
  clearTimeout(timer);
  document.body.classList.add('stale');
  // They would take back what is being typed.
  for (const fix of document.querySelectorAll<HTMLButtonElement>('.fix')) fix.disabled = true;
  timer = setTimeout(() => void compileText(), PAUSE);
}

/** Compiles and proves the text, and shows all that follows from it; the last text wins. */
async function compileText(): Promise<void> {
  const text = source.text;
  const isCurrent = () => text === source.text;
  try {
    const made = await studyOf(text, { file, target });
    if (!isCurrent()) return;
    study = made;
    showStudy(made);
    share();
    // The rest may come a moment later.
    await new Promise((resolve) => setTimeout(resolve));
    if (!isCurrent()) return;
    await judge();
    await showFindings(made, file, { pickEntry, ask: askAbout, fixed: replaceText });
    await comparison.show(made);
  } catch (error) {
    if (!isCurrent()) return;
    if (error instanceof SeccompcError) return showFaults(error);
    byId('status').replaceChildren(el('b', {}, 'Not compiled'), el('span', {}, reasonOf(error)));
    byId('status').className = 'bad';
  } finally {
    document.body.dataset['done'] = String(Number(document.body.dataset['done'] ?? 0) + 1);
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.startsWith('no table')
    ? `this page has the calls of ${archNames().join(', ')} only; make a report for the other architecture`
    : text;
}

function archNames(): string[] {
  return allArches()
    .filter((abi) => known.includes(abi.table))
    .map(({ name }) => name);
}

function showStudy(made: Study): void {
  const { filter, lowered, entries } = made;
  document.body.classList.remove('stale');
  byId('status').className = '';
  byId('status').replaceChildren(
    el('b', {}, filter.proved ? '✓ proved for every call' : 'not proved: the proof is too large'),
    el('span', {}, `${filter.instructions.length} instructions, ${filter.convertedLength} as eBPF`),
    el('span', {}, lowered.arches.map(({ name }) => name).join(', ')),
    ...changedMark(),
  );
  byId('text-size').textContent = `${entries.length - 1} entries`;
  byId('program-size').textContent = `${filter.instructions.length} instructions`;
  source.show(entries, filter.diagnostics);
  policy.show(made);
  program.show(made);
  tree.show(made);
  treemap.show(made);
  drawNumbers(made, (row) => pickRow(row));
  ask.use(made);
}

/** A link may bring another text under the name of the file, so that is always said. */
function changedMark(): HTMLElement[] {
  const changed = [source.text !== opened && 'text', target !== openedTarget && 'target'].filter(
    (each) => each !== false,
  );
  if (changed.length === 0) return [];
  const undo = () => {
    target = openedTarget;
    fillTarget(target);
    if (source.text === opened) void compileText();
    else replaceText(opened);
  };
  const back = link('back to the file', undo, { id: 'back' });
  return [el('span', { class: 'changed' }, `other ${changed.join(' and ')} than in the file: `, back)];
}

function showFaults({ diagnostics }: SeccompcError): void {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  byId('status').className = 'bad';
  byId('status').replaceChildren(
    el('b', {}, errors === 1 ? '1 error' : `${errors} errors`),
    el('span', {}, 'what is below is of the last text without errors'),
  );
  source.show(study?.text === source.text ? study.entries : [], diagnostics);
}

function replaceText(text: string): void {
  source.replace(text);
  later();
}

let sharing: ReturnType<typeof setTimeout> | undefined;
/** Puts what was changed into the address, after a pause. */
function share(): void {
  clearTimeout(sharing);
  sharing = setTimeout(() => void shareNow(), PAUSE);
}

async function shareNow(): Promise<void> {
  const other = comparison.shared;
  const tab = chosenTab();
  const fragment = await fragmentOf({
    ...(source.text !== opened && { text: source.text }),
    ...(ask.question !== '' && { question: ask.question }),
    ...(assertions.length > 0 && { assertions }),
    ...(target !== openedTarget && { target }),
    ...(other !== undefined && { other }),
    ...(tab !== undefined && { tab }),
  });
  if (fragment !== location.hash)
    history.replaceState(null, '', fragment === '' ? location.pathname + location.search : fragment);
}

const tabs = [...document.querySelectorAll<HTMLElement>('[role=tab]')];

function chooseTab(tab: HTMLElement): void {
  for (const each of tabs) {
    each.setAttribute('aria-selected', String(each === tab));
    byId(each.getAttribute('aria-controls')!).hidden = each !== tab;
    each.tabIndex = each === tab ? 0 : -1;
  }
  tree.isShown = tab.id === 'tab-tree';
  treemap.shown();
}

/** Undefined for the first one. */
function chosenTab(): string | undefined {
  const chosen = tabs.findIndex((each) => each.getAttribute('aria-selected') === 'true');
  return chosen > 0 ? tabs[chosen]!.id : undefined;
}

function setUpTabs(): void {
  tabs.forEach((tab, index) => {
    tab.addEventListener('click', () => {
      chooseTab(tab);
      focusOn(tabs, tab);
      share();
    });
    tab.addEventListener('keydown', ({ key }) => {
      const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
      if (step !== 0) tabs[(index + step + tabs.length) % tabs.length]!.click();
    });
  });
}

function save(name: string, content: string | Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([content]));
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function setUpTools(): void {
  const name = file.split('/').at(-1)!;
  byId('save-profile').addEventListener('click', () =>
    save(name === '-' ? 'profile.json' : name, source.text),
  );
  byId('save-filter').addEventListener('click', () => {
    if (study !== undefined) save(`${name.replace(/\.json$/, '')}.bpf`, new Uint8Array(study.filter.bytes));
  });
  byId('save-launcher').addEventListener('click', () => {
    if (study === undefined) return;
    const {
      target: { arch },
      bytes,
      ...rest
    } = study.filter;
    try {
      launcherArch(arch);
      if (!known.includes(`launcher ${arch.toLowerCase()}`))
        throw new Error(`this page has no launcher for ${arch}`);
      save(name.replace(/\.json$/, ''), new Uint8Array(makeLauncher(arch, bytes, rest)));
    } catch (error) {
      const why = error instanceof SeccompcError ? error.diagnostics[0]!.message : (error as Error).message;
      byId('status').append(el('span', { class: 'changed' }, why));
    }
  });
  const copy = byId('copy-link');
  copy.addEventListener('click', () => {
    // Not every browser lets a page from the disk do this.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    void shareNow()
      .then(() => clipboard!.writeText(location.href))
      .then(
        () => (copy.textContent = 'Copied'),
        () => (copy.textContent = 'Copy it from the address bar'),
      );
  });
  document.addEventListener('keydown', (event) => {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '');
    if (event.key === '/' && !isTyping) {
      event.preventDefault();
      byId('question').focus();
    }
    if (event.key === 'Escape') light(NOTHING);
  });
  drawLegend();
}

async function start(): Promise<void> {
  byId('file').textContent = file === '-' ? 'Seccomp profile' : file;
  source.text = opened;
  setUpTabs();
  setUpTools();
  await restore();
  // The text is there to be read while it is compiled.
  await new Promise((resolve) => setTimeout(resolve));
  await compileText();
  addEventListener('hashchange', () => {
    void restore().then(compileText);
  });
}

async function restore(): Promise<void> {
  const shared = await sharedIn(location.hash);
  source.text = shared.text ?? opened;
  ask.question = shared.question ?? '';
  assertions = shared.assertions ?? [];
  target = targetIn(shared.target) ?? openedTarget;
  fillTarget(target);
  comparison.restore(shared.other ?? {}, targetIn(shared.other?.target));
  chooseTab(tabs.find(({ id }) => id === shared.tab) ?? tabs[0]!);
}

/** A target that a link has, if it is one. */
function targetIn(shared: object | undefined): Target | undefined {
  try {
    return shared && makeTarget(shared as Target);
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return undefined;
  }
}

void start();
