import { InputError } from './input-error.ts';

/** One call of a table; `nr` is what `seccomp_data.nr` shows, base included. */
export interface Call {
  readonly nr: number;
  readonly name: string;
}

/** The base of a file's numbers: `(macro + n)` is value + n. */
export interface Base {
  readonly macro: string;
  readonly value: number;
}

const NUMBER = '(0|[1-9][0-9]*)';
const NAME = '([a-z_][a-z0-9_]*)';
const SPDX = /^\/\* SPDX-License-Identifier: [^*]+ \*\/$/;
/** Holes of the MIPS tables, not calls. */
const HOLE = /^(unused|reserved)[0-9]+$/;

/**
 * Reads a finished syscall table header: an include guard, blank lines and one form of
 * `#define __NR_`.
 *
 * With a base every number has to be written `(MACRO + n)`, without one plainly. Anything else is
 * refused, conditions and asm-generic/unistd.h's `__SYSCALL` forms included: they would need a
 * preprocessor.
 * @throws InputError for another form, a repeated name or a repeated number.
 */
export function parseUnistd(file: string, text: string, base?: Base): Call[] {
  const define = new RegExp(
    base ? `^#define __NR_${NAME} \\(${base.macro} \\+ ${NUMBER}\\)$` : `^#define __NR_${NAME} ${NUMBER}$`,
  );
  const guard = new IncludeGuard();
  const seen = new CallSet(file);
  const lines = linesOf(file, text);
  for (const [index, line] of lines.entries()) {
    const at = index + 1;
    if (line === '' || (at === 1 && SPDX.test(line)) || guard.accepts(line)) continue;
    const match = define.exec(line);
    if (!match || !guard.open) throw new InputError(file, at, `not part of a syscall table: ${line}`);
    seen.add({ name: match[1]!, nr: (base?.value ?? 0) + Number(match[2]) }, at);
  }
  if (!guard.closed) throw new InputError(file, lines.length, 'the include guard is not closed');
  return seen.calls.filter((call) => !HOLE.test(call.name));
}

/**
 * The value of a base macro: its last plain `#define` above the `#include <asm/...>` of the table
 * that uses it.
 * @throws InputError when either is missing.
 */
export function readBase(file: string, text: string, macro: string, table: string): Base {
  const lines = linesOf(file, text);
  const include = new RegExp(`^#\\s*include <asm/${table.replaceAll('.', '\\.')}>$`);
  const end = lines.findIndex((line) => include.test(line));
  if (end < 0) throw new InputError(file, lines.length, `does not include <asm/${table}>`);
  const define = new RegExp(`^#define ${macro}\\s+(0x[0-9a-f]+|${NUMBER})$`);
  const match = lines.slice(0, end).findLast((line) => define.test(line));
  if (match === undefined) throw new InputError(file, end + 1, `no ${macro} above the include of ${table}`);
  return { macro, value: Number(define.exec(match)![1]) };
}

/** The only alias that is left in a header. It is not in the table. */
const KNOWN_ALIAS = /^#define __NR_sync_file_range2\s+__NR_arm_sync_file_range$/;
const ARM_BASES = /^#define __NR_(OABI_SYSCALL_BASE|SYSCALL_MASK|SYSCALL_BASE)\s/;

/**
 * Arm's private calls from arm/asm/unistd.h, `__ARM_NR_<name>` = base + k.
 * @throws InputError for any other `__NR_` or `__ARM_NR_` definition: a new alias wants a decision.
 */
export function parseArmPrivate(file: string, text: string): Call[] {
  const privateCall = new RegExp(`^#define __ARM_NR_${NAME}\\s+\\(__ARM_NR_BASE\\+${NUMBER}\\)$`);
  const seen = new CallSet(file);
  let base: number | undefined;
  for (const [index, line] of linesOf(file, text).entries()) {
    const at = index + 1;
    const start = /^#define __ARM_NR_BASE\s+\(__NR_SYSCALL_BASE\+(0x[0-9a-f]+)\)$/.exec(line);
    const call = privateCall.exec(line);
    if (start) base = Number(start[1]);
    else if (call && base !== undefined) seen.add({ name: call[1]!, nr: base + Number(call[2]) }, at);
    else if (/__(ARM_)?NR_/.test(line) && !KNOWN_ALIAS.test(line) && !ARM_BASES.test(line))
      throw new InputError(file, at, `neither a private call nor a known alias: ${line}`);
  }
  return seen.calls;
}

function linesOf(file: string, text: string): string[] {
  if (!text.endsWith('\n')) throw new InputError(file, text.split('\n').length, 'the last line is cut off');
  return text.slice(0, -1).split('\n');
}

/** `#ifndef G`, `#define G`, ..., `#endif` with G in a comment. */
class IncludeGuard {
  private name: string | undefined;
  private defined = false;
  closed = false;

  get open(): boolean {
    return this.defined && !this.closed;
  }

  accepts(line: string): boolean {
    const start = /^#ifndef (_[A-Z0-9_]+_H)$/.exec(line);
    if (this.name === undefined) {
      this.name = start?.[1];
      return start !== null;
    }
    if (line === `#define ${this.name}` && !this.defined) this.defined = true;
    else if (line === `#endif /* ${this.name} */` && this.open) this.closed = true;
    else return false;
    return true;
  }
}

/** Calls so far; refuses a second use of a name or a number. */
class CallSet {
  readonly calls: Call[] = [];
  private readonly file: string;
  private readonly names = new Set<string>();
  private readonly numbers = new Set<number>();

  constructor(file: string) {
    this.file = file;
  }

  add(call: Call, line: number): void {
    if (this.names.has(call.name)) throw new InputError(this.file, line, `${call.name} is defined twice`);
    if (this.numbers.has(call.nr)) throw new InputError(this.file, line, `number ${call.nr} is used twice`);
    this.names.add(call.name);
    this.numbers.add(call.nr);
    this.calls.push(call);
  }
}
