/**
 * Explains the numbers in a program. One forward pass knows, before each instruction, which field
 * of seccomp_data the accumulator holds, the possible audit archs, and the bounds of nr. One pass
 * is enough because branches go forward only.
 */
import { actionLabel, SECCOMP_RET_DATA } from '../action.ts';
import { allArches, archOf, X32_SYSCALL_BIT } from '../arch.ts';
import type { Arch, ArchName } from '../arch.ts';
import { errnoName } from '../errno.ts';
import type { SyscallTable, SyscallTables } from '../syscalls/tables.ts';
import {
  BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_MISC,
  BPF_RET, BPF_ST, BPF_STX, BPF_TAX, BPF_W, BPF_X, BPF_A, branchTaken, OFFSET_ARCH, OFFSET_ARGS, OFFSET_NR,
  SECCOMP_DATA_BYTES,
} from './instruction.ts'; // prettier-ignore
import type { Endian, SockFilter } from './instruction.ts';

export interface DisassembleOptions {
  /** The architecture to take calls from where the program has not tested seccomp_data.arch. */
  arch?: ArchName;
  /** Decides which word of an argument is the high one if no tested arch does; default little. */
  endian?: Endian;
  /** Names for syscall numbers; where a table is not loaded, numbers stay numbers. */
  tables?: SyscallTables;
}

interface State {
  readonly options: DisassembleOptions;
  /** The field in the accumulator, e.g. `nr` or `args[1] high`; undefined when paths disagree. */
  holds: string | undefined;
  /** Values of seccomp_data.arch that can get here; {@link ANY_OTHER} is all unlisted ones. */
  arches: ReadonlySet<number>;
  /** Bounds of the number, both included, u32. */
  from: number;
  to: number;
  /** What the number is: nr itself, nr with bit 30 cleared, or one or the other. */
  numbering: 'nr' | 'x32' | 'either';
  /** The calls that get here where paths of several join; undefined if too many are possible. */
  calls: readonly ArchCall[] | undefined;
}

interface ArchCall {
  readonly arch: ArchName;
  readonly call: string;
}

/** How many calls may share the tests of an argument that is named. */
const MAX_NAMED_CALLS = 16;

/** The mask by which a filter treats an x32 number like one of x86_64. */
const CLEAR_X32_BIT = ~X32_SYSCALL_BIT >>> 0;

const ANY_OTHER = -1;
const EVERY_ARCH: ReadonlySet<number> = new Set([ANY_OTHER, ...allArches().map((arch) => arch.auditArch)]);

/** How many architectures' names a comment lists before the architecture counts as not tested. */
const MAX_NAMED_ARCHES = 4;

/** A comment for each instruction, undefined where there is nothing to say. */
export function annotate(
  program: readonly SockFilter[],
  options: DisassembleOptions,
): (string | undefined)[] {
  return withStates(program, options, (instruction, index, state) =>
    state === undefined ? 'never reached' : comment(program, instruction, index, state),
  );
}

/**
 * What each test asks and each return answers, without the rest of the comment; undefined for all
 * that is neither.
 */
export function nodeLabels(
  program: readonly SockFilter[],
  options: DisassembleOptions,
): (string | undefined)[] {
  return withStates(program, options, ({ code, k }, _, state) => {
    if (state === undefined) return undefined;
    if (code === (BPF_RET | BPF_K)) return describeReturn(k, state);
    const isTest = (code & 0x07) === BPF_JMP && code !== (BPF_JMP | BPF_JA) && (code & BPF_X) === 0;
    return isTest ? describeTest(code & 0xf0, k, state) : undefined;
  });
}

function withStates<T>(
  program: readonly SockFilter[],
  options: DisassembleOptions,
  look: (instruction: SockFilter, index: number, state: State | undefined) => T,
): T[] {
  const states: (State | undefined)[] = [];
  states[0] = {
    options,
    holds: undefined,
    arches: EVERY_ARCH,
    from: 0,
    to: 0xffffffff,
    numbering: 'nr',
    calls: undefined,
  };
  return program.map((instruction, index) => {
    const state = states[index];
    if (state !== undefined)
      for (const [target, next] of successors(instruction, index, state))
        if (target < program.length) states[target] = join(states[target], next);
    return look(instruction, index, state);
  });
}

