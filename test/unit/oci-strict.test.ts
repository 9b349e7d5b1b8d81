/**
 * Configurations that some runtime reads differently, against every command that reads one for a
 * runtime.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { doBundle } from '../../src/oci/bundle.ts';
import { makeConfigCompiler } from '../../src/oci/compiler.ts';
import { doCrunCache } from '../../src/oci/crun/crun-cache.ts';
import { precreate } from '../../src/oci/store/precreate.ts';
import { checkStart, readState } from '../../src/oci/hook/start-check.ts';
import { compile } from '../../src/compile.ts';
import { encodeBase64 } from '../../src/format/text.ts';
import { makeTarget } from '../../src/target.ts';

const KEY = 'run.oci.seccomp_bpf_data';
const target = makeTarget({ arch: 'X86_64' });
const profile = (errno: number, name = 'mkdir') =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["${name}"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
const STRICT = profile(28);
const WEAK = '{"defaultAction":"SCMP_ACT_ALLOW"}';
const filterOf = async (text: string) =>
  encodeBase64((await compile(`{"linux":{"seccomp":${text}}}`, { target })).bytes);
const RIGHT = await filterOf(STRICT);
const FOREIGN = await filterOf(WEAK);

interface Parts {
  head?: string;
  annotations?: string;
  linux?: string;
  seccomp?: string;
  tail?: string;
}
const configOf = ({ head = '', annotations = '', linux = '', seccomp = STRICT, tail = '' }: Parts) =>
  `{${head}"ociVersion":"1.0.2","annotations":{"a":"b"${annotations}},"linux":{${linux}"seccomp":${seccomp}}${tail}}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-unit-'));
  mkdirSync(join(folder, 'cache'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What each command says: codes of errors, or what it did. */
async function askAll(document: string | Uint8Array) {
  const file = join(folder, 'config.json');
  const write = () => writeFileSync(file, document);
  write();
  const compiler = makeConfigCompiler({ target }, async () => undefined);
  const codes = (diagnostics: readonly { code: string; severity: string }[]) =>
    diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
  const state = { ociVersion: '1.0.2', id: 'x', status: 'creating', pid: 2, bundle: folder, annotations: {} };
  const check = await checkStart(readState(Buffer.from(JSON.stringify(state))), {
    listeners: [],
    target,
    requireAnnotation: false,
  }).then(codes, (error: unknown) =>
    error instanceof SeccompcError ? codes(error.diagnostics) : [String(error)],
  );
  const bundle = await doBundle(folder, 'write', { compiler, target, allowUnconfined: false });
  const untouched = Buffer.from(document).equals(readFileSync(file));
  write();
  const checked = await doBundle(folder, 'check', { compiler, target, allowUnconfined: false });
  const removed = await doBundle(folder, 'remove', { compiler, target, allowUnconfined: false });
  write();
  const hook = await precreate(Buffer.from(document), () => compiler, { foreign: 'replace', strict: false });
  const cache = await doCrunCache(folder, 'warm', {
    cache: { folder: join(folder, 'cache'), build: { version: '1.28', libseccomp: [2, 6, 0] } },
    compiler,
    target,
    allowUnconfined: false,
  });
  return {
    check,
    bundle: bundle.status,
    untouched,
    checked: checked.status,
    removed: removed.status,
    hook: hook.output === undefined ? codes(hook.diagnostics) : Buffer.from(hook.output).toString(),
    cache: cache.status,
  };
}

describe('a configuration that all runtimes read alike', () => {
  it.each([
    ['escapes', configOf({}).replace('"linux"', '"\\u006cinux"').replace('mkdir"', '\\u006d\\u006b\\u0064ir"')],
    ['odd layout', configOf({}).replaceAll(/[,:]/g, '\r\n\t$& ')],
    ['numbers out of any range where none is read', configOf({ tail: `,"x":[1e400,-0,18446744073709551616,${'9'.repeat(400)}]` })],
    ['keys of other objects in another case', configOf({ tail: ',"process":{"Linux":1,"Seccomp":{}}', annotations: ',"A":"B","Names":"x"' })],
    ['a key that only looks the same', configOf({ linux: '"\uff53eccomp":1,"seccomp ":2,', tail: ',"l\u0131nux":null' })],
    ['99 levels', configOf({ tail: `,"x":${'['.repeat(99)}${']'.repeat(99)}` })],
  ])('is accepted: %s', async (_, text) => {
    expect(await askAll(text)).toMatchObject({
      check: [],
      bundle: 'written',
      checked: 'missing',
      hook: expect.stringContaining(`"${RIGHT}"`),
      cache: expect.stringMatching(/^(written|cached)$/),
    });
  }); // prettier-ignore
});

