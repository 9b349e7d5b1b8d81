import type { Command } from 'commander';
import { archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import type { SeccompData } from '../../bpf/instruction.ts';
import { fail } from '../../errors.ts';
import { addOperandOptions } from './operand.ts';
import type { OperandFlags } from './operand.ts';
import { withProcess } from './process.ts';
import type { ProcessFlags } from './process.ts';
import { archArgument } from './target-options.ts';
import { loadTables } from '../../syscalls/load.ts';

/** A call as typed on the command line. */
export interface CallText {
  /** Name, or number in decimal or 0x hex; -1 is what a tracer sets to skip a call. */
  call: string;
  /** At most six; those that are missing are 0. */
  args: string[];
  ip: string;
  arch: ArchName;
}

export interface Call {
  data: SeccompData;
  /** Undefined for a number that is no call of this architecture. */
  name: string | undefined;
}

const ARGUMENTS = 6;

/** The flags of a command that asks about a call. */
export interface CallFlags extends OperandFlags {
  callArch?: ArchName;
}

/**
 * The words and options of such a command. `words` is how its usage shows those behind the profile.
 */
export function addCallOptions<C extends Command>(command: C, words: string): C {
  command
    .usage(`[options] PROFILE|FILTER|--pid N ${words}`)
    .argument('[PROFILE|FILTER]', 'a profile or a compiled filter; - for standard input')
    .argument('[CALL]', 'name or number of the call')
    .argument('[ARG...]', 'its arguments, up to six')
    .option('--call-arch <A>', 'architecture of the call, if not --arch', archArgument);
  return addOperandOptions(command);
}

/** The words of such a command as its action gets them. */
export type CallWords = [first: string | undefined, second: string | undefined, others: string[]];

/**
 * The profile or filter, undefined for a process; then the call and its arguments.
 * @throws InvalidArgumentError
 */
export function splitWords(
  [first, second, others]: CallWords,
  flags: ProcessFlags,
): [string | undefined, ...string[]] {
  const words = second === undefined ? others : [second, ...others];
  return withProcess(first, words, 'PROFILE|FILTER', flags);
}

/** @throws SeccompcError CALL_UNKNOWN, USAGE */
export async function parseCall({ call, args, ip, arch }: CallText): Promise<Call> {
  const table = (await loadTables([archOf(arch).table])).of(arch);
  if (args.length > ARGUMENTS)
    fail('USAGE', { reason: `a call has at most ${ARGUMENTS} arguments, not ${args.length}` });
  const nr = integer(call, 32);
  const number = nr === undefined ? table.numberOf(call) : Number(nr);
  if (number === undefined) {
    const { lookup } = await import('../../syscalls/lookup.ts');
    const found = await lookup(call, 'all');
    if (found.kind === 'found') {
      const arches = found.calls.map((each) => each.arch);
      const more = arches.length > 3 ? ` and ${arches.length - 3} more architectures` : '';
      const elsewhere = `, but on ${arches.slice(0, 3).join(', ')}${more}`;
      fail('CALL_UNKNOWN', { call, arch, elsewhere }, { hint: 'name its architecture with --call-arch' });
    }
    const near = found.kind === 'unknown' ? found.nearest : [];
    const hint = near.length === 0 ? {} : { hint: `did you mean ${near.join(' or ')}?` };
    fail('CALL_UNKNOWN', { call, arch }, hint);
  }
  const name = table.nameOf(number);
  const values = await argumentsOf(arch, name ?? call, args);
  return {
    data: {
      nr: number,
      arch: archOf(arch).auditArch,
      ip: unsigned(ip, `--ip "${ip}"`),
      args: Array.from({ length: ARGUMENTS }, (_, index) => values[index] ?? 0n),
    },
    name,
  };
}

/** @throws SeccompcError USAGE */
async function argumentsOf(arch: ArchName, call: string, args: readonly string[]): Promise<bigint[]> {
  if (args.length === 0) return [];
  const { ArgumentError, parseArgument } = await import('../../format/call.ts');
  const { loadCallFacts } = await import('../../syscalls/constants.ts');
  await loadCallFacts();
  try {
    return args.map((text, index) => parseArgument(arch, call, index, text));
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    return fail('USAGE', { reason: error.message }, error.hint === undefined ? {} : { hint: error.hint });
  }
}

function unsigned(text: string, what: string): bigint {
  return (
    integer(text, 64) ??
    fail('USAGE', { reason: `${what} is no number that 64 bits hold; decimal, 0x hex and negative ones are` })
  );
}

/**
 * Unsigned value of a decimal, hexadecimal or negative number, which is taken as its two's
 * complement.
 */
function integer(text: string, bits: 32 | 64): bigint | undefined {
  if (!/^-?(?:[0-9]+|0x[0-9a-f]+)$/i.test(text)) return undefined;
  const negative = text.startsWith('-');
  const magnitude = BigInt(negative ? text.slice(1) : text);
  const size = BigInt(bits);
  if (negative ? magnitude > 1n << (size - 1n) : magnitude >= 1n << size) return undefined;
  return BigInt.asUintN(bits, negative ? -magnitude : magnitude);
}
