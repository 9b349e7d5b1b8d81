import { Command } from 'commander';
import type { Argument, Option } from 'commander';
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

/**
 * A command whose action returns the exit code. Commander drops the result of an action, so it is
 * stored here.
 */
export class CliCommand extends Command {
  /** Of the action that ran, kept by the outermost command. */
  exitCode: number = EXIT.ok;

  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  override createArgument(name: string, description?: string): Argument {
    return takesProfile(super.createArgument(name, description), name);
  }

  override createOption(flags: string, description?: string): Option {
    return takesProfile(super.createOption(flags, description), flags);
  }

  /** `run` gets the arguments, then the options; no result means EXIT.ok. */
  runs(run: (...args: never[]) => Promise<number | void>): this {
    return this.action(async (...args: unknown[]) => {
      outermost(this).exitCode = (await run(...(args as never[]))) ?? EXIT.ok;
    });
  }
}

/** What is called PROFILE takes built-in names too. The action gets their paths. */
function takesProfile<T extends Argument | Option>(made: T, name: string): T {
  if (!name.includes('PROFILE')) return made;
  if (made.variadic)
    made.argParser((word, before: string[] | undefined) => [...(before ?? []), profilePath(word)]);
  else made.argParser((word) => profilePath(word));
  return made;
}

function outermost(command: Command): CliCommand {
  return command.parent === null ? (command as CliCommand) : outermost(command.parent);
}
