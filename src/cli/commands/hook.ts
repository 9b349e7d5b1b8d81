import { Option } from 'commander';
import { resolve } from 'node:path';
import { diagnostic, EXIT, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { makeConfigCompiler } from '../../oci/compiler.ts';
import { hookStatus, installHook, uninstallHook } from '../../oci/hook-install.ts';
import { addPair, pairsDirectory } from '../../oci/hook-store.ts';
import { precreate } from '../../oci/precreate.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { logHook } from '../hook-log.ts';
import { readInput } from '../input.ts';
import { writeProduct } from '../output.ts';
import { addVoiceOptions, diagnosticJson, printFailure, printWarnings, toJson } from '../report.ts';
import type { Voice } from '../report.ts';
import { targetArguments } from '../target-arguments.ts';
import { addTargetOptions, targetOf } from '../target-options.ts';
import type { TargetFlags } from '../target-options.ts';

interface PrecreateFlags extends TargetFlags, Voice {
  store?: string;
  log?: string;
  foreign: 'replace' | 'refuse';
  strict?: true;
}

interface InstallFlags extends PrecreateFlags {
  withCheck?: true;
  ceiling?: string;
}

interface CheckFlags extends TargetFlags, Voice {
  log?: string;
  ceiling?: string;
  requireAnnotation?: true;
}

const HELP = `
podman runs the precreate hook at every start, whichever runtime it starts: the config goes through it, and comes out with
the filter as an annotation, which crun loads instead of compiling the profile. Privileged and unconfined containers pass
through untouched.

Examples:
  seccompc hook install /etc/containers/oci/hooks.d
  seccompc hook status /etc/containers/oci/hooks.d
  podman --hooks-dir /etc/containers/oci/hooks.d run IMAGE
  seccompc hook uninstall /etc/containers/oci/hooks.d`;

export function makeCommand(invocation: Invocation): CliCommand {
  const command = new CliCommand('hook')
    .usage('install|uninstall|status|precreate|check [OPTION...]')
    .description('Hooks that give containers their compiled filter, or refuse to start them without it.')
    .addHelpText('after', HELP);
  const plain = (name: string, summary: string) =>
    addVoiceOptions(command.command(name).description(summary));
  const add = (name: string, summary: string) => addTargetOptions(plain(name, summary));
  const foreign = () =>
    new Option('--foreign <HOW>', 'what happens to an annotation that somebody else has set')
      .choices(['replace', 'refuse'])
      .default('replace');
  const strict = ['--strict', 'refuse starts whose profile cannot be compiled'] as const;

  add('install', 'write the hook file into a folder where podman looks for hooks')
    .argument('DIR', 'that folder, such as /etc/containers/oci/hooks.d')
    .option('--store <DIR>', 'where the filters are kept', defaultStore())
    .option('--log <FILE>', 'where the hook tells what it does (default: hook.log in the store)')
    .addOption(foreign())
    .option(...strict)
    .option('--with-check', 'also have starts refused that the hook has not prepared')
    .option('--ceiling <PROFILE>', 'with --with-check: and those that allow more than this profile')
    .runs((folder: string, flags: InstallFlags) => install(folder, flags, invocation));
  plain('uninstall', 'remove the hook files of a folder, and their filters')
    .argument('DIR', 'the folder')
    .runs(uninstall);
  plain('status', 'say whether the hooks of a folder would work; exit code 1 if not')
    .argument('DIR', 'the folder')
    .runs(status);
  add(
    'precreate',
    'what podman runs: a config on standard input, the same with its filter on standard output',
  )
    .option('--store <DIR>', 'keep the filter there for the fast path')
    .option('--log <FILE>', 'append a line for whatever is worth one')
    .addOption(foreign())
    .option(...strict)
    .runs(runPrecreate);
  add('check', 'a createRuntime hook: refuse the start unless the annotation is proved to be right')
    .option('--ceiling <PROFILE>', 'and unless the filter allows nothing that this profile does not')
    .option('--require-annotation', 'and unless there is one')
    .option('--log <FILE>', 'append the reason')
    .runs(check);
  return command;
}

function defaultStore(): string {
  if (process.geteuid?.() === 0) return '/var/lib/seccompc/hook';
  return resolve(
    process.env['XDG_STATE_HOME'] ?? resolve(process.env['HOME'] ?? '.', '.local/state'),
    'seccompc/hook',
  );
}

async function runPrecreate(flags: PrecreateFlags): Promise<number> {
  const input = await readInput('-');
  // The store is the cache here. A machine that cannot be told is a fault like any other: it is in there.
  const makeCompiler = () =>
    makeConfigCompiler({ target: targetOf(flags), prove: 'auto' }, async () => undefined);
  const { foreign, strict = false } = flags;
  const { output, diagnostics, pair } = await precreate(input, makeCompiler, { foreign, strict });
  const found: Diagnostic[] = [...diagnostics];
  // First the container, then the store.
  if (output !== undefined) await writeProduct(output);
  if (pair !== undefined && flags.store !== undefined) {
    const { store } = flags;
    const pairs = await pairsDirectory(store, targetOf(flags));
    // Where awk looks, by the hook file.
    const read = process.env['SECCOMPC_STORE'];
    if (read !== undefined && read !== pairs) found.push(diagnostic('HOOK_STORE_STALE', { store }));
    await addPair(pairs, pair.profile, pair.filter).catch((cause: unknown) => {
      found.push(diagnostic('HOOK_STORE_FAILED', { store, reason: systemReason(cause) }));
    });
  }
  await logHook('precreate', found, flags.log);
  return output === undefined ? EXIT.no : EXIT.ok;
}

async function check(flags: CheckFlags): Promise<number> {
  const { log, ceiling, requireAnnotation = false } = flags;
  const { checkStart } = await import('../../oci/start-check.ts');
  let reasons: readonly Diagnostic[];
  try {
    // To the end, before anything else: a runtime may fail when its hook does not read.
    const state = await readInput('-');
    reasons = await checkStart(state, {
      target: targetOf(flags),
      requireAnnotation,
      ...(ceiling === undefined ? {} : { ceiling: { input: await readInput(ceiling), file: ceiling } }),
    });
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    await logHook('check', error.diagnostics, log);
    return error.exitCode;
  }
  await logHook('check', reasons, log);
  return reasons.length > 0 ? EXIT.no : EXIT.ok;
}

async function install(folder: string, flags: InstallFlags, { script }: Invocation): Promise<void> {
  const { foreign, strict = false, withCheck, ceiling } = flags;
  if (ceiling !== undefined && !withCheck)
    throw new SeccompcError([diagnostic('USAGE', { reason: '--ceiling needs --with-check' })]);
  const target = targetOf(flags);
  if (ceiling !== undefined) {
    const { readMeaning } = await import('../../compile.ts');
    await readMeaning(await readInput(ceiling), { target, file: ceiling });
  }
  const store = resolve(flags.store!);
  const { files, awk } = await installHook({
    folder: resolve(folder),
    store,
    log: resolve(flags.log ?? resolve(store, 'hook.log')),
    command: [process.execPath, resolve(script)],
    target,
    flags: targetArguments(flags),
    foreign,
    strict,
    ...(withCheck ? { check: ceiling === undefined ? {} : { ceiling } } : {}),
  });
  const found = awk === undefined ? [diagnostic('HOOK_WITHOUT_AWK')] : [];
  if (!withCheck) found.push(diagnostic('HOOK_FAILS_OPEN', { path: awk ?? process.execPath }));
  await printWarnings(found, flags);
  await writeProduct(
    flags.json ? toJson({ files, store, diagnostics: found.map(diagnosticJson) }) : `${files.join('\n')}\n`,
  );
}

async function uninstall(folder: string, flags: Voice): Promise<void> {
  const removed = await uninstallHook(resolve(folder));
  if (flags.json) return writeProduct(toJson({ removed }));
  await writeProduct(removed.map((path) => `${path}\n`).join(''));
}

async function status(folder: string, flags: Voice): Promise<number> {
  const { diagnostics, ...state } = await hookStatus(resolve(folder));
  const broken = diagnostics.some(({ severity }) => severity === 'error');
  if (flags.json) await writeProduct(toJson({ ...state, diagnostics: diagnostics.map(diagnosticJson) }));
  else {
    await (broken ? printFailure(diagnostics, false) : printWarnings(diagnostics, flags));
    const lines = Object.entries(state).filter(([, value]) => value !== null);
    await writeProduct(lines.map(([name, value]) => `${name}\t${value}\n`).join(''));
  }
  return broken ? EXIT.no : EXIT.ok;
}
