import { Option } from 'commander';
import { resolve } from 'node:path';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { makeConfigCompiler } from '../../oci/compiler.ts';
import type { ConfigCompiler } from '../../oci/compiler.ts';
import { hookStatus, installHook, uninstallHook } from '../../oci/hook/hook-install.ts';
import type { ContainerState } from '../../oci/hook/start-check.ts';
import { addPair, pairsDirectory } from '../../oci/store/pairs.ts';
import { precreate } from '../../oci/store/precreate.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { takeUnmappedForRoot } from '../../fs/trust.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { refuseUnconfined } from '../options/confined.ts';
import {
  addServerOptions,
  addStoreOptions,
  foreignOption,
  preparationOf,
  serverOf,
} from '../options/install-options.ts';
import type { StartFlags } from '../options/install-options.ts';
import { hostArch } from '../../host.ts';
import { appendLog, logHook } from '../output/hook-log.ts';
import { readInput } from '../options/input-file.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { diagnosticJson, printDiagnostics, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';

interface PrecreateFlags extends StartFlags, OutputOptions {}

interface InstallFlags extends PrecreateFlags {
  withCheck?: true;
  ceiling?: string;
  listener: string[];
  loaded?: true;
}

interface CheckFlags extends TargetFlags, OutputOptions {
  log?: string;
  ceiling?: string;
  listener: string[];
  requireAnnotation?: true;
  loaded?: true;
  kill?: true;
}

const HELP = `
podman runs the precreate hook at every start, with any runtime. The hook adds the compiled
filter to the config as an annotation, and crun loads it instead of compiling the profile.
Privileged and unconfined containers stay as they are.

Examples:
  seccompc hook install /etc/containers/oci/hooks.d
  seccompc hook status /etc/containers/oci/hooks.d
  podman --hooks-dir /etc/containers/oci/hooks.d run IMAGE
  seccompc hook uninstall /etc/containers/oci/hooks.d`;

const EXAMPLES: Record<string, string> = {
  install: 'seccompc hook install /etc/containers/oci/hooks.d --with-check',
  status: 'seccompc hook status /etc/containers/oci/hooks.d',
  uninstall: 'seccompc hook uninstall /etc/containers/oci/hooks.d',
  precreate: 'seccompc hook precreate --strict < config.json',
  check: 'seccompc hook check --require-annotation < state.json',
};

const CHECK_HELP = `
At the stage createRuntime the runtime has read config.json but has not made the filter yet.
The state on standard input contains the annotations as the runtime read them, but not
linux.seccomp, and config.json may have changed since.

--require-annotation closes this gap under crun, which loads the annotation. --loaded closes
it under any runtime: it reads the filter of the container's first process from the kernel.
At the stage poststart that process already runs its program (crun) or is about to (runc
1.1). runc ends the container if such a hook fails. crun does not, so pass --kill.

Exit code 0: the container may start or go on. Any other exit code refuses it, also if the
question cannot be answered.
`;

const listener = (description: string) =>
  new Option('--listener <PATH>', description)
    .argParser((path: string, before: string[]) => [...before, path])
    .default([], '');

