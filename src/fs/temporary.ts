import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An open file for reading and writing that no other user can reach. Closing it removes it. */
export interface TemporaryFile {
  fd: number;
  close(): void;
}

/** @throws the system's error */
export function openTemporaryFile(): TemporaryFile {
  const directory = mkdtempSync(join(tmpdir(), 'seccompc-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    // Created for the caller alone, so other users of the directory above do not matter.
    const fd = openSync(join(directory, 'file'), 'wx+', 0o600);
    // If the system allows it, nothing is left after a process that is killed.
    if (process.platform !== 'win32') remove();
    return {
      fd,
      close() {
        closeSync(fd);
        remove();
      },
    };
  } catch (cause) {
    remove();
    throw cause;
  }
}
