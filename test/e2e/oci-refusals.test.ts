/**
 * What the installed crun and runc refuse to start, against what we say of it: docs/semantics.md
 * 2.4, 9 and 10.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import { makeTarget } from '../../src/target.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeBundle, makeFolder, makeRoot, runBundle } from './oci/containers.ts';
import { requirements } from './oci/require.ts';

const needs = requirements(['crun', 'runc', 'busybox', 'unshare'], { root: true });

type Verdict = 'starts' | 'refused';
const flags = (...names: string[]) => ({ flags: names.map((name) => `SECCOMP_FILTER_FLAG_${name}`) });
const arch = (name: string) => ({ architectures: [name] });
const notify = { syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] };

/**
 * Written by hand. `differs`: runc of this release refuses what others take, so we only warn, if at
 * all.
 */
const CASES: [name: string, profile: object, crun: Verdict, runc: Verdict | 'differs'][] = [
  ['NEW_LISTENER', flags('NEW_LISTENER'), 'refused', 'refused'],
  ['TSYNC_ESRCH', flags('LOG', 'TSYNC_ESRCH'), 'refused', 'refused'],
  ['WAIT_KILLABLE_RECV', flags('WAIT_KILLABLE_RECV'), 'starts', 'differs'],
  ['LOG', flags('LOG'), 'starts', 'differs'],
  ['no flags', flags(), 'starts', 'starts'],
  ['SCMP_ARCH_X86', arch('SCMP_ARCH_X86'), 'starts', 'starts'],
  ['x86', arch('x86'), 'starts', 'refused'],
  ['SCMP_ARCH_x86', arch('SCMP_ARCH_x86'), 'starts', 'refused'],
  ['scmp_arch_x86', arch('scmp_arch_x86'), 'refused', 'refused'],
  ['amd64', arch('amd64'), 'refused', 'refused'],
  ['i386', arch('i386'), 'refused', 'refused'],
  ['NOTIFY without a listener', notify, 'starts', 'refused'],
];

describe.skipIf(skipWithout(needs))('a profile that a runtime refuses', () => {
  let folder: ReturnType<typeof makeFolder>;
  let root: string;
  beforeAll(() => {
    folder = makeFolder();
    root = makeRoot(join(folder.path, 'root'));
  });
  afterAll(() => folder.remove());

  it.each(CASES)('%s', async (name, more, crun, runc) => {
    const seccomp = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [], ...more });
    for (const [semantics, verdict] of [
      ['crun', crun],
      ['runc', runc],
    ] as const) // prettier-ignore
    {
      const target = makeTarget({ arch: 'x86_64', semantics });
      const compiled = await compile(seccomp, { target }).then(() => 'starts', () => 'refused'); // prettier-ignore
      expect({ semantics, compiled }).toEqual({
        semantics,
        compiled: verdict === 'differs' ? 'starts' : verdict,
      });
      const bundle = makeBundle(join(folder.path, `${name} ${semantics}`), {
        root,
        seccomp,
        args: ['/bin/true'],
      });
      const { code } = await runBundle(semantics, bundle, join(folder.path, `state ${semantics}`));
      const started = code === 0 ? 'starts' : 'refused';
      if (verdict !== 'differs') expect({ semantics, started }).toEqual({ semantics, started: verdict });
    }
  });
});
