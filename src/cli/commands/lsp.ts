import { readFileSync } from 'node:fs';
import { packageVersion } from '../../cache/version.ts';
import { builtFile } from '../../fs/built-file.ts';
import type { Schema } from '../../lsp/schema.ts';
import { CliCommand } from '../command.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';

const HELP = `
Editors start it, and talk to it by standard input and output (Language Server Protocol): findings
of lint while you type, what a call is and what the profile decides for it, completion, and fixes.
docs/editors.md has the settings of editors.

Examples:
  seccompc lsp
  seccompc lsp --arch x86_64 --engine podman`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('lsp')
    .description('Serves an editor that shows a profile.')
    .option('--stdio', 'what it does in any case; editors add it')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(command);
}

async function run(options: TargetFlags): Promise<number> {
  const target = targetOf(options);
  const { serveLanguage } = await import('../../lsp/server.ts');
  const schema = (name: string) =>
    JSON.parse(readFileSync(builtFile(`src/profile/schema/generated/${name}.json`), 'utf8')) as Schema;
  const schemas = { docker: schema('docker'), oci: schema('oci') };
  const info = { name: 'seccompc', version: packageVersion() };
  return serveLanguage(process.stdin, process.stdout, { target, schemas }, info);
}
