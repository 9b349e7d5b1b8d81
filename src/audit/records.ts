/**
 * Refused calls in the logs that people have: SECCOMP records of the kernel (dmesg, journal,
 * audit.log, also as `ausearch -i` shows them) and strace. Sources: kernel/auditsc.c
 * `audit_seccomp`, auparse/seccomptab.h of audit-userspace.
 */
import {
  SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_TRAP, SECCOMP_RET_USER_NOTIF,
} from '../action.ts'; // prettier-ignore
import { abiOfCall, archesOf, archOf, compatibleArches, parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { errnoNumber } from '../errno.ts';
import { ArgumentError, parseArgument } from '../format/call.ts';
import { loadCallFacts } from '../syscalls/constants.ts';
import { loadTables } from '../syscalls/load.ts';
import { signatureOf } from '../syscalls/signatures.ts';
import { straceLine } from './strace-line.ts';

/** An argument that the log does not give as a number is undefined. */
export type LoggedArgs = readonly (bigint | undefined)[];

/** One call that a filter has stopped or logged. */
export interface AuditRecord {
  /** `seccomp_data.arch`, u32. */
  auditArch: number;
  /** Undefined for an audit arch that no architecture has. */
  abi: ArchName | undefined;
  /** As in `seccomp_data.nr`, with bit 30 for x32. */
  nr: number;
  name: string | undefined;
  /** Upper half of the return value (u32), all that the kernel logs. */
  action: number;
  /** Lower half, which only strace shows. */
  errno?: number;
  pid?: number;
  /** The executable, or the name of the process where there is no other. */
  program?: string;
  /** Only strace has them. */
  args?: LoggedArgs;
  /** Line in the log, 1-based. */
  line: number;
}

/** Records of one call with one action. */
export interface FoldedRecord extends Omit<AuditRecord, 'pid' | 'program' | 'args' | 'line'> {
  count: number;
  /** In the order of the log, each once. */
  programs: string[];
  /** Distinct lists of arguments; empty if the log has none. */
  args: LoggedArgs[];
  lines: number[];
}

export interface Log {
  records: AuditRecord[];
  /** Lines of records that name an unknown architecture, call or action. */
  unread: number[];
}

/** A record whose words are not looked up yet. */
interface Raw extends Pick<AuditRecord, 'pid' | 'program' | 'line'> {
  arch: string;
  call: string;
  /** Undefined for a word that is no action. */
  action: number | undefined;
  /** A name such as EPERM. */
  errno?: string;
  /** As strace shows them. */
  args?: string[];
  /** Of `strace -n`: tells the architecture of a process apart from that of strace. */
  number?: number;
}

/** The words of auparse; older ones print `kill` for both kinds. */
const ACTIONS: Record<string, number> = {
  kill: SECCOMP_RET_KILL_THREAD,
  'kill-thread': SECCOMP_RET_KILL_THREAD,
  'kill-process': SECCOMP_RET_KILL_PROCESS,
  trap: SECCOMP_RET_TRAP,
  errno: SECCOMP_RET_ERRNO,
  'user-notif': SECCOMP_RET_USER_NOTIF,
  trace: SECCOMP_RET_TRACE,
  log: SECCOMP_RET_LOG,
  allow: SECCOMP_RET_ALLOW,
};

/** Longer than any line of the kernel's log (AUDIT_MESSAGE_TEXT_MAX is 8560). */
const LONGEST_LINE = 16384;

/** @param arch whose calls strace lines are; undefined: they are left out */
export async function readLog(text: string, arch?: ArchName): Promise<Log> {
  const raw: Raw[] = [];
  const strace = new StraceReader(arch);
  text.split(/\r?\n/).forEach((whole, index) => {
    const line = whole.slice(0, LONGEST_LINE).trimEnd();
    const found = kernelRecord(line, index + 1);
    if (found !== undefined) raw.push(found);
    else if (arch !== undefined) raw.push(...strace.read(line, index + 1));
  });
  raw.push(...strace.end());
  return resolve(raw.toSorted((a, b) => a.line - b.line));
}

/**
 * Every call of a strace log, each once; with its arguments, so once for each list of them, where
 * they are wanted.
 *
 * @param arch of strace
 */
export async function readCalls(
  lines: AsyncIterable<string>,
  arch: ArchName,
  wantsArguments: (call: string) => boolean,
): Promise<Log> {
  const strace = new StraceReader(arch, true);
  const found = new Map<string, Raw>();
  let line = 0;
  for await (const whole of lines)
    for (const { args, ...made } of strace.read(whole.slice(0, LONGEST_LINE).trimEnd(), ++line)) {
      const kept = wantsArguments(made.call) ? args : undefined;
      const key = [made.arch, made.number, made.call, kept?.join()].join(' ');
      if (!found.has(key)) found.set(key, kept === undefined ? made : { ...made, args: kept });
    }
  return resolve([...found.values()]);
}

/** The fields in the order in which the kernel prints them. In JSON, quotes have backslashes. */
function kernelRecord(text: string, line: number): Raw | undefined {
  if (!/type=1326\b|\bSECCOMP\b/.test(text)) return undefined;
  const plain = text.replaceAll(String.raw`\"`, '"');
  // ausearch prints names as they are, so one may look like other fields.
  const [sig, exe] = [plain.lastIndexOf(' sig='), plain.lastIndexOf(' exe=')];
  const fields = /^ sig=\S+ arch=(\S+) syscall=(\S+) .*?code=([\w-]+)/.exec(sig < 0 ? '' : plain.slice(sig));
  if (fields === null && !plain.includes(' syscall=')) return undefined;
  const [, arch = '', call = '', code = ''] = fields ?? [];
  const value = /^0x[0-9a-f]{1,8}$/.test(code) ? Number(code) : ACTIONS[code];
  const action = value === undefined ? undefined : (value & SECCOMP_RET_ACTION_FULL) >>> 0;
  const pid = / pid=(\d+)/.exec(plain)?.[1];
  const program = [plain.slice(exe + 5, sig), plain.slice(plain.indexOf(' comm=') + 6, exe)]
    .map(plainText)
    .find((name) => exe >= 0 && !['', '(null)', '?'].includes(name));
  return {
    ...(pid === undefined ? {} : { pid: Number(pid) }),
    ...(program === undefined ? {} : { program }),
    arch,
    call,
    action,
    line,
  };
}

/** The kernel quotes a text, or writes it in hex if it has blanks, quotes or control characters. */
function plainText(text: string): string {
  const quoted = /^"(.*)"$/.exec(text);
  if (quoted) return quoted[1]!;
  if (!/^(?:[0-9A-F]{2})+$/.test(text)) return text;
  return new TextDecoder().decode(Uint8Array.from(text.match(/../g)!, (pair) => Number(`0x${pair}`)));
}

const MODES: Record<string, ArchName> = { '64': 'X86_64', '32': 'X86', x32: 'X32' };

/** Follows the processes of a strace log, also without `-f`, with or without times. */
class StraceReader {
  readonly #arch: ArchName | undefined;
  /** Whether all calls are wanted, not only refused ones. */
  readonly #every: boolean;
  readonly #modes = new Map<string, ArchName>();
  /** What a process began before another one got its turn. */
  readonly #unfinished = new Map<string, string>();
  /** The last call of each process, which its end or a signal may turn into a refused one. */
  readonly #last = new Map<string, Raw & { result: string }>();

  constructor(arch: ArchName | undefined, every = false) {
    this.#arch = arch;
    this.#every = every;
  }

  read(whole: string, line: number): Raw[] {
    const { pid, number, rest } = straceLine(whole);
    const mode = /^\[ Process PID=(\d+) runs in (\w+)(?: bit)? mode\. \]/.exec(rest);
    if (mode) this.#modes.set(mode[1]!, MODES[mode[2]!] ?? this.#arch!);
    const common = { ...(pid === '' ? {} : { pid: Number(pid) }), line };
    const signal = /^--- SIGSYS \{.*si_syscall=(?:__NR_)?(\w+).*si_arch=AUDIT_ARCH_(\w+)/.exec(rest);
    const last = this.#last.get(pid);
    if (signal && !this.#every) {
      this.#last.delete(pid);
      const args = last?.args === undefined ? {} : { args: last.args };
      return [{ ...common, ...args, arch: signal[2]!, call: signal[1]!, action: SECCOMP_RET_TRAP }];
    }
    if (rest.startsWith('+++ killed by SIGSYS') && last !== undefined && !this.#every) {
      this.#last.delete(pid);
      return [{ ...last, action: SECCOMP_RET_KILL_PROCESS }];
    }
    if (/^(?:\+\+\+|---) /.test(rest)) this.#last.delete(pid);
    const cut = rest.indexOf('<unfinished ...>');
    if (cut > 0) {
      const begun = rest.slice(0, cut).trimEnd();
      this.#unfinished.set(pid, begun);
      const call = /^(\w+)\((.*)$/.exec(begun);
      // What a process does not come back from.
      if (!call) return [];
      const made = { ...this.#call(pid, call[1]!, call[2]!, line, number), result: '' };
      this.#last.set(pid, made);
      return this.#every ? [{ ...made, action: SECCOMP_RET_ALLOW }] : [];
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const text = resumed ? `${this.#unfinished.get(pid) ?? ''}${resumed[1]!}` : rest;
    const call = /^(\w+)\((.*)\)\s+= (.*)$/.exec(text);
    if (call === null) return [];
    const [, name = '', args = '', result = ''] = call;
    const made = { ...this.#call(pid, name, args, line, number), result };
    this.#last.set(pid, made);
    if (this.#every) return resumed ? [] : [{ ...made, action: SECCOMP_RET_ALLOW }];
    const errno = /^-1 (E[A-Z0-9]+)\b/.exec(result)?.[1];
    return errno === undefined ? [] : [{ ...made, action: SECCOMP_RET_ERRNO, errno }];
  }

  /**
   * A call without result at the end of a log, as people paste it, was the last one of its process.
   */
  end(): Raw[] {
    return [...this.#last.values()]
      .filter(({ result, call }) => result === '?' && !/^exit(_group)?$/.test(call))
      .map((made) => ({ ...made, action: SECCOMP_RET_KILL_PROCESS }));
  }

  #call(pid: string, name: string, args: string, line: number, number?: number): Raw {
    const call = /^syscall_(0x[0-9a-f]+)$/.exec(name)?.[1] ?? name;
    const arch = this.#modes.get(pid) ?? this.#arch!;
    return {
      arch,
      call,
      action: undefined,
      args: splitArgs(args),
      line,
      ...(pid === '' ? {} : { pid: Number(pid) }),
      ...(number === undefined ? {} : { number }),
    };
  }
}

/** Cuts at commas that are in no string, structure or list. */
export function splitArgs(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|./gs)) {
    if ('{[(<'.includes(token)) depth += 1;
    else if ('}])>'.includes(token)) depth = Math.max(0, depth - 1);
    if (token === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** Arguments by their index: strace shows those of clone with names, in an order of its own. */
function valuesOf(abi: ArchName, call: string, texts: readonly string[]): LoggedArgs {
  const values: (bigint | undefined)[] = [];
  for (const [at, text] of texts.entries()) {
    const [, name, named] = /^(\w+)=(.*)$/s.exec(text) ?? [];
    const parameters = signatureOf(abi, call)?.args ?? [];
    const index = name === undefined ? at : parameters.findIndex((each) => each.name.endsWith(name));
    if (index >= 0) values[index] = valueOf(abi, call, index, named ?? text);
  }
  return Array.from(values);
}

/** The value of a text; a number may have the file behind it that a descriptor is of. */
function valueOf(abi: ArchName, call: string, index: number, text: string): bigint | undefined {
  if (text === 'NULL') return 0n;
  const plain = /^(-?\d+)<.*>$/s.exec(text)?.[1] ?? text;
  try {
    const decimal = (part: string) => (/^0[0-7]+$/.test(part) ? String(Number.parseInt(part, 8)) : part);
    return parseArgument(abi, call, index, plain.split('|').map(decimal).join('|'));
  } catch (error) {
    if (error instanceof ArgumentError) return undefined;
    throw error;
  }
}

async function resolve(raw: readonly Raw[]): Promise<Log> {
  const log: Log = { records: [], unread: [] };
  const hasNumbers = raw.some(({ number }) => number !== undefined);
  const abis = new Map(
    raw.map(({ arch }) => {
      const named = archesNamed(arch);
      return [arch, hasNumbers ? [...named, ...compatibleArches(named[0])] : named];
    }),
  );
  if (raw.some(({ args }) => args !== undefined)) await loadCallFacts();
  const tables = await loadTables([...abis.values()].flat().map((name) => archOf(name).table));
  for (const { arch, call, action, errno, args, number: numbered, ...rest } of raw) {
    const all = abis.get(arch)!;
    const exact = all.find((each) => numbered !== undefined && tables.of(each).nameOf(numbered) === call);
    const candidates = exact === undefined ? all : [exact];
    const auditArch = candidates.length > 0 ? archOf(candidates[0]!).auditArch : hexArch(arch);
    const number = numberOf(call);
    const named = candidates.map((abi) => tables.of(abi).numberOf(call)).find((nr) => nr !== undefined);
    const nr = number ?? named;
    if (auditArch === undefined || nr === undefined || action === undefined) {
      // strace names many calls that failed for reasons of their own.
      if (errno === undefined || errno === 'EPERM' || errno === 'ENOSYS') log.unread.push(rest.line);
      continue;
    }
    const abi = abiOfCall(auditArch, nr);
    const value =
      errno === undefined || abi === undefined ? undefined : errnoNumber(errno, archOf(abi).errnos);
    const name = abi && tables.of(abi).nameOf(nr);
    log.records.push({
      auditArch,
      abi,
      nr,
      name,
      action,
      ...(args && abi && name ? { args: valuesOf(abi, name, args) } : {}),
      ...(value === undefined ? {} : { errno: value }),
      ...rest,
    });
  }
  return log;
}

/**
 * Of an audit arch in hex (without 0x in the kernel's log), or of a name such as `AUDIT_ARCH_I386`
 * or `x86_64`.
 */
function archesNamed(text: string): ArchName[] {
  const number = hexArch(text);
  if (number !== undefined) return archesOf(number);
  const named = parseArch(text.replace(/^AUDIT_ARCH_/, ''));
  return named === undefined ? [] : [...new Set([named, ...archesOf(archOf(named).auditArch)])];
}

function hexArch(text: string): number | undefined {
  return /^(?:0x)?[0-9a-f]{1,8}$/.test(text) ? Number.parseInt(text, 16) : undefined;
}

function numberOf(call: string): number | undefined {
  const digits = /^(?:unknown-syscall\()?(\d+|0x[0-9a-f]+)\)?$/.exec(call)?.[1];
  return digits === undefined || Number(digits) > 0xffffffff ? undefined : Number(digits);
}

/** Records of one call with one action as one, in the order of the log. */
export function foldRecords(records: readonly AuditRecord[]): FoldedRecord[] {
  const folded = new Map<string, FoldedRecord>();
  const known = new Set<string>();
  const isNew = (text: string) => known.size < known.add(text).size;
  for (const { auditArch, abi, nr, name, action, errno, program, args, line } of records) {
    const key = [auditArch, nr, action, errno].join(' ');
    const call = { auditArch, abi, nr, name, action, ...(errno === undefined ? {} : { errno }) };
    const one = folded.get(key) ?? { ...call, count: 0, programs: [], args: [], lines: [] };
    folded.set(key, one);
    one.count += 1;
    one.lines.push(line);
    if (program !== undefined && isNew(`${key} of ${program}`)) one.programs.push(program);
    if (args !== undefined && isNew(`${key} with ${args.join(' ')}`)) one.args.push(args);
  }
  return [...folded.values()];
}
