import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../sha256.ts';
import { checkHotEntry } from './entry.ts';
import { ENTRIES, filesIn, FOREIGN, isSafe, readOwn, readSlot, SHELVES } from './folder.ts';
import type { Shelf } from './folder.ts';

/** A file under a temporary name is written in a moment; one so old was left over. Milliseconds. */
const LEFT_OVER = 60 * 60 * 1000;

/** An answer that is not to be used: its shelf, the name of its file and, in a word, why. */
export interface HotFinding {
  shelf: Shelf;
  slot: string;
  reason: string;
}

/** Looks through all answers, those of src/cli/seccompc-sh too, of which each is two files. */
export function verifyHot(folder: string): { checked: number; findings: HotFinding[] } {
  const slotsOf = (shelf: Shelf) =>
    filesIn(join(folder, shelf))
      .map(({ name }) => name)
      .filter((name) => !isTemporary(name));
  const entries = slotsOf(ENTRIES);
  const pairs = new Set(slotsOf('sh').map((slot) => slot.replace(/\.(bpf|sum)$/, '')));
  const findings = [
    ...entries.flatMap((slot) => asFindings(ENTRIES, [slot], faultOfEntry(folder, slot))),
    ...[...pairs].flatMap((pair) =>
      asFindings('sh', [`${pair}.bpf`, `${pair}.sum`], faultOfPair(folder, pair)),
    ),
  ];
  return {
    checked: entries.length + pairs.size,
    findings: findings.toSorted((a, b) => (a.slot < b.slot ? -1 : 1)),
  };
}

function asFindings(shelf: Shelf, slots: readonly string[], reason: string | undefined): HotFinding[] {
  return reason === undefined ? [] : slots.map((slot) => ({ shelf, slot, reason }));
}

function faultOfEntry(folder: string, slot: string): string | undefined {
  const file = readSlot(folder, slot);
  // Another process has removed it.
  if (file === undefined) return undefined;
  const read = typeof file === 'string' ? checkHotEntry(file) : file;
  return 'refused' in read ? read.refused : undefined;
}

/** Whether its profile is still the same is for the script to see. */
function faultOfPair(folder: string, pair: string): string | undefined {
  if (!isSafe(folder, 'sh')) return FOREIGN;
  const [program, sums] = ['bpf', 'sum'].map((end) => readOwn(join(folder, 'sh', `${pair}.${end}`)));
  if (program instanceof Buffer && sums instanceof Buffer) {
    const [, sum] = sums.toString().split('\n');
    return sum === `${sha256(program)}  ${folder}/sh/${pair}.bpf` ? undefined : 'it is damaged';
  }
  const foreign = [program, sums].find((file) => file !== undefined && 'refused' in file);
  return foreign === undefined ? 'its other half is missing' : FOREIGN;
}

export function removeSlots(folder: string, shelf: Shelf, slots: readonly string[]): void {
  for (const slot of slots) rmSync(join(folder, shelf, slot), { force: true });
}

/** Removes what interrupted writes left over, and entries that were not read for `age` milliseconds; counts both. */
export function sweepHot(folder: string, age: number): { leftOver: number; old: number } {
  const goes = (shelf: Shelf, limit: number, temporary: boolean) => {
    const before = Date.now() - limit;
    const names = filesIn(join(folder, shelf))
      .filter(({ name, used }) => isTemporary(name) === temporary && used < before)
      .map(({ name }) => name);
    removeSlots(folder, shelf, names);
    return names.length;
  };
  const leftOver = SHELVES.reduce((sum, shelf) => sum + goes(shelf, LEFT_OVER, true), 0);
  return { leftOver, old: goes(ENTRIES, age, false) + goes('sh', age, false) };
}

/** No slot has a name that begins with a dot. */
function isTemporary(name: string): boolean {
  return name.startsWith('.');
}
