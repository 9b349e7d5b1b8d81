import { parseInstruction } from '../bpf/disassemble.ts';
import { decode } from '../bpf/instruction.ts';
import type { Endian, SockFilter } from '../bpf/instruction.ts';
import { withoutLoader } from '../format/loaders.ts';
import { decodeBase64 } from '../format/text.ts';
import { foreignText } from '../profile/foreign.ts';
import { itemsOf, parseJson, valueOf } from '../profile/json.ts';
import type { JsonNode } from '../profile/json.ts';

/**
 * A filter as a text holds it: bytes in the order of the target, or instructions without a byte
 * order.
 */
export type FilterText = Uint8Array | { program: SockFilter[]; endian?: Endian };

/** 4096 instructions with a comment each are smaller. UTF-16 units. */
const LONGEST = 2 * 1024 * 1024;

/**
 * The filter in a text: hex digits, a list of bytes, C, Go, Rust or JSON source, a listing.
 * Undefined unless all of the text is accounted for, so that no filter is read in part, and for
 * what is read as a profile.
 */
export function filterInText(text: string): FilterText | undefined {
  if (text.length > LONGEST || text.includes('\0')) return undefined;
  // Every line of a dump begins with an offset, so it has no member of a profile, though it can be
  // YAML.
  const dumped = dumpedDigits(text);
  if (dumped !== undefined) return hex(dumped);
  if (foreignText(text)?.coded || /^\s*["']?defaultAction["']?\s*:/m.test(text)) return undefined;
  for (const read of [hex, json, source, dump, decimal, listing]) {
    const found = read(text);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * A line of `xxd`, `hexdump -C` or `od -tx1`: an offset, at most 16 bytes, and what they are as
 * text.
 */
const DUMP_LINE = /^([0-9a-f]{6,8}):?((?: {1,2}[0-9a-f]{2,4}){1,16})(?: {2,}.{1,18})?$/i;

/** The digits of a dump whose offsets follow each other; undefined for another text. */
function dumpedDigits(text: string): string | undefined {
  const lines = text.trimEnd().split(/\r?\n/);
  // hexdump and od end with the offset behind the last byte.
  const end = lines.length > 1 && /^[0-9a-f]{6,8}$/i.test(lines.at(-1)!) ? lines.pop() : undefined;
  let digits = '';
  // od counts in octal.
  const radix = lines.some((line) => /^[0-7]{7} /.test(line)) ? 8 : 16;
  const isNext = (offset: string) => Number.parseInt(offset, radix) === digits.length / 2;
  for (const line of lines) {
    const [, offset = '', bytes = ''] = DUMP_LINE.exec(line) ?? [];
    if (!isNext(offset)) return undefined;
    digits += bytes.replaceAll(' ', '');
  }
  return end === undefined || isNext(end) ? digits : undefined;
}

/** `--format hex`, `xxd`, `xxd -p`, `xxd -i`, `hexdump -C`, `od -tx1`, and strings of `\x20`. */
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

/**
 * Of the documents that seccompc writes. With any other one it could be a profile to other readers.
 */
const MEMBERS = new Set([
  'bytes', 'instructions', 'convertedLength', 'sha256', 'confined', 'endian', 'arches', 'target', 'flags',
  'listenerPath', 'proved', 'cache', 'diagnostics',
]); // prettier-ignore

/** `compile --format json`, `disasm --json`, and a bare list of instructions. */
function json(text: string): FilterText | undefined {
  if (!/^\s*[{[]/.test(text) || !/"(bytes|code)"/.test(text)) return undefined;
  const { root, diagnostics } = parseJson(text);
  if (root === undefined || diagnostics.length > 0) return undefined;
  if (root.kind === 'object' && !root.members.every(({ key }) => MEMBERS.has(key))) return undefined;
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

/**
 * What is before and behind the array in C, Go and Rust, without comments. The number in brackets
 * is its length.
 */
const FRAMES: [before: RegExp, behind: RegExp][] = [
  [
    /^(?:#include\s*<[\w/.]+>\s*)*(?:[\w()]+\s+)*struct\s+sock_filter\s+\w+\s*\[\s*(\d*)\s*\]\s*=\s*$/,
    /^\s*;\s*(?:(?:[\w()]+\s+)*struct\s+sock_fprog\s+\w+\s*=\s*\{[\w\s.,=]*\}\s*;\s*)?$/,
  ],
  [
    /^package\s+\w+\s+(?:import\s*\([\s"\w]*\)\s*)?type\s+\w+\s+struct\s*\{[\w\s]*\}\s*var\s+\w+\s*=\s*\[\s*(\d+)\s*\]\w+$/,
    /^\s*$/,
  ],
  [
    /^(?:#\[[\w(), ]*\]\s*)*pub\s+struct\s+\w+\s*\{[\w\s:,]*\}\s*pub\s+const\s+\w+\s*:\s*\[\s*\w+\s*;\s*(\d+)\s*\]\s*=\s*$/,
    /^\s*;\s*$/,
  ],
  // Rows alone, in braces or without, as "tcpdump -dd" prints them.
  [/^\s*()$/, /^\s*;?\s*$/],
];

/**
 * The array of rows in C, Go or Rust. Everything beside it must be known, or a profile could have
 * one in a comment.
 */
function source(text: string): FilterText | undefined {
  if (!text.includes('{')) return undefined;
  // Without runs of blanks, which the patterns would try to divide in every way.
  const code = withoutLoader(plainCode(text), plainCode);
  const array = new RegExp(String.raw`[{[]\s*${ROWS}[}\]]|^${ROWS}$`, 'i').exec(code);
  if (array === null) return undefined;
  const [before, behind] = [code.slice(0, array.index), code.slice(array.index + array[0].length)];
  const frame = FRAMES.find((each) => each[0].test(before) && each[1].test(behind));
  const rows = [...(array[1] ?? array[6])!.matchAll(new RegExp(ROW, 'gi'))];
  const program = programOf(rows.map((row) => row.slice(1, 5)));
  const length = frame?.[0].exec(before)?.[1];
  if (length === undefined || (length !== '' && Number(length) !== program?.length)) return undefined;
  return program && { program };
}

/** Without comments, and with one blank where there are any. */
function plainCode(text: string): string {
  return text
    .replaceAll(/\/\*[^]*?(?:\*\/|$)|\/\/[^\n]*/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

const DUMPED =
  /^\s*(\d+):\s+(?:0x)?([0-9a-f]{2,4})\s+(?:0x)?([0-9a-f]{2})\s+(?:0x)?([0-9a-f]{2})\s+(?:0x)?([0-9a-f]{8})(?:\s|$)/i;

/**
 * Index, opcode, two offsets and a constant in hex: libseccomp's disassembler, seccomp-tools,
 * firejail.
 */
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
