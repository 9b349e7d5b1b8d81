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
    // Created here and for the caller alone, so it does not matter who can write to the directory
    // above.
    const fd = openSync(join(directory, 'file'), 'wx+', 0o600);
    // Where an open file can be removed, nothing is left over by a process that is killed.
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
