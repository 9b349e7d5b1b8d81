import type { Code, Diagnostic } from '../../errors.ts';
import type { Profile } from '../../profile/types.ts';

/** What is said of the loading of a filter changes no answer. */
const ABOUT_LOADING: ReadonlySet<Code> = new Set([
  'LISTENER_METADATA_ALONE',
  'FLAG_NEEDS_RELEASE',
  'FLAG_NEEDS_LISTENER',
]);

/**
 * What has a bearing on the answers to these calls: errors, what is said of the whole profile, and
 * what is said of an entry that names one of them.
 */
export function bearingOn(
  diagnostics: readonly Diagnostic[],
  profile: Profile,
  calls: ReadonlySet<string>,
  among?: 'differences',
): Diagnostic[] {
  const entries = profile.dialect === 'docker' ? profile.docker.syscalls : (profile.seccomp?.syscalls ?? []);
  const byPointer = new Map(entries.map((entry) => [entry.pointer, entry]));
  return diagnostics.filter(({ code, severity, pointer = '' }) => {
    if (severity === 'error') return true;
    if (ABOUT_LOADING.has(code)) return false;
    const [, at, index] = /^(.*\/syscalls\/\d+)(?:\/names\/(\d+)$)?/.exec(pointer) ?? [];
    const entry = at === undefined ? undefined : byPointer.get(at);
    if (entry === undefined) return at === undefined;
    const all = [
      ...(entry.names ?? []),
      ...('name' in entry && entry.name !== undefined ? [entry.name] : []),
    ];
    // A name that is no call can be why two sides differ.
    if (code === 'UNKNOWN_SYSCALL' && calls.size > 0 && among === 'differences') return true;
    const named = index === undefined ? all : all.slice(Number(index), Number(index) + 1);
    // What is said of multiplexed calls is said of the entry of a call behind them.
    const isMultiplexer = code.startsWith('MULTIPLEXED_') && (calls.has('socketcall') || calls.has('ipc'));
    return isMultiplexer || named.some((name) => calls.has(name));
  });
}
