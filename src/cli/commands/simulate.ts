import type { ArchName } from '../../arch.ts';
import { programsOf, runPrograms } from '../../bpf/stack.ts';
import type { Programs } from '../../bpf/stack.ts';
import { testedArches } from '../../bpf/tested-arches.ts';
import { isAlwaysAllowed } from '../../prove/program/bitmap.ts';
import { answerParts, describeAnswer, describeCall } from '../../prove/describe.ts';
import type { ProfileText } from '../../input/profile-text.ts';
import { CliCommand } from '../command.ts';
import { bearingOn } from '../options/bearing.ts';
import { addCallOptions, parseCall, splitWords } from '../options/call.ts';
import type { CallFlags } from '../options/call.ts';
import { refuseUnconfined } from '../options/confined.ts';
import { hostArch } from '../../host.ts';
import { readGiven } from '../options/operand.ts';
import { required } from '../options/process.ts';
import { withNotes } from '../options/profile-file.ts';
import { targetOf } from '../options/target-options.ts';
import { printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends CallFlags, OutputOptions {
  ip: string;
}

const HELP = `
CALL is a name or a number. ARG is decimal, 0x hex or negative (two's complement), a constant
such as AF_VSOCK, or several of these joined by |. Missing arguments are 0.

The input can be a filter (raw, or a text such as base64 or hex) or a profile. The target
options apply to profiles. For a filter, --arch is the architecture of the call; the default
is this machine's if the filter tests it, else the first that the filter tests. With --pid or
--container, the strictest answer of all filters of a running process counts.

"bitmap: yes" means that Linux 5.11 and newer do not run the filter for this call.

Examples:
  seccompc simulate profile.json clone3
  seccompc simulate profile.json socket AF_VSOCK SOCK_STREAM
  seccompc simulate profile.json --call-arch x86 socketcall 1
  seccompc simulate filter.bpf 435 --json
  seccompc simulate --pid 4242 mount`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('simulate')
    .description('Says what a profile or a filter answers to one system call.')
    .option('--ip <N>', 'instruction pointer', '0')
    .addHelpText('after', HELP)
    .runs(run);
  return addCallOptions(command, 'CALL [ARG...]');
}

async function run(
  first: string | undefined,
  second: string | undefined,
  others: string[],
  options: Options,
): Promise<void> {
  const [file, call, ...args] = splitWords([first, second, others], options);
  const wanted = required(call, 'CALL');
  const { side, tested, warn } = await openGiven(file, options);
  const arch = options.callArch ?? options.arch ?? defaultArch(tested);
  const asked = await parseCall({ call: wanted, args, ip: options.ip, arch });
  await warn(asked.name);
  const { value, steps, path, by } = runPrograms(side, asked.data);
  const bitmap = isAlwaysAllowed(side, arch, asked.data);
  const name = asked.name ?? null;
  const { nr } = asked.data;
  const text = await describeCall(asked.data, arch);
  const filters = programsOf(side).length;
  const decides = by === undefined ? null : by + 1;
  if (options.json)
    return writeProduct(
      toJson({
        ...answerParts(value, arch),
        steps,
        bitmap,
        path,
        ...('stack' in side && { filters, decides }),
        call: { arch, nr, name, args: asked.data.args.map(String), text },
      }),
    );
  const lines = [
    describeAnswer(value, arch),
    ...(filters === 1
      ? []
      : [`decided by: ${decides === null ? 'no filter' : `filter ${decides}`} of ${filters}`]),
    `steps: ${steps}`,
    `path: ${path.join(' ')}`,
    `bitmap: ${bitmap ? 'yes' : 'no'}`,
    `call: ${text}`,
  ];
  await writeProduct(`${lines.join('\n')}\n`);
}

interface Given {
  side: Programs;
  /** Architectures that a filter tests; undefined for a profile. */
  tested?: readonly ArchName[];
  /** Prints what has a bearing on one call. */
  warn: (call: string | undefined) => Promise<void>;
}

async function openGiven(file: string | undefined, options: Options): Promise<Given> {
  const given = await readGiven(file, options);
  if (!('side' in given)) return compileProfile(given, options);
  const { side, notes } = given;
  const tested = programsOf(side).flatMap(testedArches);
  return { side, tested, warn: () => printDiagnostics(notes, options) };
}

async function compileProfile({ bytes, file, notes }: ProfileText, options: Options): Promise<Given> {
  const { compile } = await import('../../compile.ts');
  const { readInput: readProfile } = await import('../../compile/findings.ts');
  const target = targetOf(options);
  const read = async () => {
    const { profile } = readProfile(bytes, { file, semantics: target.semantics });
    return { profile, ...(await compile(profile, { target, prove: 'never', file })) };
  };
  const filter = await withNotes(notes, read());
  refuseUnconfined(filter, file);
  const warn = async (call: string | undefined) =>
    printDiagnostics(
      bearingOn(filter.diagnostics, filter.profile, new Set(call === undefined ? [] : [call])),
      options,
    );
  return { side: { program: filter.instructions, endian: filter.endian }, warn };
}

/**
 * For a filter: this machine's architecture if it is one of the filter's, else the filter's first.
 */
function defaultArch(tested: readonly ArchName[] | undefined): ArchName {
  if (tested === undefined) return hostArch();
  const host = tested.length === 0 ? hostArch() : tested.find((arch) => arch === safeHostArch());
  return host ?? tested[0]!;
}

/** Undefined if this machine's architecture has no seccomp. */
function safeHostArch(): ArchName | undefined {
  try {
    return hostArch();
  } catch {
    return undefined;
  }
}