export function makeCommand(invocation: Invocation): CliCommand {
  const command = new CliCommand('hook')
    .usage('install|uninstall|status|precreate|check [OPTION...]')
    .description('Hooks that give containers their compiled filter, or refuse to start them without it.')
    .addHelpText('after', HELP);
  const plain = (name: string, summary: string) =>
    addOutputOptions(command.command(name).description(summary)).addHelpText(
      'after',
      `${name === 'check' ? CHECK_HELP : ''}\nExample:\n  ${EXAMPLES[name]}`,
    );
  const add = (name: string, summary: string) => addTargetOptions(plain(name, summary));
  const strict = ['--strict', 'refuse starts whose profile cannot be compiled'] as const;

  const installed = add('install', 'write the hook file into a directory where podman looks for hooks');
  addServerOptions(
    addStoreOptions(installed.argument('DIR', 'the directory, such as /etc/containers/oci/hooks.d')),
  )
    .option(...strict)
    .option('--with-check', 'also refuse starts that the hook has not prepared')
    .option('--ceiling <PROFILE>', 'with --with-check: also refuse filters that allow more than this profile')
    .addOption(listener('with --ceiling: accept this listener of notifications (repeatable)'))
    .option('--loaded', 'with --with-check: also end containers that have loaded another filter (needs root)')
    .runs((folder: string, flags: InstallFlags) => install(folder, flags, invocation));
  plain('uninstall', 'remove the hook files of a directory, and their filters')
    .argument('DIR', 'the directory')
    .runs(uninstall);
  plain('status', 'check whether the hooks of a directory would work; exit code 1 if not')
    .argument('DIR', 'the directory')
    .runs(status);
  addServerOptions(
    add(
      'precreate',
      'the hook that podman runs: reads a config on standard input, writes it with its filter',
    ),
  )
    .option('--store <DIR>', 'keep the filter there for the fast path')
    .option('--log <FILE>', 'append errors and warnings to this file')
    .addOption(foreignOption())
    .option(...strict)
    .runs(runPrecreate);
  add('check', 'a createRuntime hook: refuse the start unless the annotation is proved to be right')
    .option('--ceiling <PROFILE>', 'also refuse a filter that allows more than this profile')
    .addOption(listener('with --ceiling: accept this listener of notifications (repeatable)'))
    .option('--require-annotation', 'also refuse if the runtime has read no annotation')
    .option('--loaded', 'as a poststart hook: also refuse if the kernel runs another filter (needs root)')
    .option('--kill', 'with --loaded: end a container that is refused')
    .option('--log <FILE>', 'append the reason to this file')
    .runs(check);
  return command;
}

async function runPrecreate(flags: PrecreateFlags): Promise<number> {
  // What was installed tells awk to look there.
  const read = process.env['SECCOMPC_STORE'];
  if (read !== undefined) takeUnmappedForRoot();
  const input = await readInput('-');
  let compiler: ConfigCompiler | undefined;
  // targetOf may throw, so it runs where faults are collected.
  const makeCompiler = () =>
    (compiler = makeConfigCompiler({ target: targetOf(flags), prove: 'auto' }, () => serverOf(flags)));
  const { foreign, strict = false } = flags;
  const { output, ambiguous, diagnostics, pair } = await precreate(input, makeCompiler, { foreign, strict });
  const found: Diagnostic[] = [...diagnostics];
  // First the container, then the store.
  if (output !== undefined) await writeProduct(output);
  if (pair !== undefined && flags.store !== undefined) {
    const { store } = flags;
    const pairs = await pairsDirectory(store, targetOf(flags));
    if (read !== undefined && read !== pairs) found.push(diagnostic('HOOK_STORE_STALE', { store }));
    if (flags.log !== undefined)
      appendLog('precreate', [diagnostic('HOOK_MISS', { bytes: pair.profile.length })], flags.log);
    await addPair(pairs, pair.profile, pair.filter).catch((cause: unknown) => {
      found.push(diagnostic('HOOK_STORE_FAILED', { store, reason: systemReason(cause) }));
    });
  }
  await compiler?.close();
  await logHook('precreate', found, flags.log);
  if (output !== undefined) return EXIT.ok;
  // The awk program (src/oci/store/lookup-awk.ts) knows this refusal from a failure by its code.
  return ambiguous ? EXIT.dataError : EXIT.no;
}

