/**
 * Perl makes the system calls that Node cannot make. Its path is absolute and trusted, and its
 * environment is empty: no PATH, PERL5OPT or LD_PRELOAD can run code in it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { fail } from '../../errors.ts';
import { errorCode, systemReason } from '../../fs/system-reason.ts';
import { trustedFile, UntrustedPath } from '../../fs/trust.ts';

const PLACES = ['/usr/bin/perl', '/bin/perl', '/usr/local/bin/perl'];

/**
 * @param program Perl source that loads no module, so that only the interpreter is trusted
 * @throws SeccompcError LOADER_MISSING
 */
export function startPerl(program: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  // -f: no sitecustomize.pl.
  return spawn(findPerl(), ['-f', '-e', program, '--', ...args], { stdio, env: {} });
}

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
