import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const PROFILE = join(MAIN, '../../../profiles/errno-per-rule.json');
const run = (args: string[], input: string | Uint8Array = '') => runIn(folder, args, { input });

describe('graph', () => {
  it('draws a profile and its filter alike, and the same twice', async () => {
    const filter = await run(['compile', PROFILE, '--arch', 'arm64', '-q']);
    const drawn = await run(['graph', PROFILE, '--arch', 'arm64', '-o', 'tree.svg']);
    expect(drawn).toMatchObject({ code: 0, stderr: '' });
    const [one, other] = [await run(['graph', '-'], filter.stdout), await run(['graph', '-'], filter.stdout)];
    expect(one.stdout.toString()).toBe(readFileSync(join(folder, 'tree.svg'), 'utf8'));
    expect(other.stdout.toString()).toBe(one.stdout.toString());
  });

  it('refuses a call that the filter has on no architecture, and a wrong depth', async () => {
    for (const args of [
      ['--call', 'opne'],
      ['--call', 'open'],
      ['--depth', '0'],
      ['--format', 'png'],
    ]) {
      const { code, stdout } = await run(['graph', PROFILE, '--arch', 'arm64', ...args]);
      expect({ code, length: stdout.length }).toEqual({ code: 64, length: 0 });
    }
  });
});
