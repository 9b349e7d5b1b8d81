/**
 * A language server for profiles: JSON-RPC on two streams, as the Language Server Protocol 3.17 has
 * it.
 */
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { TextDocumentContentChangeEvent } from 'vscode-languageserver-textdocument';
import type { TextDocumentItem } from 'vscode-languageserver-types';
import { actionsIn, completionsAt, findingsOf, hoverAt } from './language.ts';
import type { Asked, Language } from './language.ts';

const CAPABILITIES = {
  textDocumentSync: { openClose: true, change: 2 },
  hoverProvider: true,
  completionProvider: { triggerCharacters: ['"'] },
  codeActionProvider: { codeActionKinds: ['quickfix'] },
};
const ANSWERS: Record<string, (asked: Asked) => Promise<unknown>> = {
  hover: hoverAt,
  completion: completionsAt,
  codeAction: actionsIn,
};
/** Milliseconds without a key before a text is checked. */
const PAUSE = 150;

/** Serves until the client ends it; gives the exit code. */
export function serveLanguage(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  language: Language,
  serverInfo: { name: string; version: string },
): Promise<number> {
  const client = createMessageConnection(new StreamMessageReader(input), new StreamMessageWriter(output));
  const documents = new Map<string, TextDocument>();
  const waiting = new Map<string, NodeJS.Timeout>();
  const notify = (method: string, params: object) => void client.sendNotification(method, params);
  const check = async (document: TextDocument): Promise<void> => {
    const { uri, version } = document;
    try {
      const diagnostics = (await findingsOf({ ...language, document })).map(({ shown }) => shown);
      if (documents.get(uri)?.version === version)
        notify('textDocument/publishDiagnostics', { uri, version, diagnostics });
    } catch (error) {
      notify('window/logMessage', { type: 1, message: `seccompc: ${String(error)}` });
    }
  };
  const changed = (document: TextDocument) => {
    documents.set(document.uri, document);
    clearTimeout(waiting.get(document.uri));
    const timer = setTimeout(() => void check(document), PAUSE);
    waiting.set(document.uri, timer);
  };

  client.onRequest('initialize', () => ({ capabilities: CAPABILITIES, serverInfo }));
  client.onNotification('textDocument/didOpen', ({ textDocument: opened }: Note) =>
    changed(TextDocument.create(opened.uri, opened.languageId, opened.version, opened.text)),
  );
  client.onNotification('textDocument/didChange', ({ textDocument, contentChanges }: Note) => {
    const document = documents.get(textDocument.uri);
    if (document !== undefined) changed(TextDocument.update(document, contentChanges, textDocument.version));
  });
  client.onNotification('textDocument/didClose', ({ textDocument: { uri } }: Note) => {
    documents.delete(uri);
    notify('textDocument/publishDiagnostics', { uri, diagnostics: [] });
  });
  for (const [name, answer] of Object.entries(ANSWERS))
    client.onRequest(`textDocument/${name}`, async (asked: Asked & Note) => {
      const document = documents.get(asked.textDocument.uri);
      return document === undefined ? null : answer({ ...language, ...asked, document });
    });
  return new Promise((resolve) => {
    // 1 if the client has not said that it is going to end.
    let exitCode = 1;
    const end = () => {
      documents.clear();
      resolve(exitCode);
    };
    client.onRequest('shutdown', () => {
      exitCode = 0;
      return null;
    });
    client.onNotification('exit', end);
    client.onClose(end);
    // A file or /dev/null ends, and is not closed.
    input.once('end', end);
    client.listen();
  });
}

/** Each message has some of this. */
interface Note {
  textDocument: TextDocumentItem;
  contentChanges: TextDocumentContentChangeEvent[];
}
