import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findAnswer, keepAnswer } from '../../src/cache/hot/hot-tier.ts';
import { readHotEntry, writeHotEntry } from '../../src/cache/hot/entry.ts';
import { hotRequest } from '../../src/cache/hot/hot-request.ts';
import type { HotRequest } from '../../src/cache/hot/hot-request.ts';
import { makeCommand } from '../../src/cli/commands/compile.ts';

const BUILD = '1.2.3 abc';
const request = (...args: string[]) => hotRequest(['compile', ...args], BUILD);

describe('a hot request', () => {
  it('knows every option of compile, and whether a value follows', () => {
    for (const { long, short, required } of makeCommand({
      args: [],
      script: '',
      program: () => Promise.reject(new Error('not asked')),
    }).options)
      for (const name of [long, short]) {
        if (name === undefined) continue;
        const [alone, followed] = [[name], [name, 'value']].map((words) => request(...words, 'p.json'));
        expect({ name, alone: alone !== undefined, followed: followed !== undefined }).toEqual({
          name,
          alone: !required && name !== '--no-cache',
          followed: required,
        });
      }
  });

  it('tells its file, its places and whether it asks for JSON', () => {
    expect(request('--arch', 'x86_64', 'p.json', '-o', 'out', '--cache', 'dir')).toMatchObject({
      file: 'p.json',
      output: 'out',
      cache: 'dir',
      json: false,
    });
    expect(request('p.json', '-q')).toMatchObject({ json: false });
    expect(request('p.json', '--json')).toMatchObject({ json: true });
    expect(request('p.json', '--format', 'json')).toMatchObject({ json: true });
    expect(request('p.json', '--format', 'hex')).toMatchObject({ json: false });
    expect(request('json', '--format', 'hex')).toMatchObject({ file: 'json', json: false });
  });

  it('is none where anything is out of the ordinary', () => {
    for (const args of [
      [], ['-'], ['a', 'b'], ['a', '--'], ['--', 'a'], ['a', '--no-cache'], ['a', '--format=c'], ['a', '-ofile'],
      ['a', '-o'], ['a', '-o', '-'], ['a', '--help'],
      ['a', '--frobnicate'], ['a', '--arch', '--force'], ['', '-q'], ['a', '-qq'], ['a', '--arch', ''],
    ]) expect({ args, found: request(...args) }).toEqual({ args, found: undefined }); // prettier-ignore
    for (const args of [
      ['resolve', 'a'], ['constructor', 'a'], ['exec', 'a'], ['exec', 'a', '--'], ['exec', '--', 'a'], ['exec', 'a', '-o', 'x', '--', 'b'],
      ['exec', 'a', '--keep-fd', '3', '--', 'b'], ['exec', 'a', 'b', '--', 'c'], ['exec', 'a', '--for', 'ctr', '--', 'b'],
      ['annotate', 'a', '-o', 'x'], ['annotate', 'a', '--for'],
    ]) expect({ args, found: hotRequest(args, BUILD) }).toEqual({ args, found: undefined }); // prettier-ignore
    expect(hotRequest([], BUILD)).toBeUndefined();
  });

  it('of exec leaves out the command, of annotate names the client', () => {
    const exec = hotRequest(['exec', 'a', '-q', '--', 'ls', '-q', '--'], BUILD)!;
    expect(exec).toMatchObject({ command: 'exec', file: 'a', words: ['ls', '-q', '--'] });
    expect(exec.identity).toBe(hotRequest(['exec', '-q', 'b', '--', 'true'], BUILD)!.identity);
    // The filter of another machine must not run here, whatever the words say.
    expect(hotRequest(['exec', 'a', '--arch', 'x86', '--', 'b'], BUILD)!.identity).toContain(process.arch);
    const identities = [['compile', 'a'], ['annotate', 'a'], ['annotate', 'a', '--for', 'ctr'], ['annotate', 'a', '--for', 'docker'], ['exec', 'a', '--', 'b']]
      .map((args) => hotRequest(args, BUILD)!.identity); // prettier-ignore
    expect(new Set(identities).size).toBe(identities.length);
  });

  it('has one identity for one meaning, whatever the places are called', () => {
    const one = request('a', '--arch', 'x86_64', '-o', 'x')!.identity;
    expect(request('--arch', 'x86_64', '--cache', 'c', 'b')!.identity).toBe(one);
    for (const other of [
      request('a', '--arch', 'aarch64'),
      request('a'),
      request('a', '--arch', 'x86_64', '-q'),
      request('a', '--arch', 'x86_64', '--kernel', '6.1'),
      request('a', '--cap', 'x86_64'),
      hotRequest(['compile', 'a', '--arch', 'x86_64'], `${BUILD}d`),
    ])
      expect(other!.identity).not.toBe(one);
    // What the words do not say comes from the machine.
    expect(request('a', '--arch', 'x86_64', '--kernel', '6.1')!.identity).not.toContain(process.arch);
    expect(request('a')!.identity).toContain(process.arch);
  });
});

