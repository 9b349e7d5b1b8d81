import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { InvalidArgumentError } from 'commander';
import type { ArchName } from '../../arch.ts';
import { recordedProfile, startCalls } from '../../audit/recorded.ts';
import { readCalls } from '../../audit/records.ts';
import { diagnostic, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { findProgram } from '../../fs/find-program.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { hostArch } from '../../host.ts';
import { archArgument } from '../options/target-options.ts';
import { diagnosticJson, printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends OutputOptions {
  output?: string;
  fromLog?: string;
  arch?: ArchName;
  for: 'container' | 'exec';
  args: Map<string, number>;
}

const HELP = `
strace runs the command and everything it starts. The profile allows the calls that were
seen, on the architectures that were seen, and answers EPERM to all others.

--for container adds what crun and runc do after the filter is on. --for exec adds nothing:
"seccompc exec" needs only execve. Without --output, the profile is on standard output, and
that of the command goes to standard error.

A profile from one run is a start: other inputs, errors and kernels make other calls.

Examples:
  seccompc record -o profile.json -- ./server --self-test
  seccompc record --args socket:0 -o profile.json -- curl -s https://example.org
  strace -f -n -o log ./server; seccompc record --from-log log`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('record')
    .usage('[OPTION...] -- COMMAND...')
    .description('Makes a profile of the calls that a command makes.')
    .argument('[COMMAND...]', 'what to run, and its arguments')
    .option('-o, --output <FILE>', 'where to write the profile (default: standard output)')
    .option('--from-log <FILE>', 'read a log of strace instead of running a command')
    .option('--arch <A>', 'the architecture of the log (default: this machine)', archArgument)
    .option('--for <WHAT>', 'container or exec: what starts the command', startedBy, 'container')
    .option(
      '--args <CALL:INDEX>',
      'allow only the seen values of this argument (repeatable)',
      argument,
      new Map(),
    )
    .addHelpText('after', HELP)
    .runs(run);
  return addOutputOptions(command);
}

async function run(command: string[], options: Options): Promise<void> {
  const { fromLog, output } = options;
  if ((fromLog === undefined) === (command.length === 0))
    fail('USAGE', { reason: 'give either a command after --, or --from-log' });
  if (options.arch !== undefined && fromLog === undefined)
    fail('USAGE', { reason: '--arch is for --from-log; a command runs on this machine' });
  const arch = options.arch ?? hostArch();
  const wants = (call: string) => options.args.has(call);
  const read = (path: string) => readCalls(linesOf(path), arch, wants);
  const { log, ended } = fromLog === undefined ? await traced(command, output, read) : { log: await read(fromLog), ended: 0 }; // prettier-ignore
  if (log.records.length === 0)
    throw new SeccompcError([{ ...diagnostic('NOTHING_RECORDED'), ...(fromLog && { file: fromLog }) }]);
  const start = options.for === 'container' ? startCalls() : ['execve'];
  const { text, calls, arches, notNarrowed } = recordedProfile(log.records, arch, start, options.args);
  const notes: Diagnostic[] = [
    ...(ended === 0 ? [] : [diagnostic('RECORDED_COMMAND_FAILED', { end: ended })]),
    ...(log.unread.length === 0 ? [] : [diagnostic('RECORD_UNREADABLE', { count: log.unread.length })]),
    ...notNarrowed.map((name) => diagnostic('ARGUMENT_NOT_NARROWED', { argument: name })),
    diagnostic('RECORD_INCOMPLETE', { calls, arches: arches.join(', ') }),
  ];
  await printDiagnostics(notes, options);
  const json = { profile: JSON.parse(text) as unknown, diagnostics: notes.map(diagnosticJson) };
  await writeProduct(options.json ? toJson(json) : text, output);
}

/** Runs a command under strace. `ended` is its exit code. */
async function traced<Log>(
  command: readonly string[],
  output: string | undefined,
  read: (path: string) => Promise<Log>,
): Promise<{ log: Log; ended: number }> {
  const strace = findProgram('strace') ?? fail('STRACE_MISSING');
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-record-'));
  const path = join(folder, 'log');
  // The terminal sends its signals to the command too, which decides what becomes of them.
  const ignore = () => {};
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  try {
    const words = ['-f', '-qq', '-n', '-s', '0', '-e', 'signal=none', '-o', path, '--', ...command];
    const stdio = ['inherit', output === undefined ? 2 : 'inherit', 'inherit'] as const;
    const child = spawn(strace, words, { stdio: [...stdio] });
    await once(child, 'exit');
    return { log: await read(path), ended: child.exitCode ?? 1 };
  } finally {
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws SeccompcError INPUT_UNREADABLE */
async function* linesOf(file: string): AsyncIterable<string> {
  try {
    const input = file === '-' ? process.stdin : createReadStream(file);
    await (file === '-' ? undefined : once(input, 'open'));
    yield* createInterface({ input, crlfDelay: Infinity });
  } catch (cause) {
    fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { file, cause });
  }
}

function startedBy(text: string): Options['for'] {
  if (text === 'container' || text === 'exec') return text;
  throw new InvalidArgumentError('Give container or exec.');
}

function argument(text: string, before: ReadonlyMap<string, number>): Map<string, number> {
  const [, call, index] = /^(\w+):([0-5])$/.exec(text) ?? [];
  if (call === undefined)
    throw new InvalidArgumentError('Give a call and an index from 0 to 5, as socket:0.');
  return new Map([...before, [call, Number(index)]]);
}
