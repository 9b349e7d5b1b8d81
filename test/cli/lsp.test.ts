/**
 * `seccompc lsp`, asked by a client of our own. Its answers have many forms, of which each test
 * knows one.
 */
// oxlint-disable typescript/no-explicit-any
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { environment, MAIN, scratch } from './run.ts';

type Message = { id?: number; method?: string; params?: any; result?: any; error?: unknown };

/**
 * Frames of JSON-RPC on the streams of the server: a header with the length in bytes, an empty
 * line, JSON.
 */
function client(words = ['lsp', '--stdio', '--arch', 'x86_64']) {
  const server = spawn(process.execPath, [MAIN, ...words], {
    env: environment(scratch()),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => server.on('exit', resolve));
  const expected: { is: (message: Message) => boolean; take: (message: Message) => void }[] = [];
  const unread: Message[] = [];
  const next = (is: (message: Message) => boolean) =>
    new Promise<Message>((take) => {
      const at = unread.findIndex(is);
      if (at >= 0) take(unread.splice(at, 1)[0]!);
      else expected.push({ is, take });
    });
  let rest = Buffer.alloc(0);
  server.stdout.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      const head = rest.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/.exec(rest.subarray(0, head).toString())?.[1]);
      if (head < 0 || rest.length < head + 4 + length) return;
      const message = JSON.parse(rest.subarray(head + 4, head + 4 + length).toString()) as Message;
      rest = rest.subarray(head + 4 + length);
      const at = expected.findIndex(({ is }) => is(message));
      if (at < 0) unread.push(message);
      else expected.splice(at, 1)[0]!.take(message);
    }
  });
  const send = (message: object) => {
    const json = JSON.stringify({ jsonrpc: '2.0', ...message });
    server.stdin.write(`Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`);
  };
  let serial = 0;
  const ask = async (method: string, params?: object) => {
    const id = (serial += 1);
    send({ id, method, params });
    const { result, error } = await next((message) => message.id === id);
    expect(error).toBeUndefined();
    return result;
  };
  const tell = (method: string, params: object = {}) => send({ method, params });
  return { ask, tell, ended, next, close: () => server.stdin.end() };
}

const editor = client();
afterAll(() => editor.close());

const started = editor.ask('initialize', { processId: null, rootUri: null, capabilities: {} });
let documents = 0;

/** A document with `|` where the cursor is. */
async function open(marked: string) {
  await started;
  const uri = `file:///profiles/p${(documents += 1)}.json`;
  const text = marked.replace('|', '');
  const before = marked.split('|')[0]!.split('\n');
  const position = { line: before.length - 1, character: before.at(-1)!.length };
  editor.tell('textDocument/didOpen', { textDocument: { uri, languageId: 'json', version: 1, text } });
  const asked = { textDocument: { uri }, position };
  const lines = text.split('\n');
  return {
    uri,
    text,
    found: async () => {
      const published = ({ method, params }: Message) =>
        method === 'textDocument/publishDiagnostics' && params.uri === uri;
      return (await editor.next(published)).params.diagnostics as any[];
    },
    hover: () => editor.ask('textDocument/hover', asked),
    completion: () => editor.ask('textDocument/completion', asked) as Promise<any[]>,
    actions: (range: object) =>
      editor.ask('textDocument/codeAction', { textDocument: { uri }, range, context: { diagnostics: [] } }),
    /** The text of a range within one line. */
    at: ({ start, end }: any) => lines[start.line]!.slice(start.character, end.character),
    /** The text after the edits of an action. */
    edited: ({ edit }: any) => {
      const [{ range, newText }] = edit.changes[uri];
      const offset = ({ line, character }: any) =>
        lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0) + character;
      return text.slice(0, offset(range.start)) + newText + text.slice(offset(range.end));
    },
  };
}

const profile = (entry: string, action = 'SCMP_ACT_ERRNO') =>
  `{\n  "defaultAction": "${action}",\n  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],\n  "syscalls": [\n    ${entry}\n  ]\n}\n`;
/** Without a note about ENOSYS. */
const KILL = 'SCMP_ACT_KILL_PROCESS';
const allow = (names: string, more = '') => `{ "names": [${names}], "action": "SCMP_ACT_ALLOW"${more} }`;