const ANSWER = {
  identity: 'one',
  file: null,
  diagnostics: 'p.json:1:1: warning: \u{1f600} [X]\n',
  summary: 'X86_64: 3 instructions; ',
  product: Buffer.from(Array.from({ length: 101 }, (_, index) => index * 7)).toString('base64'),
};
const INPUT = '{"defaultAction": "SCMP_ACT_ALLOW", "comment": "\u{1f600}\u00e9"}';
const QUESTION = { identity: 'one', file: 'p.json', input: INPUT };
const FILE = Buffer.from(writeHotEntry(ANSWER, INPUT));
const readBytes = (bytes: Buffer, question = QUESTION) => readHotEntry(bytes.toString(), question);

describe('a hot entry', () => {
  it('gives back what was written, to the same question only', () => {
    expect(readBytes(FILE)).toEqual(ANSWER);
    expect(readBytes(FILE, { ...QUESTION, identity: 'two' })).toBeUndefined();
    expect(readBytes(FILE, { ...QUESTION, input: INPUT.slice(1) })).toBeUndefined();
    expect(readBytes(FILE, { ...QUESTION, input: INPUT + INPUT })).toBeUndefined();
    expect(readBytes(FILE, { ...QUESTION, file: 'other.json' })).toEqual(ANSWER);
    const named = Buffer.from(writeHotEntry({ ...ANSWER, file: 'p.json' }, INPUT));
    expect(readBytes(named)).toMatchObject({ file: 'p.json' });
    expect(readBytes(named, { ...QUESTION, file: 'other.json' })).toBeUndefined();
  });

  it('is refused with any bit turned, any byte missing or added', () => {
    const given: unknown[] = [];
    for (let bit = 0; bit < FILE.length * 8; bit += 1) {
      const bad = Buffer.from(FILE);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      const found = readBytes(bad);
      if (found !== undefined && !('refused' in found)) given.push(bit);
    }
    for (let length = 0; length < FILE.length; length += 1) {
      const found = readBytes(FILE.subarray(0, length));
      if (found === undefined || !('refused' in found)) given.push({ length });
    }
    for (const more of [Buffer.from([0]), FILE])
      expect(readBytes(Buffer.concat([FILE, more]))).toHaveProperty('refused');
    expect(given).toEqual([]);
  });

  it('is refused with its parts taken from another one', () => {
    const product = Buffer.from(Buffer.from(ANSWER.product, 'base64').toReversed()).toString('base64');
    const other = Buffer.from(writeHotEntry({ ...ANSWER, product }, INPUT));
    expect(other.length).toBe(FILE.length);
    const mixed: unknown[] = [];
    for (let at = 0; at <= FILE.length; at += 1) {
      const found = readBytes(Buffer.concat([FILE.subarray(0, at), other.subarray(at)]));
      expect(found).toBeDefined();
      if ('refused' in found!) mixed.push(found);
      else expect([ANSWER.product, product]).toContain(found!.product);
    }
    // All but those of which one part has no word of the answer.
    expect(mixed.length).toBeGreaterThan(100);
    expect(new Set(mixed.map((found) => JSON.stringify(found)))).toEqual(
      new Set([JSON.stringify({ refused: 'it is damaged' })]),
    );
  });
});

