import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inParallel } from '../../src/oci/parallel.ts';
import { readForReplacing, replaceFile, replaceWith } from '../../src/oci/replace-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-unit-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('work on many items', () => {
  it('hands results over in order, and has no more in hand than it may', async () => {
    let inHand = 0;
    let most = 0;
    const taken: number[] = [];
    const items = Array.from({ length: 20 }, (_, index) => index);
    await inParallel(
      items,
      4,
      async (item) => {
        most = Math.max(most, ++inHand);
        await new Promise((resolve) => setTimeout(resolve, (item * 7) % 5));
        inHand -= 1;
        return item;
      },
      async (result) => void taken.push(result),
    );
    expect(taken).toEqual(items);
    expect(most).toBe(4);
  });

  it('does nothing for nothing, and passes a fault on', async () => {
    const begun: number[] = [];
    await inParallel([], 4, async () => {}, async () => {});
    const failing = inParallel(
      [0, 1, 2, 3, 4, 5, 6],
      2,
      async (item) => {
        begun.push(item);
        if (item === 1) throw new RangeError('no');
      },
      async () => {},
    );
    await expect(failing).rejects.toThrow(RangeError);
    expect(begun).toEqual([0, 1, 2]);
  }); // prettier-ignore
});

describe('a file that is replaced', () => {
  it('is another file with the same name and mode', async () => {
    const path = join(folder, 'plain');
    writeFileSync(path, 'old', { mode: 0o600 });
    const before = statSync(path);
    const read = await readForReplacing(path);
    expect(Buffer.from(read.bytes).toString()).toBe('old');
    await replaceFile(read, Buffer.from('new'));
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).ino).not.toBe(before.ino);
    expect(statSync(path).mode).toBe(before.mode);
  });

  it('stays when somebody else has changed or removed it since', async () => {
    const path = join(folder, 'changed');
    writeFileSync(path, 'old');
    const read = await readForReplacing(path);
    appendFileSync(path, ' and more');
    await expect(replaceFile(read, Buffer.from('new'))).rejects.toThrow(/changed by somebody else/);
    expect(readFileSync(path, 'utf8')).toBe('old and more');
    rmSync(path);
    await expect(replaceFile(read, Buffer.from('new'))).rejects.toThrow(/ENOENT/);
    expect(readdirSync(folder).filter((name) => name.includes('changed'))).toEqual([]);
  });

  it('must be a plain one', async () => {
    await expect(readForReplacing(folder)).rejects.toThrow(/plain/);
    await expect(readForReplacing('/dev/null')).rejects.toThrow(/plain/);
  });

  it('that is ours takes the place of whatever was there', async () => {
    const path = join(folder, 'ours');
    writeFileSync(join(folder, 'elsewhere'), 'untouched');
    symlinkSync('elsewhere', path);
    await replaceWith(path, 'new', 0o600);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readFileSync(join(folder, 'elsewhere'), 'utf8')).toBe('untouched');
  });
});
