import { Argument } from 'commander';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { completionScript, SHELLS } from '../output/completion.ts';
import type { Shell } from '../output/completion.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

const HELP = `
Examples:
  seccompc completion bash > ~/.local/share/bash-completion/completions/seccompc
  seccompc completion zsh > ~/.zfunc/_seccompc        with fpath+=~/.zfunc before compinit
  seccompc completion fish > ~/.config/fish/completions/seccompc.fish`;

export function makeCommand({ program }: Invocation): CliCommand {
  const command = new CliCommand('completion')
    .description('Prints a script with which a shell completes commands, options and their values.')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(SHELLS))
    .addHelpText('after', HELP)
    .runs(async (shell: Shell, { json }: OutputOptions) => {
      const script = completionScript(shell, await program());
      await writeProduct(json ? toJson({ shell, script }) : script);
    });
  return addOutputOptions(command);
}
