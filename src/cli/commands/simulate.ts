import type { ArchName } from '../../arch.ts';
import { run as runProgram } from '../../bpf/interpreter.ts';
import { isAlwaysAllowed } from '../../prove/program/bitmap.ts';
import { answerParts, describeAnswer, describeCall } from '../../prove/describe.ts';
import { CliCommand } from '../command.ts';
import { archArgument } from '../options/target-options.ts';
import { parseCall } from '../options/call.ts';
import { refuseUnconfined } from '../options/confined.ts';
import { hostArch } from '../options/host.ts';
import { bearingOn } from '../options/bearing.ts';
import { recogniseFilter } from '../options/filter-file.ts';
import type { FilterInput } from '../options/filter-file.ts';
import { readInput } from '../options/input-file.ts';
import { addReadingOptions, openProfile, withNotes } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { testedArches } from '../../bpf/tested-arches.ts';

interface Options extends TargetFlags, ReadingFlags, OutputOptions {
  callArch?: ArchName;
  ip: string;
}

const HELP = `
CALL is a name or a number. ARG is decimal, 0x hex or negative (two's complement), a constant
such as AF_VSOCK, or several of these joined by |. Missing arguments are 0.

The input can be a filter (raw, or a text such as base64 or hex) or a profile. The target options apply to
profiles. For a filter, --arch is the architecture of the call; the default is this
machine's if the filter knows it, else the first that the filter tests.

"bitmap: yes" means that Linux 5.11 and newer do not run the filter for this call.

Examples:
  seccompc simulate profile.json clone3
  seccompc simulate profile.json socket AF_VSOCK SOCK_STREAM
  seccompc simulate profile.json --call-arch x86 socketcall 1
  seccompc simulate filter.bpf 435 --json`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('simulate')
    .description('Says what a profile or a filter answers to one system call.')
    .argument('PROFILE|FILTER', 'a profile or a compiled filter; - for standard input')
    .argument('CALL', 'name or number of the call')
    .argument('[ARG...]', 'its arguments, up to six')
    .option('--call-arch <A>', 'architecture of the call, if not --arch', archArgument)
    .option('--ip <N>', 'instruction pointer', '0')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addReadingOptions(addOutputOptions(command)));
}

async function run(file: string, call: string, args: string[], options: Options): Promise<void> {
  const bytes = await readInput(file);
  const given = recogniseFilter(bytes);
  const profile = given === undefined ? await compileProfile(bytes, file, options) : undefined;
  const { program, endian } = given ?? profile!;
  const arch = options.callArch ?? options.arch ?? defaultArch(given);
  const asked = await parseCall({ call, args, ip: options.ip, arch });
  await profile?.warn(asked.name);
  const answer = runProgram(program, asked.data, endian);
  const found = {
    ...answerParts(answer.value, arch),
    steps: answer.steps,
    bitmap: isAlwaysAllowed(program, arch, asked.data),
    path: answer.path,
    call: {
      arch,
      nr: asked.data.nr,
      name: asked.name ?? null,
      args: asked.data.args.map(String),
      text: await describeCall(asked.data, arch),
    },
  };
  if (options.json) return writeProduct(toJson(found));
  const lines = [
    describeAnswer(answer.value, arch),
    `steps: ${found.steps}`,
    `path: ${found.path.join(' ')}`,
    `bitmap: ${found.bitmap ? 'yes' : 'no'}`,
    `call: ${found.call.text}`,
  ];
  await writeProduct(`${lines.join('\n')}\n`);
}

/** `warn` prints what has a bearing on one call. */
async function compileProfile(
  input: Uint8Array,
  path: string,
  options: Options,
): Promise<FilterInput & { warn: (call: string | undefined) => Promise<void> }> {
  const { bytes, file, notes } = await openProfile(input, path, options);
  const { compile } = await import('../../compile.ts');
  const { readInput: readProfile } = await import('../../compile/findings.ts');
  const target = targetOf(options);
  const { profile } = readProfile(bytes, { file, semantics: target.semantics });
  const filter = await withNotes(notes, compile(profile, { target, prove: 'never', file }));
  refuseUnconfined(filter, file);
  const warn = async (call: string | undefined) =>
    printDiagnostics(
      bearingOn(filter.diagnostics, profile, new Set(call === undefined ? [] : [call])),
      options,
    );
  return { program: filter.instructions, endian: filter.endian, warn };
}

/** For a filter: this machine's architecture if it is one of the filter's, else the filter's first. */
function defaultArch(given: FilterInput | undefined): ArchName {
  if (given === undefined) return hostArch();
  const tested = testedArches(given.program);
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
