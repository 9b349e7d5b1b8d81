import { readFileSync } from 'node:fs';
import { Argument } from 'commander';
import { builtFile } from '../../fs/built-file.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { writeProduct } from '../output/streams.ts';

const HELP = `
Examples:
  seccompc schema docker > docker.schema.json     profiles as Docker and Podman take them
  seccompc schema oci > oci.schema.json           the object linux.seccomp alone`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('schema')
    .description('Prints a JSON Schema with which an editor completes and checks profiles.')
    .addArgument(new Argument('<DIALECT>', 'what the profiles are for').choices(['oci', 'docker']))
    .addHelpText('after', HELP)
    .runs(async (dialect: string) =>
      writeProduct(readFileSync(builtFile(`src/profile/schema/generated/${dialect}.json`), 'utf8')),
    );
  return addOutputOptions(command);
}
