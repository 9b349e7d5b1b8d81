import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { ParsedNode } from 'yaml';
import { diagnostic, SeccompcError } from '../errors.ts';
import { MAX_DEPTH } from '../profile/json.ts';

/** Plain scalars that YAML 1.1, which Kubernetes reads, and YAML 1.2 understand alike. */
const CLEAR_NUMBER = /^(0|-?[1-9]\d*|0x[0-9a-fA-F]+)$/;
const UNCLEAR = /^([-+.]?\d|[-+.]\.?(inf|nan)?$|(y|yes|n|no|on|off|=|<<)$)/i;

/**
 * The JSON of a YAML document, with every value on its line and near its column, so that positions
 * of the one are those of the other.
 * @throws SeccompcError YAML_REFUSED
 */
export function yamlToJson(text: string, file: string): string {
  const lines = new LineCounter();
  const fail = (reason: string, offset: number): never => {
    const { line, col } = lines.linePos(offset);
    throw new SeccompcError([{ ...diagnostic('YAML_REFUSED', { reason }), file, line, column: col }]);
  };
  const documents = [
    ...parseAllDocuments(text, {
      lineCounter: lines,
      intAsBigInt: true,
      // The reader of the JSON finds them, and takes less time.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
    }),
  ].filter(({ contents, errors }) => contents !== null || errors.length > 0);
  const [document, other] = documents;
  for (const { errors, warnings } of documents)
    for (const { message, pos } of [...errors, ...warnings]) fail(message, pos[0]);
  if (other?.contents) fail('a second document begins here', other.contents.range[0]);
  if (!document?.contents) return fail('there is no document', 0);

  let json = '';
  let at = { line: 1, column: 1 };
  const write = (part: string) => {
    json += part;
    at.column += part.length;
  };
  // `before` is the room for what JSON has in front of a text and YAML has not. Without it, JSON
  // stays behind.
  const moveTo = (offset: number, before = 0) => {
    const { line, col: wanted } = lines.linePos(offset);
    const col = wanted - before;
    if (col < 1) return;
    if (line > at.line) {
      json += '\n'.repeat(line - at.line);
      at = { line, column: 1 };
    }
    if (line === at.line && col > at.column) write(' '.repeat(col - at.column));
  };
  const scalar = (node: ParsedNode): string => {
    if (!isScalar(node)) return fail('an alias or a list where a plain value belongs', node.range[0]);
    const { value, type, source } = node;
    if (typeof value === 'string' && type !== 'PLAIN') return JSON.stringify(value);
    if (CLEAR_NUMBER.test(source)) return String(value);
    if (UNCLEAR.test(source)) fail(`readers of YAML disagree about ${JSON.stringify(source)}`, node.range[0]);
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
  };
  const emit = (node: ParsedNode | null, depth: number, isItem = false): void => {
    if (node === null) return write('null');
    if (depth > MAX_DEPTH) fail(`more than ${MAX_DEPTH} levels`, node.range[0]);
    if (node.tag !== undefined) fail(`the tag ${node.tag}`, node.range[0]);
    if (isMap(node)) {
      if (isItem) moveTo(node.range[0], 2);
      write('{');
      node.items.forEach(({ key, value }, index) => {
        if (index > 0) write(',');
        moveTo(key.range[0], 1);
        const name = scalar(key);
        if (!name.startsWith('"')) fail(`the key ${name} is no text`, key.range[0]);
        write(`${name}:`);
        moveTo(key.range[0]);
        emit(value, depth + 1);
      });
      return write('}');
    }
    if (isSeq(node)) {
      if (node.flow) moveTo(node.range[0]);
      write('[');
      node.items.forEach((item, index) => {
        if (index > 0) write(',');
        emit(item, depth + 1, true);
      });
      return write(']');
    }
    moveTo(node.range[0]);
    write(scalar(node));
  };
  try {
    emit(document.contents, 0);
  } catch (error) {
    if (error instanceof RangeError) fail('too many levels', 0);
    throw error;
  }
  return json;
}
