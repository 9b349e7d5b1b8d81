import { writeSlot } from '../../cache/hot/folder.ts';
import { codeFile, codeSlot, markSlot } from './kept.ts';
import type { CodePlace } from './kept.ts';
import type { Loader } from './loader.ts';

/** Later than this V8 has begun to forget functions that ran at the start; seconds since then. */
const LONGEST_RUN = 10;

/** Keeps what V8 has made of the chunks, functions that ran and only those, for the next process that loads them. */
export function keepCode(
  place: CodePlace,
  { chunks, mark }: Exclude<ReturnType<Loader['toKeep']>, undefined>,
): void {
  if (process.uptime() > LONGEST_RUN) return;
  for (const { name, text, script } of chunks)
    writeSlot(place.folder, 'code', codeSlot(place, name), () =>
      codeFile(place, name, text, script.createCachedData()),
    );
  writeSlot(place.folder, 'code', markSlot(place, mark), () => Buffer.alloc(0));
}
