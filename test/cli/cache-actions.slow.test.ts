import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/cache/open.ts';
import { closeStore } from '../../src/cache/tiers.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { damaged, makeRecords } from '../unit/cache-records.ts';
import { PLAIN, WITH_WARNING } from './profiles.ts';
import { codesOf, documentOf, runIn, scratch } from './run.ts';
import type { Result } from './run.ts';

const folder = scratch();
const run = (...args: string[]) => runIn(folder, args);
const cache = (...args: string[]) => run('cache', ...args);
const rowsOf = ({ stdout }: Result) =>
  stdout.toString().split('\n').slice(0, -1).map((line) => line.split('\t')); // prettier-ignore
const keysOf = async (...args: string[]) => rowsOf(await cache('ls', ...args)).map(([key]) => key!);

beforeAll(async () => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  writeFileSync(join(folder, 'warning.json'), WITH_WARNING);
  for (const name of ['mine', 'other']) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    writeFileSync(join(folder, `${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(folder, `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
  }
  for (const file of ['plain.json', 'warning.json'])
    await run('compile', file, '--arch', 'x86_64', '-q', '-o', 'out.bpf', '--cache', 'full');
});

/** Works on the store of a folder in this process. */
async function edit(name: string, work: (store: CacheStore) => Promise<void>): Promise<void> {
  const store = openStore(join(folder, name));
  await work(store);
  await closeStore(store);
}

const filled = (name: string, pairs: number) =>
  edit(name, async (store) => {
    for (const { key, text, kind, label } of makeRecords(pairs)) await store.set(key, text, { kind, label });
  });

/** Puts another text under the first key of a kind; gives the key. */
async function damage(name: string, kind: 'alias' | 'object'): Promise<string> {
  const [key] = await keysOf('--cache', name, '--kind', kind);
  await edit(name, async (store) => {
    await store.set(key!, damaged((await store.get(key!))!), { kind, label: 'damaged' });
  });
  return key!;
}

/** A folder in which no database can be opened. */
function brokenStore(name: string): string {
  mkdirSync(join(folder, name), { mode: 0o700 });
  writeFileSync(join(folder, name, 'cache.sqlite'), 'no database'.repeat(500), { mode: 0o600 });
  return name;
}

describe('cache ls', () => {
  it('has a row for each record, by key', async () => {
    const rows = rowsOf(await cache('ls', '--cache', 'full'));
    const keys = rows.map(([key]) => key!);
    expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(rows).toHaveLength(6);
    for (const row of rows)
      expect(row).toEqual([
        expect.stringMatching(/^[0-9a-f]{64}$/),
        expect.stringMatching(/^(alias|object)$/),
        expect.stringMatching(/^\d+$/),
        expect.stringMatching(/^\d+[smhd]$/),
        expect.stringMatching(/^\d+[smhd]$/),
        expect.stringMatching(/^(\d+ instructions|X86_64, proved)$/),
      ]);
  });

  it('has those of one kind, or one document', async () => {
    expect(await keysOf('--cache', 'full', '--kind', 'object')).toHaveLength(2);
    const { records } = documentOf(await cache('ls', '--cache', 'full', '--kind', 'alias', '--json'));
    expect(records).toHaveLength(4);
    expect(records).toContainEqual({
      key: expect.any(String), kind: 'alias', label: expect.any(String), bytes: expect.any(Number),
      made: expect.any(Number), used: expect.any(Number),
    }); // prettier-ignore
    expect(await cache('ls', '--cache', 'full', '--kind', 'hot')).toMatchObject({ code: 64 });
    expect((await cache('ls', '--cache', 'empty')).stdout.toString()).toBe('');
  });

  it('writes no control characters of others', async () => {
    await edit('labels', async (store) => {
      await store.set('0f'.repeat(32), 'text', { kind: 'object', label: 'a\tb\n\u001b[31m' });
    });
    expect(rowsOf(await cache('ls', '--cache', 'labels'))[0]?.at(-1)).toBe('a\\u0009b\\u000a\\u001b[31m');
  });
});

