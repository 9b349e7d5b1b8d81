/** Programs of the machine that are of no help. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { documentOf, runIn, scratch } from './run.ts';

it('doctor waits for no program that ignores its end, and is not held up by what one prints', async () => {
  const folder = scratch();
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const program = (name: string, text: string) =>
    writeFileSync(join(bin, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  program('crun', "trap '' TERM; while :; do read -rt 1 < <(:); done");
  program('runc', 'printf %0900000d 0');
  program('youki', 'while :; do echo youki 1.2.3; done');
  program('docker', String.raw`printf 'Docker \033[31m version 28.2.2\n'`);
  program('podman', 'exit 1');
  // Of PATH, only these are asked.
  const result = await runIn(folder, ['doctor', '--json'], { env: { PATH: bin } });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  const { programs } = documentOf(result)['host'] as { programs: { name: string; release: string | null }[] };
  expect(programs.filter(({ name }) => name !== 'bwrap').map(({ name, release }) => [name, release])).toEqual(
    [
      ['crun', null],
      ['runc', null],
      ['youki', '1.2.3'],
      ['podman', null],
      ['docker', '28.2.2'],
      ['containerd', null],
      ['nerdctl', null],
    ],
  );
}, 60_000);
