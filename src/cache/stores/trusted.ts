import { diagnostic } from '../../errors.ts';
import { errorCode } from '../../fs/system-reason.ts';
import { UntrustedPath } from '../../fs/trust.ts';
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

/** What `work` gives; undefined if the file that it opens does not exist. */
export function ifPresent<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw cause;
  }
}
