import * as fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { filterOf, readInputAlias, readLoweredAlias, readProgram, writeInputAlias, writeLoweredAlias } from '../../src/cache/records/alias.ts'; // prettier-ignore
import type { Expectation } from '../../src/cache/records/alias.ts';
import { readObject, writeObject } from '../../src/cache/records/object.ts';
import { readKeys } from '../../src/signature.ts';
import type { Signer } from '../../src/signature.ts';
import { convertedLength } from '../../src/bpf/check.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import type { Filter } from '../../src/compile.ts';
import { diagnostic } from '../../src/errors.ts';
import { runs } from '../runs.ts';

const KEY = 'a1'.repeat(32);
const OTHER_KEY = 'b2'.repeat(32);
const EXPECTED: Expectation = { proved: false, arch: 'X86_64' };

const INSTRUCTIONS: SockFilter[] = [
  { code: 0x20, jt: 0, jf: 0, k: 4 },
  { code: 0x15, jt: 0, jf: 1, k: 0xc000003e },
  { code: 0x06, jt: 0, jf: 0, k: 0x7fff0000 },
  { code: 0x06, jt: 0, jf: 0, k: 0 },
];

function filterWith(instructions: SockFilter[], changes: Partial<Filter> = {}): Filter {
  return {
    instructions,
    bytes: encode(instructions, 'little'),
    convertedLength: convertedLength(instructions),
    endian: 'little',
    arches: ['X86_64'],
    confined: true,
    flags: ['SECCOMP_FILTER_FLAG_LOG'],
    listenerPath: '/run/listener.sock',
    target: {
      arch: 'X86_64',
      architectures: ['X86_64'],
      capabilities: ['CAP_CHOWN'],
      kernel: { major: 6, minor: 1 },
      engine: 'moby',
      semantics: 'crun',
      enosysStub: false,
      enosysAfter: { major: 5, minor: 4 },
      overlap: 'warn',
      failUnknown: false,
      force: false,
    },
    proved: true,
    diagnostics: [{ ...diagnostic('UNKNOWN_SYSCALL', { name: 'x' }), file: 'p.json', line: 3, column: 7 }],
    ...changes,
  };
}

const FILTER = filterWith(INSTRUCTIONS);
const TEXT = aliasOf(FILTER)!;

/**
 * The text of an alias that somebody made with all the means of this build: key and checksum are
 * right.
 */
function aliasOf(filter: Filter, signer?: Signer, key = KEY): string | undefined {
  const object = writeObject(filter.bytes).digest;
  return writeInputAlias(key, { filter, file: 'p.json', object }, signer);
}

function planted(changes: Partial<Filter>): string {
  return aliasOf(filterWith(INSTRUCTIONS, changes))!;
}

/** The filter that comes back of an alias and its program. */
function restored(text: string, bytes: Uint8Array, file = 'p.json'): Filter | { refused: string } {
  const read = readInputAlias(text, KEY, EXPECTED);
  return 'refused' in read ? read : filterOf(read.alias, bytes, file);
}

function refusal(text: string, changes: Partial<Expectation & { key: string }> = {}): string {
  const { key = KEY, ...expected } = changes;
  const read = readInputAlias(text, key, { ...EXPECTED, ...expected });
  return 'refused' in read ? read.refused : 'accepted';
}

describe('an alias and its program', () => {
  it('give the filter back as it was', () => {
    expect(restored(TEXT, FILTER.bytes)).toEqual(FILTER);
  });

  it('give the filter of another file with that name in its diagnostics', () => {
    expect(TEXT).not.toContain('p.json');
    const found = restored(TEXT, FILTER.bytes, 'q.json');
    expect(found).toEqual({ ...FILTER, diagnostics: [{ ...FILTER.diagnostics[0]!, file: 'q.json' }] });
  });

  it('tell absent members from empty ones', () => {
    const { listenerPath: _, ...rest } = FILTER;
    for (const filter of [
      { ...rest, flags: undefined },
      { ...rest, flags: [] },
    ])
      expect(restored(aliasOf(filter)!, filter.bytes)).toStrictEqual(filter);
  });

  it('are not written where they would come back different', () => {
    const object = writeObject(FILTER.bytes).digest;
    expect(writeInputAlias(KEY, { filter: FILTER, file: 'q.json', object })).toBeUndefined();
  });

  it('can be those of a profile without a filter', () => {
    const nothing = filterWith([], { convertedLength: 0, confined: false, arches: [], proved: false });
    const text = aliasOf(nothing)!;
    expect(restored(text, new Uint8Array())).toEqual(nothing);
    // There is no program that a proof could be of.
    expect(refusal(text, { proved: true })).toBe('accepted');
  });
});

