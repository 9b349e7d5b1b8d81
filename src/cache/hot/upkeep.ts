import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkHotEntry } from './entry.ts';
import { ENTRIES, filesIn, readSlot } from './folder.ts';
import type { Shelf } from './folder.ts';

/** A file under a temporary name is written in a moment; one so old was left over. Milliseconds. */
const LEFT_OVER = 60 * 60 * 1000;

/** The entries that are not to be used, each with the name of its file and, in a word, why. */
export function verifyHot(folder: string): { checked: number; findings: { slot: string; reason: string }[] } {
  const slots = filesIn(join(folder, ENTRIES)).filter(({ name }) => !isTemporary(name));
  const findings = slots.flatMap(({ name: slot }) => {
    const file = readSlot(folder, slot);
    // Another process has removed it.
    if (file === undefined) return [];
    const read = typeof file === 'string' ? checkHotEntry(file) : file;
    return 'refused' in read ? [{ slot, reason: read.refused }] : [];
  });
  return { checked: slots.length, findings: findings.toSorted((a, b) => (a.slot < b.slot ? -1 : 1)) };
}

export function removeSlots(folder: string, slots: readonly string[], shelf: Shelf = ENTRIES): void {
  for (const slot of slots) rmSync(join(folder, shelf, slot), { force: true });
}

/** Removes what interrupted writes left over, and entries that were not read for `age` milliseconds; counts both. */
export function sweepHot(folder: string, age: number): { leftOver: number; old: number } {
  const goes = (shelf: Shelf, limit: number, temporary: boolean) => {
    const before = Date.now() - limit;
    const names = filesIn(join(folder, shelf))
      .filter(({ name, used }) => isTemporary(name) === temporary && used < before)
      .map(({ name }) => name);
    removeSlots(folder, names, shelf);
    return names.length;
  };
  const leftOver = goes(ENTRIES, LEFT_OVER, true) + goes('code', LEFT_OVER, true);
  return { leftOver, old: goes(ENTRIES, age, false) };
}

/** No slot has a name with a dot. */
function isTemporary(name: string): boolean {
  return name.startsWith('.');
}
