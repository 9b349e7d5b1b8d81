import type { Command } from 'commander';
import { SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import type { ProfileText } from '../../input/profile-text.ts';
import { optionsIn } from '../../options/table.ts';
import type { ReadingFlags } from '../../options/table.ts';
import { addOptions } from './add-options.ts';
import { readInput } from './input-file.ts';

export type { ReadingFlags };

/**
 * Adds --jsonc. Only commands whose result stands alone have it and {@link readProfileFile}: where
 * a runtime reads the same file, seccompc must read it as the runtime does.
 */
export function addReadingOptions<C extends Command>(command: C): C {
  return addOptions(command, optionsIn('reading'));
}

/** Reads a PROFILE argument in all the forms of src/input. @throws SeccompcError */
export async function readProfileFile(file: string, flags: ReadingFlags): Promise<ProfileText> {
  return openProfile(await readInput(file), file, flags);
}

export async function openProfile(
  bytes: Uint8Array,
  file: string,
  { jsonc = false }: ReadingFlags,
): Promise<ProfileText> {
  if (!jsonc && isBare(bytes)) return { bytes, file, notes: [] };
  const { openProfileText } = await import('../../input/profile-text.ts');
  return openProfileText(bytes, { file, jsonc });
}

/** Puts the notes on how a profile was read before what was found in it. */
export async function withNotes<T extends { diagnostics: readonly Diagnostic[] }>(
  notes: readonly Diagnostic[],
  made: Promise<T>,
): Promise<T> {
  if (notes.length === 0) return made;
  try {
    const result = await made;
    return { ...result, diagnostics: [...notes, ...result.diagnostics] };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    throw new SeccompcError([...notes, ...error.diagnostics], { cause: error });
  }
}

const AROUND = ['runtimeSpec', 'Spec', 'HostConfig', 'SeccompProfile', 'ConfigMap', 'MachineConfig'];

/**
 * Whether it is surely no more than a JSON object without a document around it: what the rest would
 * cost, it saves.
 */
function isBare(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return (
    /^\s*\{/.test(buffer.toString('latin1', 0, 64)) && !AROUND.some((word) => buffer.includes(`"${word}"`))
  );
}