describe('the language server', () => {
  it('says what it can do', async () => {
    expect(await started).toMatchObject({
      capabilities: { hoverProvider: true, codeActionProvider: { codeActionKinds: ['quickfix'] } },
      serverInfo: { name: 'seccompc' },
    });
  });

  it('marks errors and findings at the words that they are about, and nothing in other files', async () => {
    const faulty = await open(profile(allow('"raed", "wrtie"'), 'SCMP_ACT_ERNO'));
    const [error] = await faulty.found();
    expect([error.code, error.severity, faulty.at(error.range)]).toEqual([
      'UNKNOWN_ACTION',
      1,
      '"SCMP_ACT_ERNO"',
    ]);
    const misspelled = await open(profile(allow('"raed"'), KILL));
    const found = await misspelled.found();
    expect(found.map(({ code, severity, range }) => [code, severity, misspelled.at(range)])).toEqual([
      ['UNKNOWN_SYSCALL', 2, '"raed"'],
    ]);
    const other = await open('{ "name": "package", "scripts": { "seccomp": "true" } }');
    expect(await other.found()).toEqual([]);
  });

  it.each([
    ['a byte order mark', '\uFEFF', ' '],
    ['line ends of \\r alone', '', '\r'],
    ['characters of two units', '', ' "comment": "\u{1F600}\u2028",'],
  ])('counts as the editor does with %s', async (_, before, within) => {
    const text = `${before}{ "defaultAction": "${KILL}",${within}"syscalls": [${allow('"raed"')}] }`;
    const found = (await (await open(text)).found()).find(({ code }) => code === 'UNKNOWN_SYSCALL');
    expect(TextDocument.create('', 'json', 1, text).getText(found.range)).toBe('"raed"');
  });

  it('checks a text again after a change, and forgets it when it is closed', async () => {
    const { uri, found } = await open(profile(allow('"raed"'), KILL));
    expect(await found()).toHaveLength(1);
    const range = { start: { line: 4, character: 17 }, end: { line: 4, character: 21 } };
    editor.tell('textDocument/didChange', {
      textDocument: { uri, version: 2 },
      contentChanges: [{ range, text: 'read' }],
    });
    expect(await found()).toEqual([]);
    editor.tell('textDocument/didClose', { textDocument: { uri } });
    expect(await found()).toEqual([]);
    expect(
      await editor.ask('textDocument/hover', { textDocument: { uri }, position: range.start }),
    ).toBeNull();
  });

  it('tells of a call what it is, where it exists, and what the profile decides', async () => {
    const entry = allow('"soc|ket"', ', "args": [{ "index": 0, "value": 40, "op": "SCMP_CMP_EQ" }]');
    const { contents } = await (await open(profile(entry))).hover();
    const [what, ...decided] = contents.value.split('\n');
    expect(what).toMatch(/^socket\(int family, int type, int protocol\): Linux /);
    expect(decided).toEqual(['X86_64, X86: ALLOW if family == AF_VSOCK; otherwise ERRNO EPERM (1)']);
    // With an error elsewhere nothing is decided, but the call is known.
    const faulty = await (await open(profile(allow('"re|ad"'), 'SCMP_ACT_NONE'))).hover();
    expect(faulty.contents.value).toMatch(/^read\([^\n]*\.$/);
    const action = await (await open(profile(allow('"read"'), 'SCMP_A|CT_LOG'))).hover();
    expect(action.contents.value).toBe('The call is made, and logged.');
  });

  it.each([
    ['names of calls', allow('"op|"'), '"openat2"'],
    ['actions', '{ "names": ["read"], "action": "|" }', '"SCMP_ACT_ALLOW"'],
    ['operators', allow('"read"', ', "args": [{ "op": "|" }]'), '"SCMP_CMP_MASKED_EQ"'],
    ['capabilities', allow('"read"', ', "includes": { "caps": ["|"] }'), '"CAP_SYS_ADMIN"'],
    ['keys', '{ "names": ["read"], | }', '"action": '],
    ['architectures', allow('"read"'), '"SCMP_ARCH_AARCH64"'],
  ])('completes %s, also in an unfinished text', async (what, entry, expected) => {
    const text = what === 'architectures' ? profile(entry).replace('"SCMP_ARCH_X86"', '"|"') : profile(entry);
    const items = await (await open(text)).completion();
    expect(items.map(({ textEdit }) => textEdit.newText)).toContain(expected);
  });

  it('completes the constants of an argument, and writes their numbers', async () => {
    const entry = allow('"socket"', ', "args": [{ "index": 0, "value": | }]');
    const items = await (await open(profile(entry))).completion();
    expect(items.find(({ label }) => label === 'AF_VSOCK')).toMatchObject({
      textEdit: { newText: '40' },
      filterText: 'AF_VSOCK',
    });
  });

  it('completes the profile within a config.json', async () => {
    const config = '{ "ociVersion": "1.0.2", "linux": { "seccomp": { "defaultAction": "|" } } }';
    const items = await (await open(config)).completion();
    expect(items.map(({ label }) => label)).toContain('SCMP_ACT_ERRNO');
    expect(await (await open(config.replace('"seccomp"', '"other"'))).completion()).toEqual([]);
  });

  it('offers the word that was meant, and fixes of lint that are proved', async () => {
    const misspelled = await open(profile(allow('"raed"'), KILL));
    const [{ range }] = await misspelled.found();
    const [write] = await misspelled.actions(range);
    expect(write.title).toBe('Write "read"');
    expect(misspelled.edited(write)).toBe(profile(allow('"read"'), KILL));
    const twice = await open(profile(`${allow('"read"')},\n    ${allow('"read"')}`));
    const useless = (await twice.found()).find(({ code }) => code === 'ENTRY_WITHOUT_EFFECT');
    const [remove] = await twice.actions(useless.range);
    expect(remove.title).toContain('proved: every call gets the same answer');
    expect(JSON.parse(twice.edited(remove)).syscalls).toHaveLength(1);
    const elsewhere = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    expect(await twice.actions(elsewhere)).toEqual([]);
  });

  it('is what the extension in docs/editors.md starts for profiles', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/editors.md'), 'utf8');
    const [, file, code] = /^```js\n\/\/ (.*)\n([^]*?)^```/m.exec(page)!;
    const manifest = JSON.parse(/^```json\n(\{\n {2}"name": "seccompc-client"[^]*?)^```/m.exec(page)![1]!);
    expect(manifest.main).toBe(file);
    let given: unknown[] = [];
    class LanguageClient {
      constructor(...words: unknown[]) {
        given = words;
      }
      start = () => 'started';
    }
    const module = { exports: {} as { activate: () => unknown } };
    const load = (name: string) => (name in manifest.dependencies ? { LanguageClient } : undefined);
    // oxlint-disable-next-line no-implied-eval
    new Function('exports', 'require', code!)(module.exports, (name: string) =>
      load(name.replace(/\/node$/, '')),
    );
    expect(module.exports.activate()).toBe('started');
    const [, server, { documentSelector }] = given as [string, { command: string; args: string[] }, any];
    expect(server.command).toBe('seccompc');
    expect(documentSelector).toContainEqual({ language: 'json', pattern: '**/seccomp/*' });
    const other = client(server.args);
    const answer = await other.ask('initialize', { processId: null, rootUri: null, capabilities: {} });
    expect(answer.serverInfo.name).toBe('seccompc');
    other.close();
  });

  it('ends when it is told to, with 0 if it was shut down before', async () => {
    const polite = client();
    await polite.ask('initialize', { processId: null, rootUri: null, capabilities: {} });
    await polite.ask('shutdown');
    polite.tell('exit');
    expect(await polite.ended).toBe(0);
    const lost = client();
    lost.close();
    expect(await lost.ended).toBe(1);
    // A file is read to its end, and nothing closes it.
    const nobody = spawnSync(process.execPath, [MAIN, 'lsp'], { stdio: ['ignore', 'pipe', 'pipe'] });
    expect([nobody.status, nobody.stdout.length, nobody.stderr.length]).toEqual([1, 0, 0]);
  });
});