describe('cache show', () => {
  it('shows an object, and who leads to it', async () => {
    const [key] = await keysOf('--cache', 'full', '--kind', 'object');
    const shown = documentOf(
      await cache('show', key!.slice(0, 6).toUpperCase(), '--cache', 'full', '--json'),
    );
    expect(shown).toMatchObject({ key, kind: 'object', sha256: key, endian: 'little' });
    expect(shown['aliases']).toHaveLength(2);
    const [alias] = shown['aliases'] as string[];
    expect(documentOf(await cache('show', alias!, '--cache', 'full', '--json'))).toMatchObject({
      object: key,
    });
    const rows = rowsOf(await cache('show', key!, '--cache', 'full'));
    expect(rows).toContainEqual(['aliases', alias]);
    expect(rows).toContainEqual(['instructions', String(shown['instructions'])]);
    expect(rows).toContainEqual(['made', expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)]);
  });

  it('shows aliases of inputs and of meanings', async () => {
    const all = await Promise.all(
      (await keysOf('--cache', 'full', '--kind', 'alias')).map((key) =>
        cache('show', key, '--cache', 'full', '--json'),
      ),
    );
    const inputs = all.map(documentOf).filter(({ of }) => of === 'input');
    expect(inputs).toHaveLength(2);
    expect(new Set(inputs.map(({ diagnostics }) => diagnostics))).toEqual(new Set([0, 1]));
    for (const input of inputs)
      expect(input).toMatchObject({
        arches: ['X86_64'], flags: null, listenerPath: null, proved: true, signedBy: null, trusted: false,
        target: { arch: 'X86_64' },
      }); // prettier-ignore
    expect(all.map(documentOf).filter(({ of }) => of === 'lowered profile')).toHaveLength(2);
  });

  it('reports a missing, an ambiguous and a damaged record', async () => {
    await edit('alike', async (store) => {
      for (const end of ['0', '1'])
        await store.set(`abcdef${end.repeat(58)}`, 'x', { kind: 'alias', label: '' });
    });
    const shown = (key: string) => cache('show', key, '--cache', 'alike', '--json');
    const answers: [string, number, string][] = [
      ['abcde', 64, 'CACHE_RECORD_NAME'],
      ['profile.json', 64, 'CACHE_RECORD_NAME'],
      ['abcdef', 64, 'CACHE_RECORD_AMBIGUOUS'],
      ['abcdee', 1, 'CACHE_RECORD_MISSING'],
      ['abcdef0', 65, 'CACHE_RECORD_DAMAGED'],
    ];
    for (const [key, code, name] of answers) {
      const result = await shown(key);
      expect(result).toMatchObject({ code });
      expect(codesOf(result)).toEqual([name]);
    }
    expect((await cache('show', 'abcdef', '--cache', 'alike')).stderr).toContain(`abcdef${'1'.repeat(58)}`);
  });
});

describe('cache verify', () => {
  it('finds nothing in a good cache', async () => {
    const result = await cache('verify', '--cache', 'full');
    expect(result).toMatchObject({
      code: 0,
      stderr: 'checked 6 records and 2 hot answers: nothing is wrong\n',
    });
    expect(result.stdout.toString()).toBe('');
  });

  it('finds what is damaged in both tiers, and removes it', async () => {
    await run('compile', 'plain.json', '--arch', 'x86_64', '-q', '-o', 'out.bpf', '--cache', 'bad');
    const key = await damage('bad', 'object');
    const [slot] = readdirSync(join(folder, 'bad', 'hot'));
    truncateSync(join(folder, 'bad', 'hot', slot!), 50);
    const found = await cache('verify', '--cache', 'bad');
    expect(found).toMatchObject({ code: 1 });
    expect(rowsOf(found)).toHaveLength(4);
    expect(rowsOf(found)).toContainEqual([slot, 'hot', 'it is damaged']);
    const removing = await cache('verify', '--cache', 'bad', '--remove', '--json');
    expect(removing).toMatchObject({ code: 1 });
    expect(documentOf(removing)).toMatchObject({ checked: 3, hot: 1, removed: 4 });
    expect(documentOf(removing)['findings']).toContainEqual({
      key,
      kind: 'object',
      reason: expect.any(String),
    });
    expect(documentOf(await cache('verify', '--cache', 'bad', '--json'))).toEqual({
      checked: 0, hot: 0, signed: 0, findings: [], removed: 0,
    }); // prettier-ignore
  });
});

