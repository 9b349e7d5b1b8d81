import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FILTER_ANNOTATION, readConfig, withAnnotation, withoutAnnotation } from '../../src/oci/config.ts';
import { SeccompcError } from '../../src/errors.ts';

const bytes = (text: string) => Buffer.from(text);
const annotated = (text: string, value = 'AAAA') => withAnnotation(readConfig(bytes(text), 'c'), value);
const cleaned = (text: string) => withoutAnnotation(readConfig(bytes(text), 'c'));

const hasNul = (value: unknown) => JSON.stringify(value).includes('\\u0000');

const LINUX = '"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}';

describe('the annotation in a text', () => {
  it.each([
    ['none, one line', `{"ociVersion":"1",${LINUX}}`, `{"annotations":{"${FILTER_ANNOTATION}":"AAAA"},"ociVersion":"1",${LINUX}}`],
    ['an empty object', `{"annotations":{},${LINUX}}`, `{"annotations":{"${FILTER_ANNOTATION}":"AAAA"},${LINUX}}`],
    ['null', `{"annotations":null,${LINUX}}`, `{"annotations":{"${FILTER_ANNOTATION}":"AAAA"},${LINUX}}`],
    ['others', `{"annotations":{"a":"b"},${LINUX}}`, `{"annotations":{"${FILTER_ANNOTATION}":"AAAA","a":"b"},${LINUX}}`],
    [
      'others, indented',
      `{\n  ${LINUX},\n  "annotations": {\n    "a": "b"\n  }\n}\n`,
      `{\n  ${LINUX},\n  "annotations": {\n    "${FILTER_ANNOTATION}": "AAAA",\n    "a": "b"\n  }\n}\n`,
    ],
    ['an older one', `{"annotations":{"${FILTER_ANNOTATION}" : "BB==" ,"x":"y"},${LINUX}}`, `{"annotations":{"${FILTER_ANNOTATION}" : "AAAA" ,"x":"y"},${LINUX}}`],
    ['one with escapes in its key', `{"annotations":{"run.oci.seccomp\\u005fbpf_data":"B\\"B"},${LINUX}}`, `{"annotations":{"run.oci.seccomp\\u005fbpf_data":"AAAA"},${LINUX}}`],
    ['one that is no string', `{"annotations":{"${FILTER_ANNOTATION}":[{}, 1]},${LINUX}}`, `{"annotations":{"${FILTER_ANNOTATION}":"AAAA"},${LINUX}}`],
  ])('is put where there was %s', (_, before, after) => {
    expect(annotated(before)).toBe(after);
  }); // prettier-ignore

  it('leaves every other byte alone: exact numbers, odd layout, escapes', () => {
    const text =
      `{ "process" :{"rlimits":[{"hard":18446744073709551615}], "a":1e5},\r\n\t"hostname":"\u{1f600}\ufeff` +
      `", "annotations" : {"ä":"\\u00e9"} , ${LINUX}}  \n`;
    const output = annotated(text);
    const at = output.indexOf(`"${FILTER_ANNOTATION}"`);
    const length = `"${FILTER_ANNOTATION}":"AAAA",`.length;
    expect(output.slice(0, at) + output.slice(at + length)).toBe(text);
    expect(cleaned(output)).toBe(text);
  });

  it('is removed from every position', () => {
    const member = `"${FILTER_ANNOTATION}": "QUJD"`;
    expect(cleaned(`{"linux":{},"annotations":{"a":"b", ${member}}}`)).toBe(
      '{"linux":{},"annotations":{"a":"b"}}',
    );
    expect(cleaned(`{"linux":{},"annotations":{"a":"b", ${member}, "c":"d"}}`)).toBe(
      '{"linux":{},"annotations":{"a":"b", "c":"d"}}',
    );
    expect(cleaned(`{"linux":{},"annotations":{\n  ${member}\n}}`)).toBe('{"linux":{},"annotations":{}}');
    expect(cleaned('{"linux":{},"annotations":{"a":"b"}}')).toBe('{"linux":{},"annotations":{"a":"b"}}');
    expect(cleaned('{"linux":{}}')).toBe('{"linux":{}}');
  });

  it('comes and goes without a trace, in any configuration and layout', () => {
    const string = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    const key = string.filter((text) => text !== FILTER_ANNOTATION && text !== '__proto__');
    const annotations = fc.option(fc.dictionary(key, string), { nil: undefined });
    const value = fc.jsonValue({ stringUnit: 'grapheme' }).filter((any) => !hasNul(any));
    const layout = fc.constantFrom('', ' ', '\t', '    ');
    fc.assert(
      fc.property(annotations, value, layout, fc.boolean(), (given, other, space, first) => {
        const members = {
          ...(first ? { other } : {}),
          annotations: given,
          ociVersion: '1.0.2',
          other,
          linux: {},
        };
        const text = JSON.stringify(members, null, space);
        const withIt = annotated(text, 'QUJD');
        const document = JSON.parse(text);
        expect(JSON.parse(withIt)).toEqual({
          ...document,
          annotations: { ...document.annotations, [FILTER_ANNOTATION]: 'QUJD' },
        });
        expect(annotated(withIt, 'QUJD')).toBe(withIt);
        // An empty object that stood first is the one that cannot be told from one that was made.
        if (first || given === undefined || Object.keys(given).length > 0) expect(cleaned(withIt)).toBe(text);
      }),
    );
  });
});

describe('a configuration', () => {
  it('has its profile found as it is written', () => {
    const profile = '{ "defaultAction":"SCMP_ACT_ALLOW",\n"syscalls" : [ ] }';
    const text = `{"hostname":"é","linux":{"x":"}","seccomp": ${profile}},"ociVersion":"1"}`;
    const { seccomp } = readConfig(bytes(text), 'c');
    expect(text.slice(seccomp?.offset, seccomp?.end)).toBe(profile);
    expect(seccomp?.offset).toBe(text.indexOf(profile));
    expect(readConfig(bytes('{"linux":{"seccomp":null}}'), 'c').seccomp).toBeUndefined();
    expect(readConfig(bytes('{"ociVersion":"1","seccomp":{}}'), 'c').seccomp).toBeUndefined();
  });

  it.each([
    ['[]', 'NOT_A_CONFIG'],
    ['{}', 'NOT_A_CONFIG'],
    ['{"defaultAction":"SCMP_ACT_ALLOW"}', 'NOT_A_CONFIG'],
    ['{"ociVersion":"1","annotations":[]}', 'NOT_A_CONFIG'],
    ['{"ociVersion":"1"', 'JSON_SYNTAX'],
    ['', 'JSON_SYNTAX'],
    ['{"ociVersion":"1","annotations":{},"annotations":{}}', 'JSON_DUPLICATE_KEY'],
    [
      `{"linux":{},"annotations":{"${FILTER_ANNOTATION}":"","${FILTER_ANNOTATION}":""}}`,
      'JSON_DUPLICATE_KEY',
    ],
    ['{"linux":{},"linux":{}}', 'JSON_DUPLICATE_KEY'],
  ])('%s is refused', (text, code) => {
    let thrown: unknown;
    try {
      readConfig(bytes(text), 'c.json');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SeccompcError);
    expect((thrown as SeccompcError).diagnostics).toEqual([
      expect.objectContaining({ code, file: 'c.json' }),
    ]);
  });
});
