import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHotEntry, writeHotEntry } from '../../src/cache/hot/entry.ts';
import { quickHash, sampleHash } from '../../src/cache/hot/hash.ts';
import { keepHot } from '../../src/cache/hot/keep.ts';
import { HOT_FLAGS, HOT_VALUES, hotRequest } from '../../src/cache/hot/request.ts';
import type { HotRequest } from '../../src/cache/hot/request.ts';
import { findHot } from '../../src/cache/hot/serve.ts';
import { configSubject } from '../../src/cache/hot/subject.ts';
import { makeCommand } from '../../src/cli/commands/compile.ts';
import { quickFlags } from '../../src/cli/quick.ts';
import { formatOci } from '../../src/profile/docker.ts';
import { parseProfile } from '../../src/profile/read.ts';

const BUILD = '1.2.3 abc';
const request = (...args: string[]) => hotRequest(['compile', ...args], BUILD);

describe('a hot request', () => {
  it('knows every option of compile, and whether a value follows', () => {
    const rest = new Set([...HOT_VALUES, ...HOT_FLAGS]);
    for (const { long, short, required } of makeCommand().options) {
      for (const name of [long, short]) {
        if (name === undefined) continue;
        expect({ name, known: (required ? HOT_VALUES : HOT_FLAGS).includes(name) }).toEqual({
          name,
          known: true,
        });
        rest.delete(name);
      }
    }
    expect([...rest]).toEqual([]);
  });

  it('tells its file, places and voice', () => {
    expect(request('--arch', 'x86_64', 'p.json', '-o', 'out', '--cache', 'dir')).toMatchObject({
      file: 'p.json',
      output: 'out',
      cache: 'dir',
      speaks: true,
      json: false,
    });
    expect(request('p.json', '-q')).toMatchObject({ speaks: false, json: false });
    expect(request('p.json', '--json')).toMatchObject({ speaks: false, json: true });
    expect(request('p.json', '--format', 'json')).toMatchObject({ speaks: false, json: true });
    expect(request('p.json', '--format', 'hex')).toMatchObject({ speaks: true, json: false });
    expect(request('json', '--format', 'hex')).toMatchObject({ file: 'json', json: false });
  });

  it('is none where anything is out of the ordinary', () => {
    for (const args of [
      [], ['-'], ['a', 'b'], ['a', '--'], ['--', 'a'], ['a', '--no-cache'], ['a', '--format=c'], ['a', '-ofile'],
      ['a', '-o'], ['a', '-o', '-'], ['a', '--help'],
      ['a', '--frobnicate'], ['a', '--arch', '--force'], ['', '-q'], ['a', '-qq'], ['a', '--arch', ''],
    ]) expect({ args, found: request(...args) }).toEqual({ args, found: undefined }); // prettier-ignore
    expect(hotRequest(['resolve', 'a'], BUILD)).toBeUndefined();
    expect(hotRequest([], BUILD)).toBeUndefined();
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

describe('the quick reading of a command line', () => {
  const parsed = (args: string[]) => {
    const command = makeCommand()
      .exitOverride()
      .action(() => {});
    command.configureOutput({ writeErr: () => {} });
    try {
      return { file: command.parse(args, { from: 'user' }).args[0], flags: command.opts() };
    } catch {
      return undefined;
    }
  };
  const VALUES = [
    'raw', 'json', 'asm', 'elf', 'size', 'attach', 'fast', 'x86_64', 'SCMP_ARCH_AARCH64', 'amd64', 'pdp11', 'native',
    'x86_64,arm', 'x86,', 'all', 'none', 'default', 'NET_ADMIN', 'cap_chown,SYS_ADMIN', '6.1', '5', '4.19.0', 'podman',
    'moby', 'runc', 'crun', 'error', 'warn', 'out.bpf', 'dir',
  ]; // prettier-ignore
  const words = fc.oneof(
    fc.tuple(fc.constantFrom(...HOT_VALUES), fc.constantFrom(...VALUES)),
    fc.tuple(fc.constantFrom(...HOT_FLAGS)),
  );

  it('gives what the parser gives, or leaves it to the parser', () => {
    const seen = { taken: 0, left: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(words, { maxLength: 5 }), fc.nat(5), (options, at) => {
        const args = [...options.slice(0, at), ['p.json'], ...options.slice(at)].flat();
        const quick = quickFlags(['compile', ...args]);
        const full = parsed(args);
        if (quick === undefined) seen.left += 1;
        else expect(quick).toEqual(full);
        if (full === undefined) seen.refused += 1;
        else if (quick !== undefined) seen.taken += 1;
      }),
      { numRuns: 3000 },
    );
    // What the parser refuses, and nothing else, is left to it.
    expect(seen.left).toBe(seen.refused);
    expect(seen.taken).toBeGreaterThan(300);
  });

  it('takes every option with a good value', () => {
    const good: Record<string, string> = {
      '-o': 'f', '--output': 'f', '--format': 'c', '--optimize': 'size', '--cache': 'd', '--arch': 'arm64',
      '--architectures': 'x86_64,x32', '--cap-set': 'all', '--cap': 'CHOWN,KILL', '--cap-drop': 'KILL', '--kernel': '6.1',
      '--engine': 'podman', '--semantics': 'runc', '--enosys-after': '5.4', '--overlap': 'error', '--trust': 'k.pem',
      '--sign': 'k.pem',
    }; // prettier-ignore
    for (const option of [...HOT_VALUES, ...HOT_FLAGS]) {
      const args = ['p.json', option, ...(good[option] === undefined ? [] : [good[option]])];
      expect(quickFlags(['compile', ...args])).toEqual(parsed(args));
      expect(quickFlags(['compile', ...args])).toBeDefined();
    }
  });
});

const ANSWER = {
  identity: 'one',
  file: null,
  words: 'p.json:1:1: warning: \u{1f600} [X]\n',
  summary: 'X86_64: 3 instructions; ',
  product: Buffer.from(Array.from({ length: 101 }, (_, index) => index * 7)).toString('base64'),
};
const SUBJECT = '{"defaultAction": "SCMP_ACT_ALLOW", "comment": "\u{1f600}\u00e9"}';
const QUESTION = { identity: 'one', file: 'p.json', subject: SUBJECT };
const FILE = Buffer.from(writeHotEntry(ANSWER, SUBJECT));
const readBytes = (bytes: Buffer, question = QUESTION) => readHotEntry(bytes.toString(), question);

describe('a hot entry', () => {
  it('gives back what was written, to the same question only', () => {
    expect(readBytes(FILE)).toEqual(ANSWER);
    expect(readBytes(FILE, { ...QUESTION, identity: 'two' })).toBeUndefined();
    expect(readBytes(FILE, { ...QUESTION, subject: SUBJECT.slice(1) })).toBeUndefined();
    expect(readBytes(FILE, { ...QUESTION, subject: SUBJECT + SUBJECT })).toBeUndefined();
    expect(readBytes(FILE, { ...QUESTION, file: 'other.json' })).toEqual(ANSWER);
    const named = Buffer.from(writeHotEntry({ ...ANSWER, file: 'p.json' }, SUBJECT));
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
    const other = Buffer.from(writeHotEntry({ ...ANSWER, product }, SUBJECT));
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

describe('the hashes', () => {
  it('depend on every letter, and on the length', () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 100 })
      .filter((made) => made.length <= 100);
    fc.assert(
      fc.property(text, fc.nat(), fc.integer({ min: 1, max: 0xffff }), (whole, at, change) => {
        const index = at % whole.length;
        const unit = String.fromCharCode(whole.charCodeAt(index) ^ change);
        const other = whole.slice(0, index) + unit + whole.slice(index + 1);
        expect(quickHash(other)).not.toBe(quickHash(whole));
        expect(sampleHash(other, 1)).not.toBe(sampleHash(whole, 1));
        expect(sampleHash(whole, 2)).not.toBe(sampleHash(whole, 1));
        expect(quickHash(`${whole}\0`)).not.toBe(quickHash(whole));
      }),
    );
    expect(quickHash('')).toMatch(/^[0-9a-f]{16}$/);
  });
});

const PROFILE = {
  defaultAction: 'SCMP_ACT_ERRNO',
  architectures: ['SCMP_ARCH_X86_64'],
  syscalls: [
    { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 4294967295, op: 'SCMP_CMP_EQ' }] },
  ],
};
const CONFIG = {
  ociVersion: '1.2.0',
  process: { args: ['sh'], env: ['A=1'], cwd: '/' },
  linux: { namespaces: [{ type: 'pid' }], seccomp: PROFILE },
};
const COMPACT = JSON.stringify(CONFIG);

describe('what decides in a config.json', () => {
  it('is its profile, whatever stands around it and however it is laid out', () => {
    const one = configSubject(COMPACT);
    expect(one).toContain('SCMP_ACT_ERRNO');
    const other = { ...CONFIG, process: { args: ['ls', '-l'], env: [], cwd: '/home' } };
    for (const same of [COMPACT, JSON.stringify(other)])
      for (const layout of [same, `${same}\n`, ...[1, 2, 4, '\t'].map((by) => JSON.stringify(JSON.parse(same), null, by))])
        expect(configSubject(layout)).toBe(one); // prettier-ignore
    expect(configSubject(COMPACT.replace('"read"', '"write"'))).not.toBe(one);
    expect(configSubject(COMPACT.replace('"process"', '"seccomp"'))).not.toBe(one);
  });

  it('is not known where a key or a string is read differently by some runtime', () => {
    for (const [from, to] of [
      ['"namespaces"', '"Seccomp"'],
      ['"namespaces"', '"\u017feccomp"'],
      ['"process"', '"Linux"'],
      ['"cwd":"/"', '"cwd":"/\\u0000"'],
      ['"cwd"', '"cwd\\u0000"'],
      ['"cwd":"/"', '"cwd":"\\ud800"'],
      ['"cwd":"/"', '"cwd":"\\udfff"'],
    ] as const) {
      const text = COMPACT.replace(from, to);
      expect(JSON.stringify(JSON.parse(text))).toBe(text);
      expect(configSubject(text)).toBeUndefined();
    }
    expect(configSubject(COMPACT.replace('"cwd":"/"', '"cwd":"\u{1f600}"'))).toBeDefined();
  });

  it('is not known where parsing loses anything', () => {
    for (const [from, to] of [
      ['4294967295', '18446744073709551615'],
      ['4294967295', '9007199254740993'],
      ['4294967295', '4294967295.0'],
      ['4294967295', '4.294967295e9'],
      ['"args":["sh"]', '"args":["sh"],"args":["sh"]'],
      ['"cwd":"/"', '"cwd":"\\u002f"'],
      ['"seccomp":', '"seccomp":null,"seccomp":'],
      ['"linux":', '"linux":{},"linux":'],
      ['"A=1"]', '"A=1",]'],
      ['{"type":"pid"}', '{"type":"pid"}/**/'],
    ] as const) {
      const text = COMPACT.replace(from, to);
      expect(text).not.toBe(COMPACT);
      expect(configSubject(text)).toBeUndefined();
    }
    expect(configSubject(`\ufeff${COMPACT}`)).toBeUndefined();
    expect(configSubject(`${COMPACT}x`)).toBeUndefined();
    expect(
      configSubject(`${COMPACT.slice(0, -1)},"deep":${'['.repeat(99)}${']'.repeat(99)}}`),
    ).toBeUndefined();
    expect(configSubject(JSON.stringify(PROFILE))).toBeUndefined();
    expect(configSubject(JSON.stringify({ ...CONFIG, linux: { seccomp: null } }))).toBeUndefined();
  });

  it('is the same only for documents that the reader takes for the same profile, without a fault', () => {
    const read = (text: string) =>
      (['crun', 'runc'] as const).map((semantics) => {
        const { profile, diagnostics } = parseProfile(Buffer.from(text), { file: '-', semantics });
        const seccomp = profile?.dialect === 'oci' ? profile.seccomp : null;
        return { diagnostics, seccomp: seccomp && formatOci(seccomp) };
      });
    const base = read(COMPACT);
    expect(base.flatMap(({ diagnostics }) => diagnostics)).toEqual([]);
    const pieces = fc.constantFrom(
      '"seccomp":{}', '"Seccomp":{"a":1},', '"Linux":{"seccomp":null},', '"\u017feccomp":null,', '\\u0000', '\\ud800', '"linux":{"seccomp":{}},', '"syscalls":[],', '"process":1,', ',', '"', '}', '{', '1',
      'e', '0', ' ', '\n', '\\u0041', '//', '[', ']', '"defaultAction":"SCMP_ACT_ALLOW",', 'true', '\u00e9', '\0', '9'.repeat(17),
    ); // prettier-ignore
    let same = 0;
    fc.assert(
      fc.property(fc.nat(COMPACT.length), fc.nat(6), pieces, (at, cut, piece) => {
        const text = COMPACT.slice(0, at) + piece + COMPACT.slice(at + cut);
        if (configSubject(text) !== configSubject(COMPACT)) return;
        same += 1;
        expect(read(text)).toEqual(base);
      }),
      { numRuns: 5000 },
    );
    expect(same).toBeGreaterThan(20);
  });
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-hot-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(process.geteuid !== undefined)('the hot tier', () => {
  const input = Buffer.from(JSON.stringify(PROFILE));
  const said = { words: '', summary: '', product: Buffer.from('the filter'), namesFile: false };
  const asked = (...more: string[]): HotRequest =>
    request('p.json', '-q', '--cache', join(folder, 'c'), ...more)!;
  const find = (what = asked(), bytes = input) => findHot(join(folder, 'c'), what, bytes.toString());
  const entries = () => readdirSync(join(folder, 'c', 'hot'));
  const entry = () => join(folder, 'c', 'hot', entries()[0]!);

  it('keeps and finds, in files of its user alone', () => {
    expect(find()).toBeUndefined();
    expect(keepHot(asked(), input, said)).toBeUndefined();
    expect(find()).toMatchObject({ product: said.product.toString('base64') });
    expect(entries()).toHaveLength(1);
    const modes = [join(folder, 'c'), join(folder, 'c', 'hot'), entry()].map(
      (path) => lstatSync(path).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o700, 0o600]);
    expect(find(asked('--force'))).toBeUndefined();
    expect(find(asked(), Buffer.concat([input, Buffer.from(' ')]))).toBeUndefined();
  });

  it('keeps nothing for an input that is no UTF-8: two of those could be read as one text', () => {
    const bad = Buffer.from('{"defaultAction":"\xff"}', 'latin1');
    keepHot(asked(), bad, said);
    keepHot(asked(), Buffer.from(bad.toString()), said);
    expect(() => entries()).toThrow('ENOENT');
  });

  it('finds a config.json by its profile, unless the words have places in them or JSON has its key', () => {
    const other = Buffer.from(JSON.stringify({ ...CONFIG, process: { args: [], env: [], cwd: '' } }));
    const config = Buffer.from(COMPACT);
    keepHot(asked(), config, said);
    expect(find(asked(), other)).toMatchObject({ product: said.product.toString('base64') });
    const loud = request('p.json', '--cache', join(folder, 'c'))!;
    keepHot(loud, config, { ...said, words: 'p.json:1:2: warning: x [X]\n', namesFile: true });
    expect(find(loud, config)).toMatchObject({ words: expect.stringContaining('warning') });
    expect(find(loud, other)).toBeUndefined();
    keepHot(asked('--json'), config, said);
    expect(find(asked('--json'), config)).toMatchObject({ product: said.product.toString('base64') });
    expect(find(asked('--json'), other)).toBeUndefined();
  });

  const REFUSED = { refused: expect.any(String) };
  it('gives nothing from a file that somebody else could have written', () => {
    keepHot(asked(), input, said);
    for (const mode of [0o620, 0o602, 0o666]) {
      chmodSync(entry(), mode);
      expect(find()).toEqual(REFUSED);
    }
    chmodSync(entry(), 0o600);
    for (const path of [join(folder, 'c', 'hot'), join(folder, 'c')])
      for (const mode of [0o770, 0o707]) {
        chmodSync(path, mode);
        expect(find()).toEqual(REFUSED);
        chmodSync(path, 0o700);
      }
    chmodSync(folder, 0o777);
    expect(find()).toEqual(REFUSED);
    chmodSync(folder, 0o1777);
    expect(find()).toMatchObject({ product: said.product.toString('base64') });
    if (process.geteuid?.() === 0) {
      for (const path of [entry(), join(folder, 'c', 'hot'), join(folder, 'c')]) {
        chownSync(path, 12345, 12345);
        expect(find()).toEqual(REFUSED);
        chownSync(path, 0, 0);
      }
    }
    expect(find()).toMatchObject({ product: said.product.toString('base64') });
  });

  it('gives nothing through a link, from a folder, or from the place of another question', () => {
    keepHot(asked(), input, said);
    const [slot] = entries();
    renameSync(entry(), join(folder, 'elsewhere'));
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'c', 'hot', slot!));
    expect(find()).toEqual(REFUSED);
    rmSync(entry());
    mkdirSync(join(folder, 'c', 'hot', slot!));
    expect(find()).toEqual(REFUSED);
    rmSync(entry(), { recursive: true });
    keepHot(asked('--force'), input, said);
    renameSync(entry(), join(folder, 'c', 'hot', slot!));
    expect(find()).toBeUndefined();
    writeFileSync(entry(), 'planted', { mode: 0o600 });
    expect(find()).toEqual(REFUSED);
    expect(keepHot(asked(), input, said)).toBe('it is damaged');
    expect(find()).toMatchObject({ product: said.product.toString('base64') });
  });

  it('writes nothing where others could', () => {
    mkdirSync(join(folder, 'c'), { mode: 0o777 });
    chmodSync(join(folder, 'c'), 0o777);
    keepHot(asked(), input, said);
    expect(entries()).toEqual([]);
  });

  it('does without where nothing can be written', () => {
    writeFileSync(join(folder, 'c'), 'a file');
    keepHot(asked(), input, said);
    expect(readFileSync(join(folder, 'c'), 'utf8')).toBe('a file');
  });

  it('lets the older half go when there are many', () => {
    for (let index = 0; index <= 512; index += 1)
      keepHot(asked(), Buffer.from(`input ${index}`), { ...said, product: Buffer.alloc(1) });
    expect(entries().length).toBe(257);
    expect(find(asked(), Buffer.from('input 512'))).toBeDefined();
    expect(find(asked(), Buffer.from('input 0'))).toBeUndefined();
  });
});
