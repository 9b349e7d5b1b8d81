/**
 * profiles/container-default.json as a whole: no call forgotten, and it compiles wherever the
 * dialect can be used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import { compile } from '../../src/compile.ts';
import { readProfile } from '../../src/profile/read.ts';
import type { DockerEntry } from '../../src/profile/types.ts';
import { capabilitySet, makeTarget } from '../../src/target.ts';
import { ABIS, tableOf } from '../oracle/facts.ts';

const folder = join(import.meta.dirname, '../../profiles');
const text = readFileSync(join(folder, 'container-default.json'), 'utf8');

/** Calls that no container gets, and why. A new call has to go into the profile or in here. */
const NEVER: Record<string, string> = {
  'another kernel': 'kexec_load kexec_file_load',
  'the keyrings have no namespace': 'add_key request_key keyctl',
  'does calls that the filter cannot see': 'io_uring_setup io_uring_enter io_uring_register syscall',
  'hardware, firmware and the hypervisor':
    'pciconfig_read pciconfig_write pciconfig_iobase rtas spu_create spu_run s390_sthyi subpage_prot ' +
    'switch_endian sys_debug_setcontext',
  'for old programs only': 'vm86 vm86old usr26 usr32 uselib sysfs ustat cachectl lookup_dcookie',
  'removed from the kernel, or never in it':
    '_sysctl afs_syscall bdflush break create_module epoll_ctl_old epoll_wait_old ftime get_kernel_syms getpmsg gtty ' +
    'idle lock mpx multiplexer nfsservctl prof profil putpmsg query_module security stty timerfd tuxcall ulimit vserver',
};

function entries(): DockerEntry[] {
  const profile = readProfile(text, { file: 'container-default.json' });
  if (profile.dialect !== 'docker') throw new Error(`not the Docker dialect but ${profile.dialect}`);
  return profile.docker.syscalls;
}

const hasConditions = ({ includes }: DockerEntry) =>
  includes.caps.length > 0 || includes.arches.length > 0 || includes.minKernel !== undefined;

describe('container-default.json', () => {
  it('decides about every call of every architecture, and about nothing else', () => {
    const all = new Set(ABIS.flatMap(({ table }) => [...tableOf(table).numbers.keys()]));
    const named = entries().flatMap(({ names }) => names);
    const never = Object.values(NEVER).flatMap((names) => names.split(' '));
    expect(never.filter((name) => named.includes(name))).toEqual([]);
    expect(new Set([...named, ...never])).toEqual(all);
  });

  it('allows as many as its page says', () => {
    const allowed = entries().filter((entry) => entry.action === 'SCMP_ACT_ALLOW');
    const outright = new Set(allowed.filter((e) => !hasConditions(e)).flatMap(({ names }) => names));
    const more = new Set(allowed.flatMap(({ names }) => names).filter((name) => !outright.has(name)));
    const page = readFileSync(join(folder, 'README.md'), 'utf8').replaceAll('\n', ' ');
    expect(page).toContain(`allows ${outright.size} of the 508 calls`);
    expect(page).toContain(`${more.size} more by capability or kernel`);
  });

  /**
   * Of 23 architectures the dialect knows some only; and the engines call MIPSEL64N32 by two names,
   * which are both there.
   */
  const warnings = {
    moby: ['ARCHES_NEVER_MATCH', 'ARCHMAP_NOT_APPLIED', 'MULTIPLEXED_ARGS'],
    podman: ['ARCHES_NEVER_MATCH', 'ARCHMAP_NOT_APPLIED', 'MIN_KERNEL_IGNORED', 'MULTIPLEXED_ARGS'],
  };
  it.each(['moby', 'podman'] as const)('compiles for %s on every architecture', async (engine) => {
    const codes = new Set<string>();
    for (const { name: arch } of allArches())
      for (const base of ['none', 'all'] as const) {
        const target = makeTarget({ arch, engine, capabilities: capabilitySet(engine, base) });
        const { diagnostics, proved } = await compile(text, { target });
        diagnostics.forEach(({ code }) => codes.add(code));
        expect(proved).toBe(true);
      }
    expect([...codes].toSorted()).toEqual(warnings[engine]);
  });
});