function successors(
  { code, jt, jf, k }: SockFilter,
  index: number,
  state: State,
): [target: number, next: State][] {
  const next = index + 1;
  const kind = code & 0x07;
  if (kind === BPF_RET) return [];
  if (code === (BPF_JMP | BPF_JA)) return [[next + k, state]];
  if (kind === BPF_JMP)
    return [
      [next + jt, assume(state, code, k, true)],
      [next + jf, assume(state, code, k, false)],
    ];
  if (kind === BPF_ST || kind === BPF_STX || code === (BPF_MISC | BPF_TAX)) return [[next, state]];
  const holds = accumulatorAfter(code, k, state);
  return [[next, { ...state, ...numberAfter(code, k, state), holds }]];
}

/** What is known of the number after an instruction that loads it, or clears the x32 bit of it. */
function numberAfter(code: number, k: number, { holds, from, to, numbering }: State): Partial<State> {
  if (code === (BPF_LD | BPF_W | BPF_ABS) && k === OFFSET_NR && numbering !== 'nr')
    return { from: 0, to: 0xffffffff, numbering: 'nr' };
  if (!clearsX32Bit(code, k, holds)) return {};
  if (numbering !== 'nr') return { from: 0, to: CLEAR_X32_BIT, numbering: 'either' };
  const isX32 = from >= X32_SYSCALL_BIT && to < 2 * X32_SYSCALL_BIT;
  return isX32
    ? { from: from - X32_SYSCALL_BIT, to: to - X32_SYSCALL_BIT, numbering: 'x32' }
    : { from: 0, to: CLEAR_X32_BIT, numbering: from >= X32_SYSCALL_BIT ? 'x32' : 'either' };
}

function clearsX32Bit(code: number, k: number, holds: string | undefined): boolean {
  return code === (BPF_ALU | BPF_AND | BPF_K) && k === CLEAR_X32_BIT && holds === 'nr';
}

function accumulatorAfter(code: number, k: number, state: State): string | undefined {
  if (code === (BPF_LD | BPF_W | BPF_ABS)) return fieldAt(k, endianOf(state));
  if ((code & 0x07) === BPF_LDX) return state.holds;
  if (clearsX32Bit(code, k, state.holds)) return 'nr';
  if (code === (BPF_ALU | BPF_AND | BPF_K) && state.holds !== undefined)
    return `${state.holds} & 0x${k.toString(16)}`;
  return undefined;
}

/** The name of the word at a byte offset of seccomp_data; undefined where there is none. */
function fieldAt(offset: number, endian: Endian): string | undefined {
  if (offset === OFFSET_NR) return 'nr';
  if (offset === OFFSET_ARCH) return 'arch';
  if (offset % 4 !== 0 || offset >= SECCOMP_DATA_BYTES) return undefined;
  const half = (offset % 8 === 0) === (endian === 'big') ? 'high' : 'low';
  if (offset < OFFSET_ARGS) return `instruction_pointer ${half}`;
  return `args[${Math.floor((offset - OFFSET_ARGS) / 8)}] ${half}`;
}

function assume(state: State, code: number, k: number, taken: boolean): State {
  const test = code & 0xf0;
  if ((code & BPF_X) !== 0) return state;
  if (state.holds === 'arch') {
    const possible = [...state.arches].filter((arch) =>
      arch === ANY_OTHER ? !(test === BPF_JEQ && taken) : (branchTaken(test, arch, k) ?? false) === taken,
    );
    return { ...state, arches: new Set(possible) };
  }
  if (state.holds !== 'nr') return state;
  const { from, to } = state;
  if (test === BPF_JEQ && taken) return { ...state, from: k, to: k };
  if (test === BPF_JEQ) return { ...state, from: from === k ? k + 1 : from, to: to === k ? k - 1 : to };
  if (test !== BPF_JGE && test !== BPF_JGT) return state;
  const first = test === BPF_JGE ? k : k + 1;
  return taken ? { ...state, from: Math.max(from, first) } : { ...state, to: Math.min(to, first - 1) };
}

