import { join } from 'node:path';
import { packageVersion } from '../../cache/version.ts';
import { fail } from '../../errors.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { levelOf } from '../output/levels.ts';
import { manName, manPage } from '../output/man.ts';
import { toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

const HELP = `
Examples:
  seccompc man | man -l -                         the manual page of seccompc
  seccompc man compile | man -l -                 that of "seccompc compile"
  seccompc man -o ~/.local/share/man/man1         all pages, for "man seccompc-compile"
  seccompc man --json                             all commands and options, as data`;

interface Options extends OutputOptions {
  output?: string;
}

export function makeCommand({ program }: Invocation): CliCommand {
  const made = new CliCommand('man')
    .description('Prints the manual page of seccompc or of one command, for man(1).')
    .argument('[COMMAND]', 'the command')
    .option('-o, --output <DIR>', 'write all pages into this folder')
    .addHelpText('after', HELP)
    .runs(async (name: string | undefined, { output, json }: Options) => {
      const root = levelOf(await program());
      const command = root.commands.find((each) => each.name === name);
      if (name !== undefined && command === undefined)
        return fail('USAGE', { reason: `there is no command ${JSON.stringify(name)}` });
      if (name !== undefined && output !== undefined)
        return fail('USAGE', { reason: '--output writes all pages, so give no COMMAND' });
      if (json && output === undefined) return writeProduct(toJson(command ?? root));
      if (output === undefined) return writeProduct(manPage(root, command, packageVersion()));
      for (const each of [undefined, ...root.commands])
        await writeProduct(manPage(root, each, packageVersion()), join(output, `${manName(each?.name)}.1`));
    });
  return addOutputOptions(made);
}
