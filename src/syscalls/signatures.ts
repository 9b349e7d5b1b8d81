import { type Arch, type ArchName, archOf } from '../arch.ts';

/** The arguments of system calls. Source: syscall-tables/arguments.tsv. */

export interface Argument {
  /** As the kernel's sources name it: `family`, `flags`, `filename`. */
  readonly name: string;
  /** C type without the name: `unsigned int`, `const char *`. */
  readonly type: string;
  /**
   * How many low bits of the 64 that a filter sees the kernel looks at; 0 for a register that it
   * skips.
   */
  readonly bits: 0 | 8 | 16 | 32 | 64;
  /** Whether the kernel takes the highest of these bits as a sign. */
  readonly signed: boolean;
  readonly pointer: boolean;
}

/** Where the registers do not hold all that the call is about. */
export type Form =
  /** Argument `argument` points to a struct that holds these members. */
  | {
      readonly kind: 'struct';
      readonly argument: number;
      readonly struct: string;
      readonly members: readonly string[];
    }
  /**
   * The first argument selects one of these calls; the others are its arguments, or point to them.
   */
  | { readonly kind: 'multiplexer'; readonly calls: ReadonlyMap<number, string> };

export interface Signature {
  /** At most six. */
  readonly args: readonly Argument[];
  readonly form?: Form;
}

interface Data {
  /** Lists of tables, joined by commas; `*` is all. */
  readonly sets: readonly string[];
  /** `call set arguments form`, one a line, by tabs. */
  readonly rows: string;
  /** What the kernel keeps of a C type, where the row does not say it. */
  readonly types: Readonly<Record<string, string>>;
}

let data: { readonly types: Data['types']; readonly byCall: ReadonlyMap<string, readonly Row[]> } | undefined;
type Row = readonly [tables: string, args: string, form: string];
const made = new Map<string, Signature | undefined>();

/** Loads what {@link signatureOf} reads, once in a process. */
export async function loadSignatures(): Promise<void> {
  if (data === undefined) addSignatures(await import('./generated/signatures.ts'));
}

/** For callers that have imported the generated module. */
export function addSignatures({ sets, rows, types }: Data): void {
  if (data !== undefined) return;
  const byCall = new Map<string, Row[]>();
  for (const line of rows.split('\n')) {
    const [call, set, args, form] = line.split('\t') as [string, string, string, string];
    byCall.set(call, [...(byCall.get(call) ?? []), [sets[Number(set)]!, args, form]]);
  }
  data = { types, byCall };
}

/**
 * The arguments of a call as a filter sees them on an architecture; undefined for a call that it
 * does not have, or of which no arguments are known.
 * @throws Error before {@link loadSignatures}.
 */
export function signatureOf(arch: Arch | ArchName, call: string): Signature | undefined {
  if (data === undefined) throw new Error('the signatures are not loaded');
  const on = typeof arch === 'string' ? archOf(arch) : arch;
  const key = `${on.name} ${call}`;
  if (!made.has(key)) made.set(key, makeSignature(on, call, data));
  return made.get(key);
}

function makeSignature(
  arch: Arch,
  call: string,
  { byCall, types }: NonNullable<typeof data>,
): Signature | undefined {
  const row = byCall.get(call)?.find(([tables]) => tables === '*' || tables.split(',').includes(arch.table));
  if (row === undefined) return undefined;
  const [, list, form] = row;
  const args = list === '' ? [] : list.split(';').map((text) => makeArgument(text, arch, types));
  return form === '' ? { args } : { args, form: makeForm(form, args) };
}

/** `const char *path`, `unsigned long flags:u32`. */
function makeArgument(text: string, arch: Arch, types: Data['types']): Argument {
  const [, left, name, given] = /^(.*?)(\w+)(?::(.*))?$/.exec(text)!;
  const type = left!.trim();
  const code = given ?? (type.endsWith('*') ? 'p' : types[type.replace('const ', '')]!);
  const pointer = code === 'p';
  const half = code === 'h1' || code === 'h2';
  const isLow = (code === 'h1') === (arch.endian === 'little');
  const signed = half ? !isLow && type !== 'u64' : code.startsWith('s');
  const width = half ? 32 : code === '-' ? 0 : Number(code.slice(1)) || wordOf(arch);
  return {
    name: half ? `${name}_${isLow ? 'low' : 'high'}` : name!,
    type,
    bits: width as Argument['bits'],
    signed,
    pointer,
  };
}

/** Bits of a word in the kernel: x32 and n32 are called through its 64-bit registers. */
function wordOf({ name, wordBits }: Arch): number {
  return wordBits === 64 || name === 'X32' || name.endsWith('64N32') ? 64 : 32;
}

function makeForm(text: string, args: readonly Argument[]): Form {
  const [kind, first, ...rest] = text.split(' ') as [string, string, ...string[]];
  if (kind === 'struct')
    return {
      kind,
      argument: args.findIndex(({ type }) => type.includes(` ${first} `)),
      struct: first,
      members: rest,
    };
  const calls = [first, ...rest].map((each) => each.split('=') as [string, string]);
  return { kind: 'multiplexer', calls: new Map(calls.map(([number, call]) => [Number(number), call])) };
}

/** `socket(int family, int type, int protocol)`. */
export function prototypeText(call: string, { args }: Signature): string {
  const list = args.map(({ type, name }) => (type.endsWith('*') ? `${type}${name}` : `${type} ${name}`));
  return `${call}(${list.join(', ') || 'void'})`;
}