describe('an alias is refused', () => {
  it('under another key, however it got there', () => {
    expect(refusal(TEXT, { key: OTHER_KEY })).toBe('it belongs to another key');
    const relabelled = TEXT.replace(KEY, OTHER_KEY);
    expect(refusal(relabelled, { key: OTHER_KEY })).toBe('its checksum is wrong');
  });

  it('of another format', () => {
    expect(refusal(TEXT.replace('"format":2', '"format":1'))).toBe('it has another format');
  });

  it('cut off anywhere', () => {
    const lengths = Array.from({ length: TEXT.length }, (_, length) => length);
    expect(lengths.filter((length) => refusal(TEXT.slice(0, length)) === 'accepted')).toEqual([]);
  });

  it('with any bit flipped', () => {
    const bytes = Buffer.from(TEXT);
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const damaged = Buffer.from(bytes);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        expect(refusal(damaged.toString('utf8'))).not.toBe('accepted');
      }),
      { numRuns: runs(1000, 3000) },
    );
  });

  it('that is other JSON', () => {
    const texts = ['', 'null', '[]', '0', '{}', '"x"', `{"format":2,"key":"${KEY}"}`];
    expect(texts.filter((text) => refusal(text) === 'accepted')).toEqual([]);
  });

  it('without a proof where one is required', () => {
    const unproved = planted({ proved: false });
    expect(refusal(unproved)).toBe('accepted');
    expect(refusal(unproved, { proved: true })).toBe('its program is not proved');
    expect(refusal(TEXT, { proved: true })).toBe('accepted');
  });

  it('for another architecture', () => {
    expect(refusal(planted({ endian: 'big' }))).toBe('its program is for another architecture');
    expect(refusal(TEXT, { arch: 'X86' })).toBe('its program is for another architecture');
  });

  it('if any member has another type', () => {
    const wrong: Record<string, unknown> = {
      endian: 'middle',
      arches: ['PDP11'],
      flags: ['NO_SUCH_FLAG'],
      listenerPath: 7,
      target: null,
      proved: 'yes',
    };
    const refusals = Object.entries(wrong).map(([member, value]) => refusal(planted({ [member]: value })));
    expect(new Set(refusals)).toEqual(new Set(['its content is not that of a filter']));
    const failed = { ...diagnostic('UNKNOWN_SYSCALL', { name: 'x' }), severity: 'error' as const };
    expect(refusal(planted({ diagnostics: [failed] }))).toBe('its content is not that of a filter');
    const elsewhere = writeInputAlias(KEY, { filter: FILTER, file: 'p.json', object: '../../etc/passwd' });
    expect(refusal(elsewhere!)).toBe('its content is not that of a filter');
  });

  it('of a meaning, where it is that of an input, and the other way round', () => {
    const { digest } = writeObject(FILTER.bytes);
    const meaning = writeLoweredAlias(KEY, { object: digest, proved: true });
    expect(readLoweredAlias(meaning, KEY)).toEqual({
      alias: { object: digest, proved: true },
      signed: false,
    });
    expect(refusal(meaning)).toBe('its content is not that of a filter');
    expect(readLoweredAlias(meaning, OTHER_KEY)).toEqual({ refused: 'it belongs to another key' });
    const wrong = writeLoweredAlias(KEY, { object: 'nothing', proved: true });
    expect(readLoweredAlias(wrong, KEY)).toEqual({ refused: 'its content is not that of a lowered profile' });
  });
});

