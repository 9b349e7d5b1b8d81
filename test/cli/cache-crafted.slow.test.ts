/**
 * Caches that somebody else has made: a command ends in its time, and never gives another filter
 * because of them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { edit, makeEndless, SCHEMAS } from '../unit/crafted-databases.ts';
import { PLAIN } from './profiles.ts';
import { codesOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (...args: string[]) => runIn(folder, args);
const compile = ['compile', 'plain.json', '--arch', 'x86_64', '--kernel', '6.1'];

let expected: Buffer;
beforeAll(async () => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  expected = (await run(...compile, '--no-cache')).stdout;
});

/** A folder whose database has been changed, and which has no hot answers. */
async function crafted(name: string, change: (file: string) => void): Promise<string> {
  await run(...compile, '-q', '-o', 'out.bpf', '--cache', `sqlite:${name}/cache.sqlite`);
  change(join(folder, name, 'cache.sqlite'));
  return name;
}

describe.each(['a view that never ends', 'a view in the place of the texts'])('a cache with %s', (schema) => {
  it('is a warning of compile, and an error of what is about caches', async () => {
    const evil = await crafted(`evil ${schema}`, (file) => edit(file, ...SCHEMAS[schema]!));
    const compiled = await run(...compile, '--cache', evil);
    expect(compiled.code).toBe(0);
    expect(compiled.stdout).toEqual(expected);
    expect(compiled.stderr).toContain('[CACHE_DATABASE_REFUSED]');
    for (const args of [
      ['ls', '--cache', evil],
      ['stats', '--cache', evil],
      ['verify', '--cache', evil],
      ['gc', '--cache', evil],
      ['export', 'out.txt', '--cache', evil],
      ['pull', `sqlite:${evil}/cache.sqlite`, '--cache', 'into'],
      ['push', `sqlite:${evil}/cache.sqlite`, '--cache', 'into'],
    ]) {
      const { code, stderr } = await run('cache', ...args);
      expect(code, `cache ${args.join(' ')}`).toBe(69);
      expect(stderr).toContain('its schema is not the one that seccompc makes');
    }
    expect(await run('cache', 'clear', '--cache', evil)).toMatchObject({ code: 0 });
    const again = await run(...compile, '--cache', evil, '--json');
    expect(codesOf(again)).toEqual([]);
  });

  it("is refused also where it is the user's own", async () => {
    const own = join(folder, `xdg ${schema}`, 'seccompc');
    mkdirSync(own, { recursive: true, mode: 0o700 });
    const name = `own ${schema}`;
    await crafted(name, (file) => edit(file, ...SCHEMAS[schema]!));
    const database = readFileSync(join(folder, name, 'cache.sqlite'));
    writeFileSync(join(own, 'cache.sqlite'), database, { mode: 0o600 });
    const env = { XDG_CACHE_HOME: join(folder, `xdg ${schema}`) };
    const { code, stdout, stderr } = await runIn(folder, compile, { env });
    expect(code).toBe(0);
    expect(stdout).toEqual(expected);
    expect(stderr).toContain('[CACHE_DATABASE_REFUSED]');
  });
});

describe('a cache whose pages lead in a circle', () => {
  it('does not keep a command waiting for ever', async () => {
    const evil = await crafted('circle', (file) => makeEndless(file, 'records'));
    const compiled = await run(...compile, '--cache', evil);
    expect(compiled.code).toBe(0);
    expect(compiled.stdout).toEqual(expected);
    expect(await run('cache', 'ls', '--cache', evil)).toMatchObject({ code: 69 });
    const pulled = await run('cache', 'pull', `sqlite:${evil}/cache.sqlite`, '--cache', 'circled', '--json');
    expect(codesOf(pulled)).toEqual(['CACHE_TRANSFER_BROKEN']);
    expect(await run('cache', 'stats', '--cache', evil)).toMatchObject({ code: 69 });
  });
});