describe('a configuration that some runtime reads differently', () => {
  const nul = (key: string) => `"${key}\\u0000"`;
  it.each([
    // NUL: crun stops reading there.
    ['JSON_NUL', 'linux with a NUL, first', configOf({ head: `${nul('linux')}:{"seccomp":null},` })],
    ['JSON_NUL', 'linux and annotations with a NUL, and the right annotation', configOf({ head: `"annotations\\u0000":{},${nul('linux')}:{},`, annotations: `,"${KEY}":"${RIGHT}"` })],
    ['JSON_NUL', 'seccomp with a NUL, first', configOf({ linux: `${nul('seccomp')}:${WEAK},` })],
    ['JSON_NUL', 'seccomp with a NUL and more, last', configOf({}).replace(/\}\}$/, `,"seccomp\\u0000x":${WEAK}}}`)],
    ['JSON_NUL', 'defaultAction with a NUL', configOf({ seccomp: STRICT.replace('{', `{${nul('defaultAction')}:"SCMP_ACT_LOG",`) })],
    ['JSON_NUL', 'names with a NUL', configOf({ seccomp: STRICT.replace('"names"', `${nul('names')}:["rmdir"],"names"`) })],
    ['JSON_NUL', 'a name with a NUL', configOf({ seccomp: profile(28, 'mkdir\\u0000') })],
    ['JSON_NUL', 'an action with a NUL', configOf({ seccomp: STRICT.replace('SCMP_ACT_ERRNO', 'SCMP_ACT_ERRNO\\u0000') })],
    ['JSON_NUL', 'the annotation with a NUL in its key', configOf({ annotations: `,"${KEY}\\u0000":"${FOREIGN}"` })],
    ['JSON_NUL', 'the annotation with a NUL in its value', configOf({ annotations: `,"${KEY}":"${RIGHT}\\u0000"` })],
    ['JSON_NUL', 'an unescaped NUL in a key', configOf({ linux: `"seccomp\0":${WEAK},` })],
    ['JSON_NUL', 'a NUL where nobody looks', configOf({ tail: ',"hostname":"a\\u0000"' })],
    // Case: runc ignores it.
    ['CONFIG_KEY_CASE', 'linux in another case', configOf({ tail: ',"Linux":{"seccomp":null}' })],
    ['CONFIG_KEY_CASE', 'seccomp in another case', configOf({ linux: `"SECCOMP":${WEAK},` })],
    ['CONFIG_KEY_CASE', 'seccomp with a long s', configOf({ linux: `"\u017feccomp":${WEAK},` })],
    ['CONFIG_KEY_CASE', 'seccomp with an escaped long s', configOf({ linux: `"\\u017feccomp":${WEAK},` })],
    ['CONFIG_KEY_CASE', 'annotations in another case', configOf({ tail: `,"Annotations":{"${KEY}":"${FOREIGN}"}` })],
    ['CONFIG_KEY_CASE', 'args in another case', configOf({ seccomp: STRICT.replace('28', '28,"Args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]') })],
    ['CONFIG_KEY_CASE', 'names in another case', configOf({ seccomp: STRICT.replace('"names"', '"NAMES":["rmdir"],"names"') })],
    ['CONFIG_KEY_CASE', 'the key of a condition in another case', configOf({ seccomp: STRICT.replace('28', '28,"args":[{"index":0,"value":1,"Value":2,"op":"SCMP_CMP_EQ"}]') })],
    ['CONFIG_KEY_CASE', 'a key in another case alone', configOf({ seccomp: STRICT.replace('errnoRet', 'errnoret') })],
    // Duplicates: some read the first, some the last.
    ['JSON_DUPLICATE_KEY', 'linux twice', configOf({ tail: ',"linux":{}' })],
    ['JSON_DUPLICATE_KEY', 'seccomp twice', configOf({ linux: `"seccomp":${WEAK},` })],
    ['JSON_DUPLICATE_KEY', 'seccomp twice, escaped', configOf({ linux: `"\\u0073eccomp":${WEAK},` })],
    ['JSON_DUPLICATE_KEY', 'annotations twice', configOf({ tail: `,"annotations":{"${KEY}":"${FOREIGN}"}` })],
    ['JSON_DUPLICATE_KEY', 'the annotation twice', configOf({ annotations: `,"${KEY}":"${RIGHT}","${KEY}":"${FOREIGN}"` })],
    ['JSON_DUPLICATE_KEY', 'names twice', configOf({ seccomp: STRICT.replace('"names"', '"names":["rmdir"],"names"') })],
    ['JSON_DUPLICATE_KEY', 'something else twice', configOf({ tail: ',"process":{"a":1,"a":1}' })],
    // What only some take for JSON.
    ['JSON_COMMENT', 'a comment', configOf({ linux: '/* x */' })],
    ['JSON_COMMENT', 'a comment that hides half of a document', configOf({ linux: `"seccomp":${WEAK}/*","x":*/,"y":1,` })],
    ['JSON_COMMENT', 'a comment to the end of the line', configOf({ linux: '// x\n' })],
    ['JSON_COMMENT', 'a comment behind the document', `${configOf({})}/* x */`],
    ['JSON_AFTER_END', 'another document', configOf({}) + configOf({ seccomp: WEAK })],
    ['JSON_AFTER_END', 'a NUL behind the document', `${configOf({})}\0`],
    ['JSON_SYNTAX', 'a control character in a string', configOf({ tail: ',"hostname":"a\tb"' })],
    ['JSON_SYNTAX', 'a form feed between tokens', `\f${configOf({})}`],
    ['JSON_SYNTAX', 'single quotes', configOf({ linux: `'seccomp':${WEAK},` })],
    ['JSON_SYNTAX', 'a number with leading zeros', configOf({ tail: ',"x":007' })],
    ['JSON_SYNTAX', 'NaN', configOf({ tail: ',"x":NaN' })],
    ['JSON_SYNTAX', 'a word in upper case', configOf({ tail: ',"x":TRUE' })],
    ['JSON_SYNTAX', 'a byte order mark', `\ufeff${configOf({})}`],
    ['JSON_TRAILING_COMMA', 'a comma at the end', configOf({ tail: ',"x":[1,]' })],
    ['JSON_SURROGATE', 'half a surrogate pair in a key', configOf({ tail: ',"\\ud800":1' })],
    ['JSON_SURROGATE', 'half a surrogate pair in a string', configOf({ tail: ',"x":"\\udc00\\ud800"' })],
    ['JSON_TOO_DEEP', '100,000 levels', configOf({ tail: `,"x":${'['.repeat(100_000)}${']'.repeat(100_000)}` })],
  ])('is refused as %s: %s', async (code, _, text) => {
    expect(await askAll(text)).toEqual({
      check: expect.arrayContaining([code]),
      bundle: 'failed',
      untouched: true,
      checked: 'failed',
      removed: 'failed',
      hook: expect.arrayContaining([code]),
      cache: 'failed',
    });
  }); // prettier-ignore

  const text = Buffer.from(configOf({ tail: ',"x":"?"' }));
  const withBytes = (...bytes: number[]) => {
    const at = text.lastIndexOf('?');
    return Buffer.concat([text.subarray(0, at), Buffer.from(bytes), text.subarray(at + 1)]);
  };
  it.each([
    ['a byte that never occurs', withBytes(0xff)],
    ['a character that is cut', withBytes(0xc3)],
    ['a character in too many bytes', withBytes(0xc1, 0xb3)],
    ['a NUL in two bytes', withBytes(0xc0, 0x80)],
    ['half a surrogate pair in UTF-8', withBytes(0xed, 0xa0, 0x80)],
    ['UTF-16', Buffer.from(text.toString(), 'utf16le')],
    ['UTF-16 with a byte order mark', Buffer.from(`\ufeff${text.toString()}`, 'utf16le')],
    ['100 MB', Buffer.alloc(100_000_000, ' ')],
  ])('is refused for its bytes: %s', async (_, bytes) => {
    const found = await askAll(bytes);
    expect(found).toMatchObject({ bundle: 'failed', untouched: true, checked: 'failed', cache: 'failed' });
    expect(found.check).toHaveLength(1);
    expect(found.hook).toHaveLength(1);
  });

  it.each([
    ['an array', '[]'],
    ['a string', '""'],
    ['true', 'true'],
    ['an entry that is null', '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[null]}'],
    ['a condition that is null', STRICT.replace('28', '28,"args":[null]')],
    ['a name that is null', STRICT.replace('"mkdir"', '"mkdir",null')],
    ['an errno in quotes', STRICT.replace('28', '"28"')],
    ['conditions that are an object', STRICT.replace('28', '28,"args":{}')],
    ['1e400', STRICT.replace('28', '1e400')],
    ['2^64', STRICT.replace('28', '28,"args":[{"index":0,"value":18446744073709551616,"op":"SCMP_CMP_EQ"}]')],
    ['-0', STRICT.replace('28', '-0')],
  ])('is refused for its profile, which some runtime reads as another or as none: %s', async (_, seccomp) => {
    const found = await askAll(configOf({ seccomp }));
    expect(found).toMatchObject({ bundle: 'failed', untouched: true, checked: 'failed', cache: 'failed' });
    expect(found.check).not.toEqual([]);
    expect(found.hook).toEqual(found.check);
  });
});
