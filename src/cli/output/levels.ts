/** What each command tells commander about itself, for whatever is made of it. */
import type { Command, Option } from 'commander';
import { valuesOf } from '../../options/option-values.ts';
import { OPTIONS } from '../../options/table.ts';

/** A line of the help: `-o, --output <FILE>`, and what it is. */
interface Item {
  term: string;
  text: string;
}

export interface Flag extends Item {
  /** "-o" and "--output", or one of them. */
  names: string[];
  takesValue: boolean;
  /** The values, if they can be listed. */
  values: readonly string[] | undefined;
  /** Without values and default, which `text` has. */
  description: string;
  /** The heading above it: "Target:". */
  group: string;
}

/** A command; its path is "cache ls", that of the program is empty. */
export interface Level {
  path: string;
  name: string;
  summary: string;
  description: string;
  usage: string;
  operands: readonly Item[];
  flags: readonly Flag[];
  commands: readonly Level[];
  /** What the help has below its lists. */
  notes: string;
}

/** All commands below must be loaded. */
export function levelOf(command: Command, path = ''): Level {
  const help = command.createHelp();
  return {
    path,
    name: command.name(),
    summary: command.summary() || command.description(),
    description: command.description(),
    usage: help.commandUsage(command),
    operands: help
      .visibleArguments(command)
      .map((each) => ({ term: help.argumentTerm(each), text: help.argumentDescription(each) })),
    flags: help.visibleOptions(command).map((option) => ({
      term: help.optionTerm(option),
      text: help.optionDescription(option),
      ...flagFor(option),
    })),
    commands: command.commands.map((each) => levelOf(each, `${path} ${each.name()}`.trim())),
    notes: notesOf(command),
  };
}

function flagFor({ short, long, required, argChoices, description, helpGroupHeading }: Option) {
  const spec = OPTIONS.find(({ name }) => `--${name}` === long);
  const values = argChoices ?? (spec && valuesOf(spec));
  const names = [short, long].filter((name) => name !== undefined);
  return {
    names,
    takesValue: required,
    values: required ? values : undefined,
    description,
    group: helpGroupHeading ?? 'Options:',
  };
}

function notesOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text.slice(command.helpInformation().length).trim();
}
