import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codesOf, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const PROFILE = join(MAIN, '../../../profiles/deny-list.json');
const run = (args: string[], input = '') => runIn(folder, ['report', ...args], { input });

/** The JSON of an element of a page. */
function block(page: string, id: string): Record<string, unknown> {
  const [, json] = new RegExp(`id="${id}">([^<]*)</script>`).exec(page)!;
  return JSON.parse(json!) as Record<string, unknown>;
}

describe('report', () => {
  it('writes the profiles, the tables that they need, and no folder of the machine', async () => {
    const result = await run([
      'container-default',
      '--against',
      PROFILE,
      '--arch',
      's390x',
      '-q',
      '-o',
      'page.html',
    ]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const page = readFileSync(join(folder, 'page.html'), 'utf8');
    const { file, text, against } = block(page, 'data');
    expect([file, text]).toEqual([
      'container-default.json',
      readFileSync(join(PROFILE, '../container-default.json'), 'utf8'),
    ]);
    expect(against).toEqual([{ name: 'deny-list.json', text: readFileSync(PROFILE, 'utf8') }]);
    const tables = ['s390', 's390x'];
    const always = ['constants', 'errno', 'signatures', 'since', 'union', 'launcher s390x'];
    expect(Object.keys(block(page, 'facts')).toSorted()).toEqual([...always, ...tables].toSorted());
    expect(page).not.toContain(join(PROFILE, '..'));
  });

  it('refuses a faulty profile on either side, and writes nothing', async () => {
    writeFileSync(join(folder, 'faulty.json'), '{"defaultAction": "SCMP_ACT_DENY"}');
    for (const args of [['faulty.json'], [PROFILE, '--against', 'faulty.json']]) {
      const result = await run([...args, '--arch', 'arm64', '--json', '-o', 'none.html']);
      expect([result.code, codesOf(result)]).toEqual([65, ['UNKNOWN_ACTION']]);
    }
    expect((await run(['-', '--against', '-', '-o', 'none.html'])).code).toBe(64);
    expect(existsSync(join(folder, 'none.html'))).toBe(false);
  });

  it('takes filters of any machine to compare with, and refuses what no kernel loads', async () => {
    const compile = ['compile', PROFILE, '--arch', 's390x', '-q', '-o', 'big.bpf'];
    expect(await runIn(folder, compile)).toMatchObject({ code: 0 });
    const result = await run([PROFILE, '--arch', 'arm64', '--against', 'big.bpf', '-q', '-o', 'both.html']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const page = readFileSync(join(folder, 'both.html'), 'utf8');
    const { against } = block(page, 'data') as { against: [{ filter: { endian: string; bytes: string } }] };
    const [{ filter }] = against;
    expect(filter.endian).toBe('big');
    // The same instructions in the other byte order.
    const [there, own] = [Buffer.from(filter.bytes, 'base64'), readFileSync(join(folder, 'big.bpf'))];
    expect([there.length, there.readUInt32LE(12)]).toEqual([own.length, own.readUInt32BE(12)]);
    expect(Object.keys(block(page, 'facts'))).toEqual(expect.arrayContaining(['aarch64', 's390x']));

    writeFileSync(join(folder, 'cut.bpf'), own.subarray(0, 16));
    const refused = await run([
      PROFILE,
      '--arch',
      'arm64',
      '--against',
      'cut.bpf',
      '--json',
      '-o',
      'none.html',
    ]);
    expect([refused.code, existsSync(join(folder, 'none.html'))]).toEqual([65, false]);
  });
});
