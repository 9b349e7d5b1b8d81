import { writeSlot } from '../../cache/hot/folder.ts';
import { codeFile, codeSlot } from './kept.ts';
import type { CodePlace } from './kept.ts';
import type { Chunk } from './loader.ts';

/** Keeps what V8 has made of the chunks, functions that ran and only those, for the next process that loads them. */
export function keepCode(place: CodePlace, chunks: readonly Chunk[]): void {
  for (const { name, text, script } of chunks)
    writeSlot(place.folder, 'code', codeSlot(place, name), () =>
      codeFile(place, name, text, script.createCachedData()),
    );
}
