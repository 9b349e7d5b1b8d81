/** The choice of a target: of the page, and of what it is compared with. */
import { SeccompcError } from '../../errors.ts';
import { capabilitySet, makeTarget } from '../../target.ts';
import type { Target } from '../../target.ts';
import { button, el } from './dom.ts';

/** Fills a `details` element with a form. @returns what shows another target in it */
export function targetChoice(
  box: HTMLElement,
  arches: readonly string[],
  use: (target: Target) => void,
): (target: Target) => void {
  let target: Target;
  const select = (name: string, options: readonly string[]) =>
    el('select', { name }, ...options.map((each) => el('option', {}, each)));
  const arch = select('arch', arches);
  const kernel = el('input', { name: 'kernel', size: 6, autocomplete: 'off', spellcheck: 'false' });
  const engine = select('engine', ['moby', 'podman']);
  const semantics = select('semantics', ['crun', 'runc']);
  const capabilities = el('textarea', { name: 'capabilities', rows: 2, spellcheck: 'false' });
  const fault = el('span', { class: 'refused', role: 'alert' });
  const summary = el('summary');
  const fillCapabilities = (names: readonly string[]) =>
    (capabilities.value = names.map((each) => each.replace('CAP_', '')).join(', '));
  const sets = (['default', 'all', 'none'] as const).map((set) =>
    button(
      { default: 'Engine’s default', all: 'All', none: 'None' }[set],
      () => fillCapabilities(capabilitySet(engine.value as Target['engine'], set)),
      { 'data-caps': set },
    ),
  );
  const submit = (event: Event) => {
    event.preventDefault();
    fault.textContent = '';
    const { engineRelease, runcRelease, ...rest } = target;
    try {
      use(
        makeTarget({
          ...rest,
          arch: arch.value,
          kernel: kernel.value,
          engine: engine.value as Target['engine'],
          ...(engine.value === target.engine && { engineRelease }),
          semantics: semantics.value as Target['semantics'],
          ...(semantics.value === target.semantics && { runcRelease }),
          capabilities: capabilities.value.split(/[\s,]+/).filter((each) => each !== ''),
        }),
      );
    } catch (error) {
      if (!(error instanceof SeccompcError)) throw error;
      fault.textContent = error.diagnostics.map(({ message }) => message).join('; ');
    }
  };
  box.append(
    summary,
    el(
      'form',
      { submit },
      el('label', {}, 'Architecture ', arch),
      el('label', {}, 'Kernel ', kernel),
      el('label', {}, 'Engine ', engine),
      el('label', {}, 'Runtime ', semantics),
      el('label', { class: 'wide' }, 'Capabilities ', capabilities),
      el('p', { class: 'buttons' }, ...sets, el('button', { type: 'submit' }, 'Use'), fault),
    ),
  );
  return (shown) => {
    target = shown;
    arch.value = target.arch;
    kernel.value = `${target.kernel.major}.${target.kernel.minor}`;
    engine.value = target.engine;
    semantics.value = target.semantics;
    fillCapabilities(target.capabilities);
    summary.textContent = `For ${targetText(target)}`;
  };
}

export function targetText({ arch, kernel, engine, semantics, capabilities }: Target): string {
  return `${arch}, Linux ${kernel.major}.${kernel.minor}, ${engine}, ${semantics}, ${capabilities.length} capabilities`;
}
