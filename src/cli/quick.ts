import { parseArch } from '../arch.ts';
import { hotWords } from '../cache/hot/request.ts';
import { EXIT } from '../errors.ts';
import { FORMAT_NAMES } from '../format/names.ts';
import { parseKernelVersion } from '../target.ts';
import { runCompile } from './compile-run.ts';
import type { CompileFlags } from './compile-run.ts';
import { collect, parseArchList } from './target-flags.ts';
import { askBeforeFlags } from './tier-up.ts';

/**
 * Runs a plain `compile FILE [OPTION...]` without the parser of command lines, which takes as long to load as a result
 * to be found in the store. Undefined for anything that only the parser can judge.
 */
export async function runQuickly(
  args: readonly string[],
  mayChangeFlags: () => boolean,
): Promise<number | undefined> {
  const found = quickFlags(args);
  if (found === undefined) return undefined;
  try {
    askBeforeFlags(mayChangeFlags);
    await runCompile(found.file, found.flags);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    const { reportFailure } = await import('./program.ts');
    return reportFailure(error, [...args]);
  }
}

/** What the parser would make of the words, for those that need no judgement; undefined for others. */
export function quickFlags(args: readonly string[]): { file: string; flags: CompileFlags } | undefined {
  const words = hotWords(args);
  if (words === undefined) return undefined;
  const flags: CompileFlags = {
    optimize: 'attach',
    prove: true,
    capSet: 'default',
    engine: 'moby',
    semantics: 'crun',
    overlap: 'warn',
  };
  for (const [word, value = ''] of words.options) if (!take(flags, word, value)) return undefined;
  return { file: words.file, flags };
}

/** False for a value that is not one of the option's. */
function take(flags: CompileFlags, word: string, value: string): boolean {
  const set = (name: keyof CompileFlags, found: unknown): boolean => {
    Object.assign(flags, { [name]: found });
    return found !== undefined;
  };
  switch (word) {
    case '-o':
    case '--output':
      return set('output', value);
    case '--cache':
      return set('cache', value);
    case '--trust':
      return set('trust', [...(flags.trust ?? []), value]);
    case '--sign':
      return set('sign', value);
    case '--format':
      return set('format', oneOf(value, [...FORMAT_NAMES, 'json']));
    case '--optimize':
      return set('optimize', oneOf(value, ['attach', 'frequency', 'size']));
    case '--arch':
      return set('arch', parseArch(value));
    case '--architectures':
      return set('architectures', parseArchList(value));
    case '--cap-set':
      return set('capSet', oneOf(value, ['default', 'all', 'none']));
    case '--cap':
      return set('cap', collect(value, flags.cap));
    case '--cap-drop':
      return set('capDrop', collect(value, flags.capDrop));
    case '--kernel':
      return set('kernel', parseKernelVersion(value));
    case '--engine':
      return set('engine', oneOf(value, ['moby', 'podman']));
    case '--semantics':
      return set('semantics', oneOf(value, ['crun', 'runc']));
    case '--enosys-after':
      return set('enosysAfter', parseKernelVersion(value));
    case '--overlap':
      return set('overlap', oneOf(value, ['warn', 'error']));
    case '--no-prove':
      return set('prove', false);
    case '--require-proof':
      return set('requireProof', true);
    case '-q':
    case '--quiet':
      return set('quiet', true);
    case '--json':
      return set('json', true);
    case '--enosys-stub':
      return set('enosysStub', true);
    case '--no-enosys-stub':
      return set('enosysStub', false);
    case '--fail-unknown':
      return set('failUnknown', true);
    case '--force':
      return set('force', true);
    case '--no-cache':
      return set('cache', false);
    default:
      return false;
  }
}

function oneOf<T extends string>(value: string, known: readonly T[]): T | undefined {
  return known.find((name) => name === value);
}
