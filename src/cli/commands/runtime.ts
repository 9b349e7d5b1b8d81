import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { diagnostic, EXIT, fail } from '../../errors.ts';
import { installRuntime, runtimeStatus, uninstallRuntime } from '../../oci/runtime/install.ts';
import { snippets } from '../../oci/runtime/snippets.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { addServerOptions, addStoreOptions, preparationOf } from '../options/install-options.ts';
import type { StartFlags } from '../options/install-options.ts';
import { addTargetOptions } from '../options/target-options.ts';
import { diagnosticJson, printDiagnostics, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface InstallFlags extends StartFlags, OutputOptions {
  runtime: string;
  name: string;
}

const NAME = 'crun-seccompc';

const HELP = `
A small script that engines start in place of crun. On "create" and "run" it looks up the
compiled filter of the container's profile and hands it to crun. Everything else goes to crun
unchanged. For a profile that it does not know yet it starts Node once.

Examples:
  seccompc runtime install /usr/local/bin
  seccompc runtime status /usr/local/bin
  docker run --runtime=crun-seccompc IMAGE
  seccompc runtime uninstall /usr/local/bin`;

export function makeCommand(invocation: Invocation): CliCommand {
  const command = new CliCommand('runtime')
    .usage('install|status|uninstall [OPTION...]')
    .description('An OCI runtime in front of crun, which gives every container its compiled filter.')
    .addHelpText('after', HELP);
  const plain = (name: string, summary: string) =>
    addOutputOptions(command.command(name).description(summary)).addHelpText(
      'after',
      `\nExample:\n  seccompc runtime ${name} /usr/local/bin`,
    );

  const installed = plain(
    'install',
    'write the runtime into a directory, and print how engines are told of it',
  )
    .argument('DIR', 'the directory, such as /usr/local/bin')
    .option('--runtime <PATH>', 'the crun that starts the containers', '/usr/bin/crun')
    .option('--name <NAME>', 'the name of the file', NAME);
  addTargetOptions(addServerOptions(addStoreOptions(installed)))
    .option('--strict', 'refuse starts that get no filter of ours, instead of leaving the profile to crun')
    .runs((folder: string, flags: InstallFlags) => install(folder, flags, invocation));
  plain('status', 'check whether the runtime would work; exit code 1 if not')
    .argument('FILE', `the runtime, or the directory in which it is ${NAME}`)
    .runs(status);
  plain('uninstall', 'remove the runtime and the filters')
    .argument('FILE', `the runtime, or the directory in which it is ${NAME}`)
    .runs(uninstall);
  return command;
}

async function install(folder: string, flags: InstallFlags, { script }: Invocation): Promise<void> {
  const { name } = flags;
  // The name gets into the files of engines.
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name))
    fail('USAGE', { reason: `--name takes letters, digits, "_" and "-", not "${name}"` });
  const file = resolve(folder, name);
  const preparation = await preparationOf(flags, script);
  await installRuntime({ file, runtime: resolve(flags.runtime), ...preparation });
  const { store } = preparation;
  const parts = snippets(file, name);
  if (flags.json) return writeProduct(toJson({ file, store, snippets: parts, diagnostics: [] }));
  const shown = parts.map(({ engine, place, text }) => `\n# ${engine}: ${place}\n${text}\n`);
  await writeProduct(`${file}\n${flags.quiet ? '' : shown.join('')}`);
}

async function status(path: string, flags: OutputOptions): Promise<number> {
  const { diagnostics, ...state } = await runtimeStatus(fileOf(path));
  if (flags.json) await writeProduct(toJson({ ...state, diagnostics: diagnostics.map(diagnosticJson) }));
  else {
    await printDiagnostics(diagnostics, flags);
    await writeProduct(table(Object.entries(state).map(([name, value]) => [name, String(value ?? '-')])));
  }
  return diagnostics.some(({ severity }) => severity === 'error') ? EXIT.no : EXIT.ok;
}

async function uninstall(path: string, flags: OutputOptions): Promise<void> {
  const { removed, left } = await uninstallRuntime(fileOf(path));
  if (flags.json) return writeProduct(toJson({ removed, left }));
  await printDiagnostics(
    left.map((found) => diagnostic('HOOK_LEFT', { path: found })),
    flags,
  );
  await writeProduct(table(removed.map((found) => [found])));
}

function fileOf(path: string): string {
  const file = resolve(path);
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ? join(file, NAME) : file;
}
