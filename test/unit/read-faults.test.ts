import { describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { parseProfile, readProfile } from '../../src/profile/read.ts';
import { marked } from '../fixtures/profile/marked.ts';

const FILE = { file: 'p.json' };

/** A profile of one entry, with the mark in it. */
function entry(text: string): string {
  return `{"defaultAction": "SCMP_ACT_ERRNO",\r\n "syscalls": [\n  {"names": ["first"], "action": "SCMP_ACT_LOG"},\n  ${text}]}`;
}

/** An entry of one condition, with the mark in it. */
function arg(text: string): string {
  return entry(`{"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": [${text}]}`);
}

const HEAD = '"defaultAction": "SCMP_ACT_ERRNO"';

describe('a fault in a profile has its code, place and hint', () => {
  it.each([
    // actions
    ['{"defaultAction": ‸"SCMP_ACT_ALOW"}', 'UNKNOWN_ACTION', '/defaultAction', '"SCMP_ACT_ALLOW"'],
    ['{"defaultAction": ‸"allow"}', 'UNKNOWN_ACTION', '/defaultAction', '"SCMP_ACT_ALLOW"'],
    [entry('{"names": ["a"], "action": ‸"SCMP_ACT_DENY"}'), 'UNKNOWN_ACTION', '/syscalls/1/action', '"SCMP_ACT_ERRNO"'],
    [entry('{"names": ["a"], "action": ‸"SCMP_ACT_NOTFIY"}'), 'UNKNOWN_ACTION', '/syscalls/1/action', '"SCMP_ACT_NOTIFY"'],
    [entry('{"names": ["a"], "action": ‸"SCMP_ACT_XYZZY"}'), 'UNKNOWN_ACTION', '/syscalls/1/action', 'known are SCMP_ACT_KILL,'],
    [entry('{"names": ["a"], "action": ‸"SECCOMP_RET_KILL_PROCESS"}'), 'UNKNOWN_ACTION', '/syscalls/1/action', '"SCMP_ACT_KILL_PROCESS"'],
    [entry('{"names": ["a"], "action": ‸""}'), 'UNKNOWN_ACTION', '/syscalls/1/action', 'known are SCMP_ACT_KILL,'],
    [entry('{"names": ["a"], "action": ‸7}'), 'WRONG_TYPE', '/syscalls/1/action', undefined],
    [entry('‸{"names": ["a"]}'), 'MISSING_MEMBER', '/syscalls/1', undefined],
    // flags
    [`{${HEAD}, "flags": ["SECCOMP_FILTER_FLAG_LOG", ‸"TSYNC"]}`, 'UNKNOWN_FLAG', '/flags/1', '"SECCOMP_FILTER_FLAG_TSYNC"'],
    [`{${HEAD}, "flags": ‸"SECCOMP_FILTER_FLAG_LOG"}`, 'WRONG_TYPE', '/flags', undefined],
    // names
    [entry('{"names": ["a", ‸""], "action": "SCMP_ACT_ALLOW"}'), 'EMPTY_NAME', '/syscalls/1/names/1', undefined],
    [entry('{"names": ["a", ‸1], "action": "SCMP_ACT_ALLOW"}'), 'WRONG_TYPE', '/syscalls/1/names/1', undefined],
    [entry('{"names": ‸"a", "action": "SCMP_ACT_ALLOW"}'), 'WRONG_TYPE', '/syscalls/1/names', undefined],
    // conditions
    [arg('{"index": ‸6, "value": 0, "op": "SCMP_CMP_EQ"}'), 'ARG_INDEX_RANGE', '/syscalls/1/args/0/index', undefined],
    [arg('{"index": ‸-1, "value": 0, "op": "SCMP_CMP_EQ"}'), 'ARG_INDEX_RANGE', '/syscalls/1/args/0/index', undefined],
    [arg('{"index": ‸1.0, "value": 0, "op": "SCMP_CMP_EQ"}'), 'NUMBER_FORM', '/syscalls/1/args/0/index', 'write 1'],
    [arg('{"index": 0, "value": ‸1e3, "op": "SCMP_CMP_EQ"}'), 'NUMBER_FORM', '/syscalls/1/args/0/value', 'write 1000'],
    [arg('{"index": 0, "value": ‸0.5, "op": "SCMP_CMP_EQ"}'), 'NUMBER_FORM', '/syscalls/1/args/0/value', undefined],
    [arg('{"index": 0, "value": ‸18446744073709551616, "op": "SCMP_CMP_EQ"}'), 'NUMBER_RANGE', '/syscalls/1/args/0/value', undefined],
    [arg('{"index": 0, "value": ‸-1, "op": "SCMP_CMP_EQ"}'), 'NUMBER_RANGE', '/syscalls/1/args/0/value', 'as 64 bits that is 18446744073709551615'],
    [arg('{"index": 0, "value": ‸-9223372036854775808, "op": "SCMP_CMP_EQ"}'), 'NUMBER_RANGE', '/syscalls/1/args/0/value', 'as 64 bits that is 9223372036854775808'],
    [arg('{"index": 0, "value": ‸-9223372036854775809, "op": "SCMP_CMP_EQ"}'), 'NUMBER_RANGE', '/syscalls/1/args/0/value', undefined],
    [arg('{"index": 0, "value": ‸-0, "op": "SCMP_CMP_EQ"}'), 'NUMBER_RANGE', '/syscalls/1/args/0/value', 'as 64 bits that is 0'],
    [arg('{"index": 0, "value": 0, "valueTwo": ‸99999999999999999999999, "op": "SCMP_CMP_EQ"}'), 'NUMBER_RANGE', '/syscalls/1/args/0/valueTwo', undefined],
    [arg('{"index": 0, "value": ‸"16", "op": "SCMP_CMP_EQ"}'), 'WRONG_TYPE', '/syscalls/1/args/0/value', 'write 16, without quotes'],
    [arg('{"index": 0, "value": ‸"0xFFFFFFFFFFFFFFFF", "op": "SCMP_CMP_EQ"}'), 'WRONG_TYPE', '/syscalls/1/args/0/value', 'write 18446744073709551615'],
    [arg('{"index": 0, "value": ‸null, "op": "SCMP_CMP_EQ"}'), 'WRONG_TYPE', '/syscalls/1/args/0/value', undefined],
    [arg('{"index": 0, "value": 0, "op": ‸"=="}'), 'UNKNOWN_OPERATOR', '/syscalls/1/args/0/op', '"SCMP_CMP_EQ"'],
    [arg('{"index": 0, "value": 0, "op": ‸"SCMP_CMP_MASKED_EQUAL"}'), 'UNKNOWN_OPERATOR', '/syscalls/1/args/0/op', '"SCMP_CMP_MASKED_EQ"'],
    [arg('‸{"value": 0, "op": "SCMP_CMP_EQ"}'), 'MISSING_MEMBER', '/syscalls/1/args/0', undefined],
    [arg('‸{"index": 0, "op": "SCMP_CMP_EQ"}'), 'MISSING_MEMBER', '/syscalls/1/args/0', undefined],
    [arg('‸{"index": 0, "value": 0}'), 'MISSING_MEMBER', '/syscalls/1/args/0', undefined],
    [arg('‸[0, 1]'), 'WRONG_TYPE', '/syscalls/1/args/0', undefined],
    [entry('{"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": ‸{}}'), 'WRONG_TYPE', '/syscalls/1/args', undefined],
    // errno
    [entry('{"names": ["a"], "action": "SCMP_ACT_ERRNO", "errnoRet": ‸4294967296}'), 'NUMBER_RANGE', '/syscalls/1/errnoRet', undefined],
    [entry('{"names": ["a"], "action": "SCMP_ACT_ERRNO", "errnoRet": ‸-1}'), 'NUMBER_RANGE', '/syscalls/1/errnoRet', undefined],
    [entry('{"names": ["a"], "action": "SCMP_ACT_ERRNO", "errnoRet": ‸"ENOSYS"}'), 'WRONG_TYPE', '/syscalls/1/errnoRet', 'write 38,'],
    [`{${HEAD}, "defaultErrnoRet": ‸"eperm"}`, 'WRONG_TYPE', '/defaultErrnoRet', 'write 1,'],
    [`{${HEAD}, "defaultErrnoRet": ‸1e0}`, 'NUMBER_FORM', '/defaultErrnoRet', 'write 1'],
    [`{${HEAD}, "defaultErrno": ‸38}`, 'WRONG_TYPE', '/defaultErrno', 'defaultErrnoRet'],
    // the rest
    [`{${HEAD}, "architectures": ["SCMP_ARCH_X86", ‸86]}`, 'WRONG_TYPE', '/architectures/1', undefined],
    [`{${HEAD}, "archMap": [‸{"subArchitectures": []}]}`, 'MISSING_MEMBER', '/archMap/0', undefined],
    [`{${HEAD}, "listenerPath": ‸true}`, 'WRONG_TYPE', '/listenerPath', undefined],
    [`{${HEAD}, "syscalls": ‸{}}`, 'WRONG_TYPE', '/syscalls', undefined],
    [`{${HEAD}, "syscalls": [‸null]}`, 'WRONG_TYPE', '/syscalls/0', undefined],
    [entry('{"name": ‸["a"], "action": "SCMP_ACT_ALLOW"}'), 'WRONG_TYPE', '/syscalls/1/name', undefined],
    [entry('{"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": ‸[]}'), 'WRONG_TYPE', '/syscalls/1/includes', undefined],
    [entry('{"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ‸"CAP_BPF"}}'), 'WRONG_TYPE', '/syscalls/1/includes/caps', undefined],
    [entry('{"names": ["a"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": ‸4.8}}'), 'WRONG_TYPE', '/syscalls/1/excludes/minKernel', undefined],
    ['{"linux": {"seccomp": ‸[]}}', 'WRONG_TYPE', '/linux/seccomp', undefined],
    ['{"linux": {"seccomp": {"defaultAction": ‸"SCMP_ACT_KIL"}}}', 'UNKNOWN_ACTION', '/linux/seccomp/defaultAction', '"SCMP_ACT_KILL"'],
  ])('%s', (text, code, pointer, hint) => {
    const { source, position } = marked(text);
    const { diagnostics } = parseProfile(source, FILE);
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toMatchObject({ code, severity: 'error', file: 'p.json', pointer, ...position });
    if (hint === undefined) expect(diagnostics[0]).not.toHaveProperty('hint');
    else expect(diagnostics[0]!.hint).toContain(hint);
  }); // prettier-ignore
});

describe('reading', () => {
  const FAULTY = `{
    "defaultAction": "SCMP_ACT_ERRNO",
    "flags": ["LOG", "SECCOMP_FILTER_FLAG_TSYNC"],
    "syscalls": [
      { "names": ["a"], "action": "SCMP_ACT_ALOW" },
      { "names": ["b"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 9, "value": -1, "op": "SCMP_CMP_XX" }] },
      { "names": ["c"], "action": "SCMP_ACT_ALLOW" },
    ]
  }`;

  it('reports all faults of a file together, in the order of the text', () => {
    const found = parseProfile(FAULTY, FILE).diagnostics.map(({ code, line }) => `${line} ${code}`);
    expect(found).toEqual([
      '7 JSON_TRAILING_COMMA',
      '3 UNKNOWN_FLAG',
      '5 UNKNOWN_ACTION',
      '6 ARG_INDEX_RANGE',
      '6 NUMBER_RANGE',
      '6 UNKNOWN_OPERATOR',
    ]);
  });

  it('leaves what is faulty out of the partial profile, entries as a whole', () => {
    const { profile } = parseProfile(FAULTY, FILE);
    expect(profile).toMatchObject({
      dialect: 'oci',
      seccomp: {
        flags: ['SECCOMP_FILTER_FLAG_TSYNC'],
        syscalls: [{ names: ['c'], pointer: '/syscalls/2' }],
      },
    });
  });

  it('gives no profile without a usable default action, lest later stages judge another one', () => {
    expect(parseProfile('{"defaultAction": "DENY", "syscalls": []}', FILE).profile).toBeUndefined();
  });

  it('throws all of it at once when asked for a whole profile', () => {
    const error = (() => {
      try {
        return readProfile(FAULTY, FILE);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(SeccompcError);
    expect(error).toMatchObject({ exitCode: 65 });
    expect((error as SeccompcError).diagnostics).toHaveLength(6);
  });

  it.each([
    ['nothing', '{"syscalls": []}'],
    ['null', '{"defaultAction": null}'],
    ['an empty string', '{"defaultAction": "", "syscalls": null}'],
  ])('leaves %s as default action to the policy stage', (_, text) => {
    const { profile, diagnostics } = parseProfile(text, FILE);
    expect(diagnostics).toEqual([]);
    expect(profile).toMatchObject({ dialect: 'oci', seccomp: { defaultAction: undefined, syscalls: [] } });
  });

  it.each(['', ', "names": null'])('leaves absent names to the policy stage: %j', (names) => {
    const text = `{${HEAD}, "syscalls": [{"action": "SCMP_ACT_ALLOW"${names}}]}`;
    const { profile, diagnostics } = parseProfile(text, FILE);
    expect(diagnostics).toEqual([]);
    expect(profile).toMatchObject({ seccomp: { syscalls: [{ names: undefined, args: [] }] } });
  });

  it('takes null for every optional member', () => {
    const text = `{"$schema": null, ${HEAD}, "defaultErrnoRet": null, "architectures": null, "flags": null,
      "listenerPath": null, "listenerMetadata": null, "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW",
      "errnoRet": null, "args": [{"index": 0, "value": 1, "valueTwo": null, "op": "SCMP_CMP_EQ"}]}]}`;
    const { profile, diagnostics } = parseProfile(text, FILE);
    expect(diagnostics).toEqual([]);
    expect(profile).toMatchObject({ dialect: 'oci' });
    expect(profile).toHaveProperty('seccomp', {
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: [],
      flags: undefined,
      syscalls: [
        {
          names: ['a'],
          action: 'SCMP_ACT_ALLOW',
          args: [{ index: 0, value: 1n, valueTwo: 0n, op: 'SCMP_CMP_EQ' }],
          pointer: '/syscalls/0',
        },
      ],
      pointer: '',
    });
  });

  it('keeps an empty list of flags apart from an absent one, and errno 0 from none', () => {
    const text = `{${HEAD}, "defaultErrnoRet": 0, "flags": []}`;
    expect(readProfile(text, FILE)).toMatchObject({ seccomp: { defaultErrnoRet: 0, flags: [] } });
    expect(readProfile(`{${HEAD}}`, FILE)).not.toHaveProperty('seccomp.defaultErrnoRet');
  });

  it('finds the place of a pointer that a later stage reports, or of what is nearest', () => {
    const profile = readProfile(
      `{${HEAD},\n "syscalls": [{"action": "SCMP_ACT_LOG",\n  "names": ["a"]}]}`,
      FILE,
    );
    expect(profile.locate('/syscalls/0/names/0')).toEqual({ line: 3, column: 13 });
    expect(profile.locate('/syscalls/0/args/3')).toEqual({ line: 2, column: 15 });
    expect(profile.locate('')).toEqual({ line: 1, column: 1 });
  });
});
