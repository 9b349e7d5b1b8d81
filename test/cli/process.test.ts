/**
 * A process in place of a FILTER: words, refusals and exit codes. What is read of real ones:
 * test/e2e/loaded-filter.test.ts.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PLAIN } from './profiles.ts';
import { codesOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (...args: string[]) => runIn(folder, args, { env: { PATH: join(folder, 'bin') } });
const failed = async (...args: string[]) => {
  const { code, stdout, stderr } = await run(...args);
  return { code, stdout: stdout.toString(), stderr };
};
/** Tests can run in a container that has a filter. */
const isFree =
  existsSync('/proc/self/status') && /^Seccomp:\s*0$/m.test(readFileSync('/proc/self/status', 'utf8'));
/** Larger than any pid of Linux. */
const NOBODY = '999999999';

beforeAll(() => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  mkdirSync(join(folder, 'bin'));
  const engine = join(folder, 'bin/runc');
  writeFileSync(engine, `#!/bin/sh\necho '{"pid": ${NOBODY}}'\n`);
  chmodSync(engine, 0o755);
});

describe('--pid and --container', () => {
  const commands = [
    ['verify', 'plain.json'],
    ['diff', 'plain.json'],
    ['disasm'],
    ['fingerprint'],
    ['simulate', 'read', '0', '1'],
    ['explain'],
    ['explain', 'read'],
    ['assert', 'deny ptrace'],
  ];

  it('are words of every command that takes a filter, and tell why the process cannot be read', async () => {
    const results = await Promise.all([
      ...commands.map((words) => run(...words, '--pid', NOBODY, '--json')),
      run('simulate', '--container', 'runc:web', 'read', '--json'),
    ]);
    for (const result of results) {
      expect(result.code).toBe(66);
      expect(codesOf(result)).toEqual(['FILTER_UNREADABLE']);
    }
  });

  it.skipIf(!isFree)('tell when a process has no filter, with the exit code for no', async () => {
    const none = await failed('verify', 'plain.json', '--pid', String(process.pid));
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toMatch(
      /process \d+ has no filter \(Seccomp: 0\) \[LOADED_NONE\]\n {4}every call is allowed/,
    );
  });

  it('take the place of a file, and not both, and not each other', async () => {
    const wrong = [
      [['verify', 'plain.json'], "missing required argument 'FILTER'"],
      [['simulate', '--pid', NOBODY], "missing required argument 'CALL'"],
      [['assert'], "missing required argument 'PROFILE|FILTER'"],
      [['verify', 'plain.json', 'f.bpf', '--pid', '7'], 'give either FILTER or a process, not both'],
      [['disasm', 'f.bpf', '--container', 'web'], 'give either FILTER or a process, not both'],
      [['disasm', '--pid', '7', '--container', 'web'], 'cannot be used with option'],
      [['disasm', '--pid', '0'], 'Give the number of a process.'],
      [['disasm', '--container', 'nerdctl:web'], '--container takes a name or an id'],
      [['explain', '--pid', NOBODY, '--audit', 'log', 'read'], 'give either CALL or --audit, not both'],
    ] as const;
    const results = await Promise.all(wrong.map(async ([words]) => ({ words, ...(await failed(...words)) })));
    for (const [at, [, reason]] of wrong.entries())
      expect(results[at]).toMatchObject({ code: 64, stderr: expect.stringContaining(reason) });
  });

  it('name a container that no engine knows, and the engines that are missing', async () => {
    const unknown = await failed('verify', 'plain.json', '--container', 'docker:web');
    expect(unknown).toMatchObject({ code: 69, stdout: '' });
    expect(unknown.stderr).toContain(
      'no program in PATH to ask for a container: docker [CONTAINER_ENGINE_MISSING]',
    );
  });
});
