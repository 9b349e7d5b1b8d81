import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_DATA, SECCOMP_RET_ERRNO } from '../../action.ts';
import { errnoNumber } from '../../errno.ts';
import { diagnostic } from '../../errors.ts';
import { explainCall } from '../../explain/explain.ts';
import { describeAnswer } from '../../prove/describe.ts';
import { callOf, listed } from '../rule.ts';
import type { Rule, Shown } from '../rule.ts';

/** For these, libraries take an older call on ENOSYS, and fail on any other errno. */
const WITH_FALLBACK = [
  'clone3', 'faccessat2', 'fchmodat2', 'statx', 'close_range', 'epoll_pwait2', 'clock_gettime64',
  'clock_nanosleep_time64', 'futex_time64', 'ppoll_time64', 'pselect6_time64',
]; // prettier-ignore
const MOST_NAMES = 5;

export const enosysExpected: Rule = {
  code: 'ENOSYS_EXPECTED',
  reason: 'A libc falls back to an older call only if the new one gives ENOSYS. With EPERM programs fail.',
  evidence: 'glibc 2.34 and clone3, musl and faccessat2 under filters that answered EPERM.',
  *find(subject) {
    const { profile, lowered } = subject;
    const groups = new Map<
      string,
      { names: Set<string>; call: Shown; arch: (typeof lowered.arches)[number] }
    >();
    for (const arch of lowered.arches)
      for (const name of WITH_FALLBACK) {
        const data = callOf(subject, arch, name);
        if (data === undefined) continue;
        const { answer, entry } = explainCall(profile, lowered, data);
        if ((answer & SECCOMP_RET_ACTION_FULL) >>> 0 !== SECCOMP_RET_ERRNO) continue;
        if ((answer & SECCOMP_RET_DATA) === errnoNumber('ENOSYS', arch.errnos)) continue;
        const pointer = entry ?? `${lowered.reference.seccomp.pointer}/defaultAction`;
        const group = groups.get(pointer) ?? { names: new Set(), call: { data, answer }, arch };
        groups.set(pointer, group);
        group.names.add(name);
      }
    for (const [pointer, { names, call, arch }] of groups) {
      const values = {
        names: listed([...names], MOST_NAMES),
        verb: names.size === 1 ? 'gets' : 'get',
        answer: describeAnswer(call.answer, arch.name),
      };
      const hint = `allow ${names.size === 1 ? 'it' : 'them'}, or give errno ${errnoNumber('ENOSYS', arch.errnos)} (ENOSYS)`;
      yield { diagnostic: diagnostic('ENOSYS_EXPECTED', values, { pointer, hint }), call };
    }
  },
};
