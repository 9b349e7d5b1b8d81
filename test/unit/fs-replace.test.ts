import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTemporaryName, replaceFile } from '../../src/fs/replace.ts';
import { readForReplacing, replaceDurably } from '../../src/fs/replace-durably.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-unit-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that is replaced', () => {
  it('is another file with the same name and mode', async () => {
    const path = join(folder, 'plain');
    writeFileSync(path, 'old', { mode: 0o600 });
    const before = statSync(path);
    const read = await readForReplacing(path);
    expect(Buffer.from(read.bytes).toString()).toBe('old');
    await replaceDurably(read, Buffer.from('new'));
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).ino).not.toBe(before.ino);
    expect(statSync(path).mode).toBe(before.mode);
  });

  it('stays if another process has changed or removed it', async () => {
    const path = join(folder, 'changed');
    writeFileSync(path, 'old');
    const read = await readForReplacing(path);
    appendFileSync(path, ' and more');
    await expect(replaceDurably(read, Buffer.from('new'))).rejects.toThrow(/another process has changed it/);
    expect(readFileSync(path, 'utf8')).toBe('old and more');
    rmSync(path);
    await expect(replaceDurably(read, Buffer.from('new'))).rejects.toThrow(/ENOENT/);
    expect(readdirSync(folder).filter((name) => name.includes('changed'))).toEqual([]);
  });

  it('must be a plain one', async () => {
    await expect(readForReplacing(folder)).rejects.toThrow(/regular file/);
    await expect(readForReplacing('/dev/null')).rejects.toThrow(/regular file/);
  });

  it('that is ours takes the place of whatever was there', () => {
    const path = join(folder, 'ours');
    writeFileSync(join(folder, 'elsewhere'), 'untouched');
    symlinkSync('elsewhere', path);
    replaceFile(path, 'new', { mode: 0o600 });
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readFileSync(join(folder, 'elsewhere'), 'utf8')).toBe('untouched');
  });

  it('gets the mode that was asked for, whatever the umask, unless it is to be masked', () => {
    const before = process.umask(0o077);
    try {
      replaceFile(join(folder, 'exact'), '', { mode: 0o644 });
      replaceFile(join(folder, 'masked'), '', { mode: 0o666, masked: true });
    } finally {
      process.umask(before);
    }
    expect(statSync(join(folder, 'exact')).mode & 0o7777).toBe(0o644);
    expect(statSync(join(folder, 'masked')).mode & 0o7777).toBe(0o600);
  });

  it.runIf(process.geteuid?.() === 0)('gets the owner that was asked for, and keeps set-ID bits', () => {
    replaceFile(join(folder, 'owned'), '', { mode: 0o6755, owner: { uid: 12345, gid: 54321 } });
    expect(statSync(join(folder, 'owned'))).toMatchObject({ uid: 12345, gid: 54321 });
    expect(statSync(join(folder, 'owned')).mode & 0o7777).toBe(0o6755);
  });

  it('leaves nothing behind when it cannot be put in place', () => {
    mkdirSync(join(folder, 'inside', 'taken'), { recursive: true });
    expect(() => replaceFile(join(folder, 'inside', 'taken'), 'new', { mode: 0o600 })).toThrow('EISDIR');
    expect(readdirSync(join(folder, 'inside'))).toEqual(['taken']);
  });

  it('has temporary names that can be told from others', () => {
    expect(['.a.12-x3f', '.filter.bpf.7-0'].filter(isTemporaryName)).toHaveLength(2);
    expect(['a.12-x', '.a', '.a.b-c', '.12-x', 'a'].filter(isTemporaryName)).toEqual([]);
  });
});
