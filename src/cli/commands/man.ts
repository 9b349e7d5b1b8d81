import { join } from 'node:path';
import { packageVersion } from '../../cache/version.ts';
import { fail } from '../../errors.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { levelOf } from '../output/levels.ts';
import { manName, manPage } from '../output/man.ts';
import { writeProduct } from '../output/streams.ts';

const HELP = `
Examples:
  seccompc man | man -l -                         the manual page of seccompc
  seccompc man compile | man -l -                 that of "seccompc compile"
  seccompc man -o ~/.local/share/man/man1         all pages, for "man seccompc-compile"`;

export function makeCommand({ program }: Invocation): CliCommand {
  return new CliCommand('man')
    .description('Prints the manual page of seccompc or of one command, for man(1).')
    .argument('[COMMAND]', 'the command')
    .option('-o, --output <DIR>', 'write all pages into this folder')
    .addHelpText('after', HELP)
    .runs(async (name: string | undefined, { output }: { output?: string }) => {
      const root = levelOf(await program());
      const command = root.commands.find((each) => each.name === name);
      if (name !== undefined && command === undefined)
        return fail('USAGE', { reason: `there is no command ${JSON.stringify(name)}` });
      if (name !== undefined && output !== undefined)
        return fail('USAGE', { reason: '--output writes all pages, so give no COMMAND' });
      if (output === undefined) return writeProduct(manPage(root, command, packageVersion()));
      for (const each of [undefined, ...root.commands])
        await writeProduct(manPage(root, each, packageVersion()), join(output, `${manName(each?.name)}.1`));
    });
}