describe('a program', () => {
  const { digest, text } = writeObject(FILTER.bytes);

  it('comes back under its digest, and under no other', () => {
    expect(readObject(text, digest)).toEqual(FILTER.bytes);
    expect(readObject(text, OTHER_KEY)).toEqual({ refused: 'its program is not the one that it names' });
  });

  it('is refused cut off anywhere, and with any bit flipped', () => {
    const lengths = Array.from({ length: text.length }, (_, length) => length);
    expect(lengths.filter((length) => !('refused' in readObject(text.slice(0, length), digest)))).toEqual([]);
    for (let bit = 0; bit < text.length * 8; bit += 1) {
      const damaged = Buffer.from(text);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(readObject(damaged.toString('latin1'), digest)).toHaveProperty('refused');
    }
  });

  it('is refused if the kernel would not take it', () => {
    const backwards = INSTRUCTIONS.slice(0, 2);
    const unknown = [{ code: 0x94, jt: 0, jf: 0, k: 3 }, ...INSTRUCTIONS];
    const { alias } = readInputAlias(TEXT, KEY, EXPECTED) as { alias: Parameters<typeof filterOf>[0] };
    for (const instructions of [backwards, unknown]) {
      const bytes = encode(instructions, 'little');
      const refused = 'its program is not one that the kernel would take';
      expect(readProgram(bytes, 'little')).toEqual({ refused });
      expect(filterOf(alias, bytes, 'p.json')).toEqual({ refused });
    }
    for (const bytes of [new Uint8Array(), FILTER.bytes.subarray(0, 12)])
      expect(filterOf(alias, bytes, 'p.json')).toEqual({ refused: 'its program is damaged' });
  });
});

describe('a signature', () => {
  const own = keyPair();
  const strange = keyPair();
  const trusted = readKeys({ trust: [own.trust] }).trusted!;
  const { signer } = readKeys({ sign: own.sign });

  const verdictOn = (text: string) => {
    const read = readInputAlias(text, KEY, EXPECTED, trusted);
    return 'refused' in read ? read.refused : read.signed;
  };

  it('of a trusted key is believed, and none is believed that is not there, or of a stranger', () => {
    expect(verdictOn(aliasOf(FILTER, signer)!)).toBe(true);
    expect(verdictOn(TEXT)).toBe(false);
    expect(verdictOn(aliasOf(FILTER, readKeys({ sign: strange.sign }).signer)!)).toBe(false);
  });

  it('that was made for another key or another content is refused', () => {
    const signatureOf = (text: string) => (JSON.parse(text) as { signature: object }).signature;
    const withSignature = (text: string, signature: unknown) =>
      JSON.stringify({ ...(JSON.parse(text) as object), signature });
    const others = [
      aliasOf(FILTER, signer, OTHER_KEY)!,
      aliasOf(filterWith(INSTRUCTIONS, { proved: false }), signer)!,
    ];
    for (const other of others)
      expect(verdictOn(withSignature(TEXT, signatureOf(other)))).toBe('its signature is wrong');
    const good = signatureOf(aliasOf(FILTER, signer)!);
    expect(verdictOn(withSignature(TEXT, { ...good, value: '' }))).toBe('its signature is wrong');
    for (const odd of [null, 'x', {}, { by: 7, value: 7 }])
      expect(verdictOn(withSignature(TEXT, odd))).toBe('its signature is damaged');
  });

  it('is not asked for where nobody is trusted', () => {
    expect(readInputAlias(aliasOf(FILTER, signer)!, KEY, EXPECTED)).toMatchObject({ signed: false });
  });

  it('is made with Ed25519 keys only, and checked with these and P-256 keys, each in its place', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const [p256, p384] = ['P-256', 'P-384'].map((namedCurve) => generateKeyPairSync('ec', { namedCurve }));
    const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
    expect(readKeys({ trust: [pem(p256!.publicKey)] }).trusted!.all).toHaveLength(1);
    const bad = ['', 'no key', own.sign, pem(rsa.publicKey), pem(p384!.publicKey)];
    for (const trust of bad) expect(() => readKeys({ trust: [trust] })).toThrow(TypeError);
    const badOwn = ['', own.trust, rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()];
    for (const sign of badOwn) expect(() => readKeys({ sign })).toThrow(TypeError);
    const both = readKeys({ trust: [own.trust + strange.trust] }).trusted!;
    expect(
      readInputAlias(aliasOf(FILTER, readKeys({ sign: strange.sign }).signer)!, KEY, EXPECTED, both),
    ).toMatchObject({
      signed: true,
    });
  });
});

function keyPair(): { sign: string; trust: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    sign: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    trust: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}