function join(a: State | undefined, b: State): State {
  if (a === undefined) return b;
  return {
    options: a.options,
    holds: a.holds === b.holds ? a.holds : undefined,
    arches: new Set([...a.arches, ...b.arches]),
    from: Math.min(a.from, b.from),
    to: Math.max(a.to, b.to),
    numbering: a.numbering === b.numbering ? a.numbering : 'either',
    calls: joinCalls(callsOf(a), callsOf(b)),
  };
}

function joinCalls(a: State['calls'], b: State['calls']): State['calls'] {
  if (a === undefined || b === undefined) return undefined;
  const known = new Map([...a, ...b].map((each) => [`${each.arch} ${each.call}`, each]));
  return known.size > MAX_NAMED_CALLS ? undefined : [...known.values()];
}

/** The calls that can be meant; undefined where that is not known, or a number has no name. */
function callsOf(state: State): State['calls'] {
  const { tables } = state.options;
  if (state.from !== state.to || tables === undefined) return state.calls;
  const calls = contextArches(state).flatMap((arch) => {
    const call = nameOn(arch, tables, state.from, state.numbering);
    return call === undefined ? [] : [{ arch: arch.name, call }];
  });
  return calls.length === 0 ? undefined : calls;
}

function comment(
  program: readonly SockFilter[],
  { code, jt, jf, k }: SockFilter,
  index: number,
  state: State,
): string | undefined {
  const kind = code & 0x07;
  if (code === (BPF_LD | BPF_W | BPF_ABS)) return withName(fieldAt(k, endianOf(state)), state);
  if (clearsX32Bit(code, k, state.holds)) return 'nr without the x32 bit';
  if (code === (BPF_RET | BPF_K)) return describeReturn(k, state);
  if (code === (BPF_RET | BPF_A)) return undefined;
  if (kind !== BPF_JMP || code === (BPF_JMP | BPF_JA) || (code & BPF_X) !== 0) return undefined;

  const sides = ([['yes', jt, true], ['no', jf, false]] as const).flatMap(([word, skip, taken]) => {
    const target = program[index + 1 + skip];
    if (target?.code !== (BPF_RET | BPF_K)) return [];
    const side = assume(state, code, k, taken);
    return [`${word}${describeRange(code, state, side)}: ${describeReturn(target.k, side)}`];
  }); // prettier-ignore
  const parts = [describeTest(code & 0xf0, k, state), ...sides].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join('; ');
}

/** ` 60..255` where an ordered test leaves more than one number. */
function describeRange(code: number, { holds }: State, { from, to }: State): string {
  const test = code & 0xf0;
  if (holds !== 'nr' || (test !== BPF_JGE && test !== BPF_JGT) || from >= to) return '';
  return ` ${formatNumber(from)}..${formatNumber(to)}`;
}

const SYMBOLS = new Map([
  [BPF_JEQ, '=='],
  [BPF_JGT, '>'],
  [BPF_JGE, '>='],
  [BPF_JSET, '&'],
]);

function describeTest(test: number, k: number, state: State): string | undefined {
  const symbol = SYMBOLS.get(test);
  if (symbol === undefined || state.holds === undefined) return undefined;
  if (state.holds === 'arch') {
    const names = test === BPF_JEQ ? archesOf(k).map((arch) => arch.name) : [];
    return `arch ${symbol} ${names.length > 0 ? names.join('/') : `0x${k.toString(16)}`}`;
  }
  if (state.holds === 'nr') {
    if (test === BPF_JSET) return `nr & 0x${k.toString(16)}`;
    const nr = state.numbering === 'x32' ? 'x32 nr' : 'nr';
    return `${nr} ${symbol} ${describeNumber(k, state) ?? formatNumber(k)}`;
  }
  const constant = /\blow\b/.test(state.holds)
    ? ofArgument('constant', state.holds, state, BigInt(k))
    : undefined;
  // Of a mask that is not all flags, single names would say nothing.
  const shown = constant?.includes('0x') ? undefined : constant;
  return [`${state.holds} ${symbol} 0x${k.toString(16)}`, shown].join(' ').trimEnd();
}

