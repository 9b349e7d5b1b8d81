import { Command } from 'commander';
import type { Argument } from 'commander';
import { EXIT } from '../errors.ts';
import { profilePath } from './options/built-in-profile.ts';

/** How this process was started. */
export interface Invocation {
  /** The words after the script. */
  args: readonly string[];
  /** Path of the script. A hook starts it to run this command again. */
  script: string;
  /** The whole program, with every command loaded. */
  program: () => Promise<CliCommand>;
}

/** A command whose action returns the exit code. Commander drops the result of an action, so it is stored here. */
export class CliCommand extends Command {
  /** Of the action that ran, kept by the outermost command. */
  exitCode: number = EXIT.ok;

  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  /** Arguments named PROFILE take built-in names too; the action gets their paths. */
  override createArgument(name: string, description?: string): Argument {
    const argument = super.createArgument(name, description);
    if (!name.includes('PROFILE')) return argument;
    if (!argument.variadic) return argument.argParser((word) => profilePath(word));
    return argument.argParser((word, before: string[] | undefined) => [...(before ?? []), profilePath(word)]);
  }

  /** `run` gets the arguments, then the options; no result means EXIT.ok. */
  runs(run: (...args: never[]) => Promise<number | void>): this {
    return this.action(async (...args: unknown[]) => {
      outermost(this).exitCode = (await run(...(args as never[]))) ?? EXIT.ok;
    });
  }
}

function outermost(command: Command): CliCommand {
  return command.parent === null ? (command as CliCommand) : outermost(command.parent);
}
