import { parseInstruction } from '../bpf/disassemble.ts';
import { decode } from '../bpf/instruction.ts';
import type { Endian, SockFilter } from '../bpf/instruction.ts';
import { decodeBase64 } from '../format/text.ts';
import { itemsOf, parseJson, valueOf } from '../profile/json.ts';
import type { JsonNode } from '../profile/json.ts';

/** A filter as a text holds it: bytes in the order of the target, or instructions without a byte order. */
export type FilterText = Uint8Array | { program: SockFilter[]; endian?: Endian };

/** 4096 instructions with a comment each are smaller. UTF-16 units. */
const LONGEST = 2 * 1024 * 1024;

/**
 * The filter in a text: hex digits, a list of bytes, C, Go, Rust or JSON source, a listing. Undefined
 * unless all of the text is accounted for, so that no filter is read in part.
 */
export function filterInText(text: string): FilterText | undefined {
  if (text.length > LONGEST || text.includes('\0')) return undefined;
  for (const read of [hex, json, source, dump, decimal, listing]) {
    const found = read(text);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `--format hex`, `xxd -p`, `xxd -i`, and strings of `\x20`. */
function hex(text: string): Uint8Array | undefined {
  const compact = text.replaceAll(/\s+/g, '');
  const [, list, count] = /^unsignedchar\w+\[\]=\{([^}]*)\};unsignedint\w+_len=(\d+);$/.exec(compact) ?? [];
  const digits = /^(?:0x[0-9a-f]{1,2},?)+$/i.test(list ?? compact)
    ? (list ?? compact).split(',').map((byte) => byte.slice(2).padStart(2, '0')).join('')
    : compact.replaceAll(/\\x([0-9a-f]{2})/gi, '$1').replaceAll('"', ''); // prettier-ignore
  if (!/^(?:[0-9a-f]{16})+$/i.test(digits)) return undefined;
  if (count !== undefined && Number(count) !== digits.length / 2) return undefined;
  return Uint8Array.from(digits.match(/../g)!, (byte) => Number.parseInt(byte, 16));
}

/** `compile --format json`, `disasm --json`, and a bare list of instructions. */
function json(text: string): FilterText | undefined {
  if (!/^\s*[{[]/.test(text) || !/"(bytes|code)"/.test(text)) return undefined;
  const { root, diagnostics } = parseJson(text);
  if (root === undefined || diagnostics.length > 0) return undefined;
  const [bytes, instructions, endian] = ['bytes', 'instructions', 'endian'].map((key) => valueOf(root, key));
  if (bytes?.kind === 'string') {
    const decoded = decodeBase64(bytes.value);
    const isWhole = instructions?.kind === 'number' && decoded?.length === 8 * Number(instructions.text);
    return isWhole ? decoded : undefined;
  }
  const order = endian?.kind === 'string' && endian.value === 'big' ? 'big' : 'little';
  const rows = itemsOf(root.kind === 'array' ? root : instructions).map((item) =>
    ['code', 'jt', 'jf', 'k'].map((key) => numberText(valueOf(item, key))),
  );
  const program = programOf(rows);
  return program && { program, ...(endian && { endian: order }) };
}

function numberText(node: JsonNode | undefined): string {
  return node?.kind === 'number' ? node.text : '';
}

const NUMBER = String.raw`(0x[0-9a-f]+|0|[1-9]\d*)u?l*`;
const field = (name: string) => String.raw`\s*(?:\.?${name}\s*[:=]\s*)?${NUMBER}\s*`;
const ROW = String.raw`(?:[a-z_]\w*\s*)?\{${['code', 'jt', 'jf', 'k'].map(field).join(',')},?\s*\}`;
// One way to read each blank: a second one would take exponential time.
const ROWS = String.raw`((?:${ROW}\s*(?:,\s*)?)+)`;

/** The one array of rows in C, Go or Rust, or rows alone as `tcpdump -dd` prints them. */
function source(text: string): FilterText | undefined {
  if (!text.includes('{')) return undefined;
  const code = text.replaceAll(/\/\*[^]*?(?:\*\/|$)|\/\/[^\n]*/g, ' ');
  const arrays = [...code.matchAll(new RegExp(String.raw`[{[]\s*${ROWS}[}\]]`, 'gi'))];
  const rows =
    arrays.length === 0 ? new RegExp(String.raw`^\s*${ROWS}$`, 'i').exec(code)?.[1] : arrays[0]![1];
  if (rows === undefined || arrays.length > 1) return undefined;
  const program = programOf([...rows.matchAll(new RegExp(ROW, 'gi'))].map((row) => row.slice(1, 5)));
  const before = code.slice(0, arrays[0]?.index ?? 0);
  const length = /\[\s*(?:\w+\s*;\s*)?(\d+)\s*\][^[\]]*$/.exec(before)?.[1];
  return length !== undefined && Number(length) !== program?.length ? undefined : program && { program };
}

const DUMPED =
  /^\s*(\d+):\s+(?:0x)?([0-9a-f]{2,4})\s+(?:0x)?([0-9a-f]{2})\s+(?:0x)?([0-9a-f]{2})\s+(?:0x)?([0-9a-f]{8})(?:\s|$)/i;

/** Index, opcode, two offsets and a constant in hex: libseccomp's disassembler, seccomp-tools, firejail. */
function dump(text: string): FilterText | undefined {
  const lines = text.split('\n').filter((line) => !/^\s*(line\s+(CODE|OP)\b.*|=+)?\s*$/.test(line));
  const rows = lines.map((line, index) => {
    const [, at, ...fields] = DUMPED.exec(line) ?? [];
    return at !== undefined && Number(at) === index ? fields.map((digits) => `0x${digits}`) : [];
  });
  const program = programOf(rows);
  return program && { program };
}

/** A count and four decimal numbers an instruction: `tcpdump -ddd`, `bpf_asm`. */
function decimal(text: string): FilterText | undefined {
  const [count = '', ...rows] = text.trim().replace(/,$/, '').split(/[\n,]/);
  if (!/^\d+$/.test(count) || Number(count) !== rows.length) return undefined;
  const program = programOf(rows.map((row) => row.trim().split(/\s+/)));
  return program && { program };
}

const LONGEST_LINE = 500;

/** `--format asm`. */
function listing(text: string): FilterText | undefined {
  const program: SockFilter[] = [];
  for (const line of text.trimEnd().split('\n')) {
    if (line.length > LONGEST_LINE) return undefined;
    const [, at, instruction = ''] = /^\s*l?(\d+):\s*(.*?)\s*(?:;.*)?$/.exec(line) ?? [];
    const parsed = Number(at) === program.length ? parseInstruction(instruction, program.length) : undefined;
    if (parsed === undefined) return undefined;
    program.push(parsed);
  }
  return { program };
}

const LIMITS = [0xffff, 0xff, 0xff, 0xffffffff];

/** Undefined if there is no row, or a field is missing or too large. */
function programOf(rows: string[][]): SockFilter[] | undefined {
  const program = rows.map((row) => {
    const fields = row.map((text) => (/^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN));
    if (fields.length !== 4 || !fields.every((value, at) => value <= LIMITS[at]!)) return undefined;
    const [code, jt, jf, k] = fields as [number, number, number, number];
    return { code, jt, jf, k };
  });
  return program.length === 0 || program.includes(undefined) ? undefined : (program as SockFilter[]);
}

/** Both readings of bytes, of which the opcodes show the right one; one of instructions. */
export function readings(found: FilterText): { program: SockFilter[]; endian?: Endian }[] {
  if (!(found instanceof Uint8Array)) return [found];
  return (['little', 'big'] as const).map((endian) => ({ program: decode(found, endian), endian }));
}
