import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEntry, writeEntry } from '../../src/cache/entry.ts';
import type { Expectation } from '../../src/cache/entry.ts';
import { convertedLength } from '../../src/bpf/check.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import type { Filter } from '../../src/compile.ts';
import { diagnostic } from '../../src/errors.ts';

const KEY = 'a1'.repeat(32);
const OTHER_KEY = 'b2'.repeat(32);
const EXPECTED: Expectation = { key: KEY, file: 'p.json', proved: false, arch: 'X86_64' };

const INSTRUCTIONS: SockFilter[] = [
  { code: 0x20, jt: 0, jf: 0, k: 4 },
  { code: 0x15, jt: 0, jf: 1, k: 0xc000003e },
  { code: 0x06, jt: 0, jf: 0, k: 0x7fff0000 },
  { code: 0x06, jt: 0, jf: 0, k: 0 },
];

function filterOf(instructions: SockFilter[], changes: Partial<Filter> = {}): Filter {
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

const FILTER = filterOf(INSTRUCTIONS);
const TEXT = writeEntry(FILTER, KEY, 'p.json')!;

function refusal(text: string, changes: Partial<Expectation> = {}): string {
  const found = readEntry(text, { ...EXPECTED, ...changes });
  return 'refused' in found ? found.refused : 'accepted';
}

/** The text of an entry that somebody made with all the means of this build: key and checksum are right. */
function planted(changes: Partial<Filter>): string {
  return writeEntry(filterOf(INSTRUCTIONS, changes), KEY, 'p.json')!;
}

describe('an entry', () => {
  it('gives the filter back as it was', () => {
    expect(readEntry(TEXT, EXPECTED)).toEqual(FILTER);
  });

  it('gives the filter of another file with that name in its diagnostics', () => {
    expect(TEXT).not.toContain('p.json');
    const found = readEntry(TEXT, { ...EXPECTED, file: 'q.json' });
    expect(found).toEqual({ ...FILTER, diagnostics: [{ ...FILTER.diagnostics[0]!, file: 'q.json' }] });
  });

  it('tells absent members from empty ones', () => {
    const { listenerPath: _, ...rest } = FILTER;
    for (const filter of [
      { ...rest, flags: undefined },
      { ...rest, flags: [] },
    ])
      expect(readEntry(writeEntry(filter, KEY, 'p.json')!, EXPECTED)).toStrictEqual(filter);
  });

  it('is not written where it would come back different', () => {
    expect(writeEntry(FILTER, KEY, 'q.json')).toBeUndefined();
  });

  it('of a profile without a filter is one too', () => {
    const nothing = filterOf([], { convertedLength: 0, confined: false, arches: [], proved: false });
    const text = writeEntry(nothing, KEY, 'p.json')!;
    expect(readEntry(text, EXPECTED)).toEqual(nothing);
    // There is no program that a proof could be of.
    expect(refusal(text, { proved: true })).toBe('accepted');
  });
});

describe('an entry is refused', () => {
  it('under another key, however it got there', () => {
    expect(refusal(TEXT, { key: OTHER_KEY })).toBe('it belongs to another key');
    const relabelled = TEXT.replace(KEY, OTHER_KEY);
    expect(refusal(relabelled, { key: OTHER_KEY })).toBe('its checksum is wrong');
  });

  it('of another format', () => {
    expect(refusal(TEXT.replace('"format":1', '"format":0'))).toBe('it has another format');
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
      { numRuns: 3000 },
    );
  });

  it('that is other JSON', () => {
    const texts = ['', 'null', '[]', '0', '{}', '"x"', `{"format":1,"key":"${KEY}"}`];
    expect(texts.filter((text) => refusal(text) === 'accepted')).toEqual([]);
  });

  it('without a proof where one is required', () => {
    const unproved = planted({ proved: false });
    expect(refusal(unproved)).toBe('accepted');
    expect(refusal(unproved, { proved: true })).toBe('its program is not proved');
    expect(refusal(TEXT, { proved: true })).toBe('accepted');
  });
});

describe('an entry with a right checksum is refused', () => {
  const BACKWARDS = INSTRUCTIONS.slice(0, 2);
  const UNKNOWN = [{ code: 0x94, jt: 0, jf: 0, k: 3 }, ...INSTRUCTIONS];

  it('if the kernel would not take its program', () => {
    for (const instructions of [BACKWARDS, UNKNOWN, []])
      expect(refusal(writeEntry(filterOf(instructions), KEY, 'p.json')!)).toBe(
        'its program is not one that the kernel would take',
      );
  });

  it('if it says unconfined and still has a program', () => {
    expect(refusal(planted({ confined: false }))).toBe('its program is not one that the kernel would take');
  });

  it('if its counts or its architecture are wrong', () => {
    expect(refusal(planted({ convertedLength: 3 }))).toBe('its counts are wrong');
    const bigEndian = planted({ endian: 'big', bytes: encode(INSTRUCTIONS, 'big') });
    expect(refusal(bigEndian)).toBe('its program is for another architecture');
    expect(refusal(TEXT, { arch: 'X86' })).toBe('its program is for another architecture');
  });

  it('if its bytes are no program', () => {
    expect(refusal(planted({ bytes: FILTER.bytes.subarray(0, 12) }))).toBe('its program is damaged');
  });

  it('if any member has another type', () => {
    const wrong: Record<string, unknown> = {
      convertedLength: '9',
      endian: 'middle',
      arches: ['PDP11'],
      confined: 1,
      flags: ['NO_SUCH_FLAG'],
      listenerPath: 7,
      target: null,
      proved: 'yes',
    };
    const refusals = Object.entries(wrong).map(([member, value]) => refusal(planted({ [member]: value })));
    expect(new Set(refusals)).toEqual(new Set(['its content is not that of a filter']));
    const failed = { ...diagnostic('UNKNOWN_SYSCALL', { name: 'x' }), severity: 'error' as const };
    expect(refusal(planted({ diagnostics: [failed] }))).toBe('its content is not that of a filter');
  });
});