async function check(flags: CheckFlags): Promise<number> {
  const { log, kill = false } = flags;
  if (kill && !flags.loaded) fail('USAGE', { reason: '--kill needs --loaded' });
  const { containerProcess } = await import('../../oci/process/container-process.ts');
  const { readState } = await import('../../oci/hook/start-check.ts');
  let container = containerProcess(undefined);
  let found: Diagnostic[] = [];
  // Stays if something unforeseen happens.
  let exitCode: number = EXIT.software;
  try {
    // Read all of it first: a runtime may fail if its hook does not read.
    const state = readState(await readInput('-'));
    container = containerProcess(state.pid);
    found = await judgeStart(state, flags);
    exitCode = found.some(({ severity }) => severity === 'error') ? EXIT.no : EXIT.ok;
  } catch (error) {
    // A runtime only checks whether it is 0.
    if (!(error instanceof SeccompcError)) throw error;
    found = [...error.diagnostics];
    exitCode = error.exitCode;
  } finally {
    if (kill && exitCode !== EXIT.ok) found.push(await container.end());
    await logHook('check', found, log);
  }
  return exitCode;
}

async function judgeStart(state: ContainerState, flags: CheckFlags): Promise<Diagnostic[]> {
  const { ceiling, listener: listeners, requireAnnotation = false, loaded = false } = flags;
  const target = targetOf(flags);
  if (listeners.length > 0 && ceiling === undefined) fail('USAGE', { reason: '--listener needs --ceiling' });
  if (loaded && target.arch !== hostArch())
    fail('USAGE', { reason: `--loaded is about the kernel of this machine, which is ${hostArch()}` });
  const { checkStart } = await import('../../oci/hook/start-check.ts');
  return checkStart(state, {
    target,
    listeners,
    requireAnnotation,
    ...(ceiling === undefined ? {} : { ceiling: { input: await readInput(ceiling), file: ceiling } }),
    loaded,
  });
}

async function install(folder: string, flags: InstallFlags, { script }: Invocation): Promise<void> {
  const { withCheck, ceiling, listener: listeners, loaded = false } = flags;
  if ((ceiling !== undefined || loaded) && !withCheck)
    fail('USAGE', { reason: `--${loaded ? 'loaded' : 'ceiling'} needs --with-check` });
  if (listeners.length > 0 && ceiling === undefined) fail('USAGE', { reason: '--listener needs --ceiling' });
  if (loaded && process.geteuid?.() !== 0) fail('USAGE', { reason: 'only root can use --loaded' });
  const preparation = await preparationOf(flags, script);
  const { store, log, target } = preparation;
  if (ceiling !== undefined) {
    const { lowerProfile } = await import('../../compile.ts');
    refuseUnconfined(await lowerProfile(await readInput(ceiling), { target, file: ceiling }), ceiling);
  }
  const { files, awk } = await installHook({
    folder: resolve(folder),
    ...preparation,
    ...(withCheck ? { check: { listeners, loaded, ...(ceiling === undefined ? {} : { ceiling }) } } : {}),
  });
  const found = awk === undefined ? [diagnostic('HOOK_WITHOUT_AWK')] : [];
  if (withCheck) found.push(diagnostic('HOOK_REASONS', { log }));
  else found.push(diagnostic('HOOK_FAILS_OPEN', { path: awk ?? process.execPath }));
  await printDiagnostics(found, flags);
  await writeProduct(
    flags.json
      ? toJson({ files, store, diagnostics: found.map(diagnosticJson) })
      : table(files.map((path) => [path])),
  );
}

async function uninstall(folder: string, flags: OutputOptions): Promise<void> {
  const { removed, left } = await uninstallHook(resolve(folder));
  if (flags.json) return writeProduct(toJson({ removed, left }));
  await printDiagnostics(
    left.map((path) => diagnostic('HOOK_LEFT', { path })),
    flags,
  );
  await writeProduct(table(removed.map((path) => [path])));
}

async function status(folder: string, flags: OutputOptions): Promise<number> {
  const { diagnostics, ...state } = await hookStatus(resolve(folder));
  const broken = diagnostics.some(({ severity }) => severity === 'error');
  if (flags.json) await writeProduct(toJson({ ...state, diagnostics: diagnostics.map(diagnosticJson) }));
  else {
    await printDiagnostics(diagnostics, flags);
    const lines = Object.entries(state).filter(([, value]) => value !== null);
    await writeProduct(table(lines.map(([name, value]) => [name, String(value)])));
  }
  return broken ? EXIT.no : EXIT.ok;
}
