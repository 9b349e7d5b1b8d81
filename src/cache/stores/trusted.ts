import { closeSync } from 'node:fs';
import { diagnostic } from '../../errors.ts';
import { errorCode } from '../../fs/system-reason.ts';
import { openTrusted, UntrustedPath } from '../../fs/trust.ts';
import { CacheFault } from './store.ts';

/** What `work` gives. @throws CacheFault instead of UntrustedPath */
export function trusted<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof UntrustedPath)) throw cause;
    const { path: location, reason } = cause;
    throw new CacheFault(diagnostic('CACHE_FOLDER_UNSAFE', { location, reason }), cause);
  }
}

/** The result of `read` on an open file; undefined without a file. @throws CacheFault */
export function withFile<T>(path: string, read: (fd: number) => T): T | undefined {
  const fd = trusted(() => openIfPresent(path));
  if (fd === undefined) return undefined;
  try {
    return read(fd);
  } finally {
    closeSync(fd);
  }
}

function openIfPresent(path: string): number | undefined {
  try {
    return openTrusted(path);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw cause;
  }
}