const PROFILE = {
  defaultAction: 'SCMP_ACT_ERRNO',
  architectures: ['SCMP_ARCH_X86_64'],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 4294967295, op: 'SCMP_CMP_EQ' }] },
  ],
};
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-hot-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(process.geteuid !== undefined)('the hot tier', () => {
  const input = Buffer.from(JSON.stringify(PROFILE));
  const product = Buffer.from('the filter').toString('base64');
  const made = { diagnostics: '', summary: '', product, file: null };
  const asked = (...more: string[]): HotRequest =>
    request(join(folder, 'p.json'), '-q', '--cache', join(folder, 'c'), ...more)!;
  const find = (what = asked(), bytes: Uint8Array = input) => {
    writeFileSync(join(folder, 'p.json'), bytes);
    return findAnswer(what);
  };
  const keep = (what = asked(), bytes: Uint8Array = input) => keepAnswer(what, bytes, made);
  const entries = () => readdirSync(join(folder, 'c', 'hot'));
  const entry = () => join(folder, 'c', 'hot', entries()[0]!);

  it('keeps and finds, in files of its user alone', () => {
    expect(find()).toBeUndefined();
    expect(keep()).toBeUndefined();
    expect(find()).toMatchObject({ product });
    expect(entries()).toHaveLength(1);
    const modes = [join(folder, 'c'), join(folder, 'c', 'hot'), entry()].map(
      (path) => lstatSync(path).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o700, 0o600]);
    expect(find(asked('--force'))).toBeUndefined();
    expect(find(asked(), Buffer.concat([input, Buffer.from(' ')]))).toBeUndefined();
  });

  it('keeps small inputs apart that differ in one character', () => {
    const inputs = Array.from(input, (_, at) =>
      Buffer.from(input.map((byte, index) => byte + Number(index === at))),
    );
    for (const other of inputs) keep(asked(), other);
    expect(entries()).toHaveLength(inputs.length);
  });

  it('keeps inputs apart that are no UTF-8, by their bytes', () => {
    const raw = Buffer.from('{"defaultAction":"\xff"}', 'latin1');
    keep(asked(), raw);
    expect(find(asked(), raw)).toMatchObject({ product, input: raw });
    // The same text after decoding; the same text in another coding; another byte.
    const others = [Buffer.from(raw.toString()), Buffer.from(raw.toString('latin1')), Buffer.from(raw.map((byte) => (byte === 0xff ? 0xfe : byte)))]; // prettier-ignore
    for (const other of others) expect(find(asked(), other)).toBeUndefined();
    for (const other of others) keep(asked(), other);
    for (const other of others) expect(find(asked(), other)).toMatchObject({ input: other });
    expect(entries()).toHaveLength(4);
  });

  it('reads no file that another user could have written', () => {
    keep();
    for (const mode of [0o620, 0o602, 0o666]) {
      chmodSync(entry(), mode);
      expect(find()).toBeUndefined();
    }
    chmodSync(entry(), 0o600);
    for (const path of [join(folder, 'c', 'hot'), join(folder, 'c')])
      for (const mode of [0o770, 0o707]) {
        chmodSync(path, mode);
        expect(find()).toBeUndefined();
        chmodSync(path, 0o700);
      }
    chmodSync(folder, 0o777);
    expect(find()).toBeUndefined();
    chmodSync(folder, 0o1777);
    expect(find()).toMatchObject({ product });
    if (process.geteuid?.() === 0) {
      for (const path of [entry(), join(folder, 'c', 'hot'), join(folder, 'c')]) {
        chownSync(path, 12345, 12345);
        expect(find()).toBeUndefined();
        chownSync(path, 0, 0);
      }
    }
    expect(find()).toMatchObject({ product });
  });

  it('gives nothing through a link, from a folder, or from the place of another question', () => {
    keep();
    const [slot] = entries();
    renameSync(entry(), join(folder, 'elsewhere'));
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'c', 'hot', slot!));
    expect(find()).toBeUndefined();
    rmSync(entry());
    mkdirSync(join(folder, 'c', 'hot', slot!));
    expect(find()).toBeUndefined();
    rmSync(entry(), { recursive: true });
    keep(asked('--force'));
    renameSync(entry(), join(folder, 'c', 'hot', slot!));
    expect(find()).toBeUndefined();
    writeFileSync(entry(), 'planted', { mode: 0o600 });
    expect(find()).toBeUndefined();
    expect(keep()).toBe('it is damaged');
    expect(find()).toMatchObject({ product });
  });

  it('writes nothing where others could', () => {
    mkdirSync(join(folder, 'c'), { mode: 0o777 });
    chmodSync(join(folder, 'c'), 0o777);
    keep();
    expect(readdirSync(join(folder, 'c'))).toEqual([]);
  });

  it('does without where nothing can be written', () => {
    writeFileSync(join(folder, 'c'), 'a file');
    keep();
    expect(readFileSync(join(folder, 'c'), 'utf8')).toBe('a file');
  });

  it('lets the older half go when there are many', () => {
    for (let index = 0; index <= 512; index += 1) keep(asked(), Buffer.from(`input ${index}`));
    expect(entries().length).toBe(257);
    expect(find(asked(), Buffer.from('input 512'))).toBeDefined();
    expect(find(asked(), Buffer.from('input 0'))).toBeUndefined();
  });
});