describe('cache gc', () => {
  it('says what it removed', async () => {
    await filled('much', 5);
    expect(documentOf(await cache('gc', '--cache', 'much', '--json'))).toEqual({
      removed: { exceeding: 0, dangling: 0, orphans: 0, hot: { leftOver: 0, old: 0 } },
    });
    const { stderr } = await cache('gc', '--cache', 'much', '--max-bytes', '1K', '--max-age', '1.5');
    expect(stderr).toMatch(/^removed [1-9]\d* records \(/);
    await cache('gc', '--cache', 'much', '--max-bytes', '0');
    expect(await keysOf('--cache', 'much')).toEqual([]);
  });

  it('refuses limits that are none', async () => {
    for (const limit of [
      ['--max-bytes', '1T'],
      ['--max-bytes', '-1'],
      ['--max-age', 'old'],
    ])
      expect(await cache('gc', '--cache', 'much', ...limit)).toMatchObject({ code: 64 });
  });
});

describe('cache export and import', () => {
  it('make the same file of the same records, whatever the store', async () => {
    expect(await cache('export', 'full.txt', '--cache', 'full')).toMatchObject({
      code: 0,
      stderr: 'exported 6, skipped 0\n',
    });
    const imported = await cache('import', 'full.txt', '--cache', 'copy', '--unsigned');
    expect(imported).toMatchObject({ code: 0, stderr: 'imported 6, already there 0, skipped 0\n' });
    const again = await cache('export', '-', '--cache', 'copy');
    expect(again.stdout).toEqual(readFileSync(join(folder, 'full.txt')));
    const compiled = await run('compile', 'plain.json', '--arch', 'x86_64', '--json', '--cache=copy');
    expect(documentOf(compiled)).toMatchObject({ cache: { tier: 'sqlite' } });
  });

  it('take aliases that are signed by whom one trusts, and no others', async () => {
    await cache('export', 'signed.txt', '--cache', 'full', '--sign', 'mine.pem', '-q');
    const unsigned = await cache('import', 'full.txt', '--cache', 'unsigned', '--json');
    expect(unsigned).toMatchObject({ code: 0 });
    expect(documentOf(unsigned)).toMatchObject({ imported: 2, present: 0, skipped: 4 });
    expect(codesOf(unsigned)).toEqual(['CACHE_ALIASES_UNSIGNED']);
    const strange = await cache('import', 'signed.txt', '--cache', 'strange', '--trust', 'other.pub');
    expect(strange.stderr).toMatch(
      /4 aliases were left out.*\n.*\nimported 2, already there 0, skipped 4\n$/,
    );
    const trusting = await cache('import', 'signed.txt', '--cache', 'strange', '--trust', 'mine.pub');
    expect(trusting.stderr).toBe('imported 4, already there 2, skipped 0\n');
    const [alias] = await keysOf('--cache', 'strange', '--kind', 'alias');
    const shown = (key: string) => cache('show', alias!, '--cache', 'strange', '--json', '--trust', key);
    expect(documentOf(await shown('mine.pub'))).toMatchObject({ trusted: true });
    expect(documentOf(await shown('other.pub'))).toMatchObject({
      trusted: false,
      signedBy: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    const verified = await cache('verify', '--cache', 'strange', '--trust', 'mine.pub');
    expect(verified.stderr).toContain('(4 signed by a trusted key)');
  });

  it('refuse unsigned aliases of a file that another user could have changed', async () => {
    const open = join(folder, 'open.txt');
    writeFileSync(open, readFileSync(join(folder, 'full.txt')));
    chmodSync(open, 0o666);
    const refused = await cache('import', 'open.txt', '--cache', 'unchanged', '--unsigned', '--json');
    expect({ code: refused.code, codes: codesOf(refused) }).toEqual({
      code: 65,
      codes: ['CACHE_EXPORT_UNSAFE'],
    });
    expect(existsSync(join(folder, 'unchanged'))).toBe(false);
    const signedOnly = await cache('import', 'open.txt', '--cache', 'objects', '--json');
    expect(documentOf(signedOnly)).toMatchObject({ imported: 2, skipped: 4 });
  });

  it('refuse a file that is damaged or something else, and change nothing', async () => {
    const text = readFileSync(join(folder, 'full.txt'), 'utf8');
    for (const wrong of [damaged(text), text.slice(0, -5), PLAIN, '']) {
      writeFileSync(join(folder, 'wrong.txt'), wrong);
      const result = await cache('import', 'wrong.txt', '--cache', 'unchanged', '--unsigned', '--json');
      expect(result).toMatchObject({ code: 65 });
      expect(codesOf(result)).toEqual(['CACHE_ARCHIVE_INVALID']);
    }
    expect(existsSync(join(folder, 'unchanged'))).toBe(false);
  });

  it('leave damaged records out', async () => {
    await filled('partly', 2);
    await damage('partly', 'object');
    const { code, stderr } = await cache('export', 'partly.txt', '--cache', 'partly');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /warning: 2 damaged records were left out.*\[CACHE_RECORDS_LEFT_OUT\]\n.*\nexported 2, skipped 2\n$/,
    );
  });

  it('fail by the exit codes of the contract', async () => {
    const code = async (...args: string[]) => (await cache(...args)).code;
    expect(await code('export')).toBe(64);
    expect(await code('export', '-', '--json', '--cache', 'full')).toBe(64);
    expect(await code('import', 'none.txt')).toBe(66);
    expect(await code('import', 'full.txt', '--trust', 'none.pub')).toBe(66);
    expect(await code('import', 'full.txt', '--trust', 'mine.pem')).toBe(65);
    expect(await code('export', 'none/file.txt', '--cache', 'full')).toBe(73);
    expect(await code('export', 'file.txt', '--cache', brokenStore('no-export'))).toBe(69);
    expect(await code('import', 'full.txt', '--cache', 'no-export')).toBe(69);
  });
});

describe('cache push and pull', () => {
  it('send what is missing, and then nothing', async () => {
    await filled('many', 20);
    const push = () => cache('push', 'sqlite:pushed/cache.sqlite', '--cache', 'many');
    expect(await push()).toMatchObject({ code: 0, stderr: 'sent 40, already there 0, skipped 0\n' });
    expect(await push()).toMatchObject({ code: 0, stderr: 'sent 0, already there 40, skipped 0\n' });
    expect(await keysOf('--cache', 'pushed')).toEqual(await keysOf('--cache', 'many'));
  });

  it('pull unsigned aliases only if told so', async () => {
    const first = await cache('pull', 'many', '--cache', 'pulled', '--json');
    expect(documentOf(first)).toMatchObject({ sent: 20, present: 0, skipped: 20 });
    expect(codesOf(first)).toEqual(['CACHE_ALIASES_UNSIGNED']);
    const second = await cache('pull', 'many', '--cache', 'pulled', '--unsigned');
    expect(second.stderr).toBe('sent 20, already there 20, skipped 0\n');
  });

  it('sign on the way', async () => {
    await cache('push', 'server', '--cache', 'many', '--sign', 'mine.pem', '-q');
    const pulled = await cache('pull', 'server', '--cache', 'trusting', '--trust', 'mine.pub');
    expect(pulled.stderr).toBe('sent 40, already there 0, skipped 0\n');
  });

  it("are with the user's own cache unless said", async () => {
    const result = await cache('pull', 'many', '--unsigned');
    expect(result.stderr).toBe('sent 40, already there 0, skipped 0\n');
    expect((await cache('stats')).stdout.toString()).toMatch(/^entries\t40$/m);
  });

  it('say how much was sent when a store fails', async () => {
    const broken = brokenStore('no-push');
    for (const args of [
      ['push', broken, '--cache', 'many'],
      ['pull', broken, '--cache', 'many'],
    ]) {
      const result = await cache(...args, '--json');
      expect(result).toMatchObject({ code: 69 });
      expect(codesOf(result)).toEqual(['CACHE_TRANSFER_BROKEN']);
    }
    expect(await cache('push', 'gopher://host', '--cache', 'many')).toMatchObject({ code: 64 });
    mkdirSync(join(folder, 'open'));
    chmodSync(join(folder, 'open'), 0o777);
    expect((await cache('push', 'open', '--cache', 'many')).stderr).toContain('everybody can write to it');
  });
});

it('every action has help with an example', async () => {
  const { stdout } = await cache('--help');
  const actions = [...stdout.toString().matchAll(/^ {2}(\w+) {2,}[a-z]/gm)].map(([, name]) => name!);
  expect(actions).toEqual(
    expect.arrayContaining([
      'path',
      'stats',
      'ls',
      'show',
      'verify',
      'gc',
      'clear',
      'export',
      'import',
      'push',
      'pull',
    ]),
  );
  for (const action of actions.filter((name) => name !== 'help')) {
    const help = await cache(action, '--help');
    expect(help).toMatchObject({ code: 0 });
    expect(help.stdout.toString()).toContain(`\n  seccompc cache ${action}`);
  }
});
