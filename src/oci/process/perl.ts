/**
 * The perl that makes the system calls that Node cannot make. It is found by absolute path, where
 * nobody but root and the caller can replace it, and starts with an empty environment: a PATH,
 * PERL5OPT or LD_PRELOAD cannot run code in it.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { fail } from '../../errors.ts';
import { errorCode, systemReason } from '../../fs/system-reason.ts';
import { trustedFile, UntrustedPath } from '../../fs/trust.ts';

const PLACES = ['/usr/bin/perl', '/bin/perl', '/usr/local/bin/perl'];

/**
 * Starts a perl program.
 * @param program Perl source that loads no module: nothing but the interpreter itself is then
 *   trusted.
 * @throws SeccompcError LOADER_MISSING
 */
export function startPerl(program: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  // -f: no sitecustomize.pl.
  return spawn(findPerl(), ['-f', '-e', program, '--', ...args], { stdio, env: {} });
}

/**
 * The path of perl.
 * @param places Where it may be, best first.
 * @throws SeccompcError LOADER_MISSING when there is none, or only one that somebody else could
 *   replace
 */
export function findPerl(places: readonly string[] = PLACES): string {
  if (process.platform !== 'linux') fail('LOADER_MISSING', { reason: 'seccomp is part of Linux' });
  let reason: string | undefined;
  for (const place of places) {
    try {
      return trustedFile(place);
    } catch (error) {
      // Of several, the one that is there says why it is not taken.
      if (error instanceof UntrustedPath) reason ??= error.message;
      else if (errorCode(error) !== 'ENOENT') reason ??= `${place}: ${systemReason(error)}`;
    }
  }
  return fail('LOADER_MISSING', { reason: reason ?? `it is not at ${places.join(', ')}` });
}
