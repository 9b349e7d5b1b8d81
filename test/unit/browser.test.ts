import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';

const ENTRY = join(import.meta.dirname, '../../src/index.ts');

/** A script that has the library as `seccompc` and nothing of Node to lean on. */
async function browserBundle(): Promise<string> {
  const build = await rolldown({ input: ENTRY, platform: 'browser' });
  const { output } = await build.generate({ format: 'iife', name: 'seccompc', codeSplitting: false });
  expect(output).toHaveLength(1);
  expect(output[0].imports).toEqual([]);
  return output[0].code;
}

test('the library runs where there is no Node', async () => {
  // What the language and every browser have; no process, Buffer, require or node:*.
  const page = createContext({ TextDecoder, TextEncoder });
  runInContext(await browserBundle(), page);
  const answers: unknown = await runInContext(
    `(async () => {
      const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['getpid'], action: 'SCMP_ACT_ALLOW' }] };
      const target = seccompc.makeTarget({ arch: 'X86_64' });
      const filter = await seccompc.compile(JSON.stringify(profile), { target });
      if (!filter.proved) throw new Error('not proved');
      const value = (nr) => seccompc.run(filter.instructions, { nr, arch: 0xc000003e, ip: 0n, args: [] }).value;
      return [value(39), value(40)];
    })()`,
    page,
  );
  expect(JSON.stringify(answers)).toBe(JSON.stringify([0x7fff0000, 0x00050001]));
});
