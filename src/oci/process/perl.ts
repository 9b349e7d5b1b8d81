/** Perl makes the system calls that Node cannot make. Its path is absolute and trusted. */
import { fail } from '../../errors.ts';
import { errorCode, systemReason } from '../../fs/system-reason.ts';
import { trustedFile, UntrustedPath } from '../../fs/trust.ts';

const PLACES = ['/usr/bin/perl', '/bin/perl', '/usr/local/bin/perl'];

/**
 * @param places Where perl may be, best first.
 * @throws SeccompcError LOADER_MISSING if there is none that only root and the caller can replace
 */
export function findPerl(places: readonly string[] = PLACES): string {
  if (process.platform !== 'linux') fail('LOADER_MISSING', { reason: 'seccomp is part of Linux' });
  let reason: string | undefined;
  for (const place of places) {
    try {
      return trustedFile(place);
    } catch (error) {
      // The message is about the first one that exists.
      if (error instanceof UntrustedPath) reason ??= error.message;
      else if (errorCode(error) !== 'ENOENT') reason ??= `${place}: ${systemReason(error)}`;
    }
  }
  return fail('LOADER_MISSING', { reason: reason ?? `perl is not at ${places.join(', ')}` });
}