/** `args[0] low (family)` where the call is known. */
function withName(field: string | undefined, state: State): string | undefined {
  const name = field && ofArgument('argument', field, state);
  return name === undefined ? field : `${field} (${name})`;
}

/** The name of an argument or of a value of it, if all calls that get here agree. */
function ofArgument(
  what: 'argument' | 'constant',
  field: string,
  state: State,
  value = 0n,
): string | undefined {
  const name = state.options.tables?.[what];
  const index = /^args\[(\d)\]/.exec(field)?.[1];
  if (name === undefined || index === undefined) return undefined;
  const names = (callsOf(state) ?? []).map(({ arch, call }) => name(arch, call, Number(index), value));
  return new Set(names).size === 1 ? names[0] : undefined;
}

/**
 * `0 read`, or `2 open (X86_64), fork (X86)` for several architectures; undefined without a name.
 */
function describeNumber(nr: number, state: State): string | undefined {
  const { tables } = state.options;
  if (tables === undefined) return undefined;
  const names = new Map<string, string[]>();
  for (const arch of contextArches(state)) {
    const name = nameOn(arch, tables, nr, state.numbering);
    if (name !== undefined) names.set(name, [...(names.get(name) ?? []), arch.name]);
  }
  if (names.size === 0) return undefined;
  if (names.size === 1) return `${formatNumber(nr)} ${[...names.keys()][0]}`;
  return `${formatNumber(nr)} ${[...names].map(([name, arches]) => `${name} (${arches.join(' ')})`).join(', ')}`;
}

function nameOn(
  arch: Arch,
  tables: SyscallTables,
  nr: number,
  numbering: State['numbering'],
): string | undefined {
  const table = tableOf(tables, arch);
  const plain = numbering === 'x32' ? undefined : table?.nameOf(nr);
  if (plain !== undefined || numbering === 'nr' || arch.name !== 'X32') return plain;
  return table?.nameOf((nr | X32_SYSCALL_BIT) >>> 0);
}

/** Undefined for a table that is not loaded, such as X32's in a listing for X86_64 only. */
function tableOf(tables: SyscallTables, arch: Arch): SyscallTable | undefined {
  try {
    return tables.of(arch.name);
  } catch {
    return undefined;
  }
}

/** Decimal, as usual for syscall numbers; hexadecimal if bit 30 matters. */
function formatNumber(nr: number): string {
  return nr >= X32_SYSCALL_BIT ? `0x${nr.toString(16)}` : String(nr);
}

/** `ERRNO EPERM`, `TRACE 1`, `ALLOW`; the errno's name is the architecture's own. */
function describeReturn(value: number, state: State): string {
  const label = actionLabel(value);
  if (label === undefined) return 'no known action: the kernel kills the process';
  const data = value & SECCOMP_RET_DATA;
  if (label === 'TRACE') return `TRACE ${data}`;
  if (label !== 'ERRNO') return data === 0 ? label : `${label} with data ${data}`;
  if (data === 0) return 'ERRNO 0, the call seems to succeed';
  const sets = new Set(contextArches(state).map((arch) => arch.errnos));
  const names = new Set(
    [...(sets.size === 0 ? ['generic' as const] : sets)].map((set) => errnoName(data, set)),
  );
  const named = [...names].filter((name) => name !== undefined);
  return named.length === 0 ? `ERRNO ${data}` : `ERRNO ${named.join('/')}`;
}

/** The architectures of a call here: those that the path has tested for, else the given one. */
function contextArches(state: State): readonly Arch[] {
  const { arch } = state.options;
  if (state.arches.size > MAX_NAMED_ARCHES || state.arches.has(ANY_OTHER))
    return arch === undefined ? [] : archesOf(archOf(arch).auditArch);
  return allArches().filter(({ auditArch }) => state.arches.has(auditArch));
}

/** One architecture, or X86_64 with X32. */
function archesOf(auditArch: number): readonly Arch[] {
  return allArches().filter((arch) => arch.auditArch === auditArch);
}

function endianOf(state: State): Endian {
  return contextArches(state)[0]?.endian ?? state.options.endian ?? 'little';
}
