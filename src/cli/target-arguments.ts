import type { TargetFlags } from './target-options.ts';

/**
 * The flags, as words of a command line, that bear on a linux.seccomp object; those for the Docker dialect do not. What
 * was not said is not said: the machine that runs the words decides.
 */
export function targetArguments(flags: TargetFlags): string[] {
  const { arch, architectures, semantics, enosysStub, enosysAfter, overlap, failUnknown, force } = flags;
  const words: string[] = [];
  if (arch !== undefined) words.push('--arch', arch);
  if (architectures !== undefined)
    words.push('--architectures', architectures === 'native' ? 'native' : architectures.join(','));
  if (semantics !== 'crun') words.push('--semantics', semantics);
  if (enosysStub !== undefined) words.push(enosysStub ? '--enosys-stub' : '--no-enosys-stub');
  if (enosysAfter !== undefined) words.push('--enosys-after', `${enosysAfter.major}.${enosysAfter.minor}`);
  if (overlap !== 'warn') words.push('--overlap', overlap);
  if (failUnknown) words.push('--fail-unknown');
  if (force) words.push('--force');
  return words;
}
