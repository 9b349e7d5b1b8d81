/**
 * Entries that have no effect, or none on an architecture: told once the rules of all of them are
 * known.
 */
import { compareStrictness } from '../action.ts';
import type { Arch } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import { describeAction } from './combine.ts';
import type { PlaceOf } from './combine.ts';
import { conditionsOn } from './decide.ts';
import { multiplexed } from './multiplex.ts';
import type { EffectiveEntry } from './rules.ts';

interface Effect {
  /** Architectures on which it makes a rule. */
  arches: Arch[];
  /** Whether one of its rules can decide. */
  decides: boolean;
  /** An entry of another action that decides one of its calls instead, whatever the arguments. */
  shadow?: { entry: EffectiveEntry; name: string };
}

/** @param arches those of the filter, native first */
export function reportWithoutEffect(
  entries: readonly EffectiveEntry[],
  arches: readonly Arch[],
  tables: SyscallTables,
  defaultAction: number,
  report: (d: Diagnostic) => void,
  placeOf: PlaceOf,
): void {
  const effects = effectsOf(entries, arches, tables);
  const [native] = arches;
  const named = entries.filter(({ calls }) => calls.length > 0);
  const elsewhere = (entry: EffectiveEntry) => !effects.get(entry)!.arches.includes(native!);
  // Where the native architecture has no such way around, there is nothing to refuse.
  const isMultiplexer = ({ calls }: EffectiveEntry) =>
    calls.every(({ name }) => name === 'socketcall' || name === 'ipc');
  if (named.length > 0 && named.every(elsewhere)) {
    const values = { arch: native!.name, action: describeAction(defaultAction) };
    report(diagnostic('NO_RULE_FOR_NATIVE', values, { pointer: named[0]!.entry.pointer }));
    return;
  }
  for (const entry of named) {
    const { arches: ruled, decides, shadow } = effects.get(entry)!;
    const { pointer } = entry.entry;
    if (elsewhere(entry) && !isMultiplexer(entry) && compareStrictness(entry.action, defaultAction) < 0) {
      const names = entry.calls.slice(0, 3).map(({ name }) => `"${name}"`);
      const more = entry.calls.length > names.length ? ` and ${entry.calls.length - names.length} more` : '';
      const values = { names: `${names.join(', ')}${more}`, arch: native!.name };
      // Calls of another architecture of the filter may be meant.
      const severity = ruled.length > 0 ? 'note' : undefined;
      report(diagnostic('ENTRY_WITHOUT_CALL', values, { pointer, severity }));
    } else if (!decides && shadow !== undefined) {
      const place = placeOf(shadow.entry.entry.pointer, pointer);
      const { name, entry: other } = shadow;
      const why = `the entry at ${place} gives "${name}" ${describeAction(other.action)} without conditions, and decides alone`;
      const hint = `take "${name}" out of that entry, or remove this one`;
      report(diagnostic('ENTRY_WITHOUT_EFFECT', { on: '', why }, { pointer, hint }));
    }
  }
}

function effectsOf(
  entries: readonly EffectiveEntry[],
  arches: readonly Arch[],
  tables: SyscallTables,
): Map<EffectiveEntry, Effect> {
  const effects = new Map(
    entries.map((entry): [EffectiveEntry, Effect] => [entry, { arches: [], decides: false }]),
  );
  for (const arch of arches) {
    const { positions, numbers } = tables.of(arch.name);
    const always = new Map<number, EffectiveEntry>();
    const isAlways = new Set(
      entries.filter((entry) => conditionsOn(entry, arch).some((conditions) => conditions.length === 0)),
    );
    for (const entry of isAlways)
      for (const { id } of entry.calls) if (!always.has(positions[id]!)) always.set(positions[id]!, entry);
    for (const entry of entries) {
      const effect = effects.get(entry)!;
      const note = (position: number, name: string, decider: EffectiveEntry | undefined) => {
        if (position < 0) return;
        if (effect.arches.at(-1) !== arch) effect.arches.push(arch);
        if (decider === undefined || decider === entry) effect.decides = true;
        else if (decider.action !== entry.action) effect.shadow ??= { entry: decider, name };
      };
      for (const { name, id } of entry.calls) {
        note(positions[id]!, name, always.get(positions[id]!));
        const mux = multiplexed(name, arch);
        if (mux === undefined) continue;
        const position = numbers.indexOf(mux.nr);
        note(position, name, always.get(position));
      }
    }
  }
  return effects;
}
