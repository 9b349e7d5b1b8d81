/** What each command tells commander about itself, for whatever is made of it. */
import type { Argument, Command, Option } from 'commander';
import { BUILT_IN_PROFILES } from '../../options/built-in.ts';
import { valuesOf } from '../../options/option-values.ts';
import { OPTIONS } from '../../options/table.ts';
import { allNames } from '../../syscalls/load.ts';
import { CAPABILITY_NAMES } from '../../target.ts';

/** A line of the help: `-o, --output <FILE>`, and what it is. */
interface Item {
  term: string;
  text: string;
}

/** What a word can be, for completion; neither of both for a text. */
export interface Values {
  /** The words, if they can be listed. */
  values: readonly string[] | undefined;
  /** Whether it can be a file instead. */
  files: boolean;
}

export interface Operand extends Item, Values {
  variadic: boolean;
}

export interface Flag extends Item, Values {
  /** "-o" and "--output", or one of them. */
  names: string[];
  takesValue: boolean;
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
  operands: readonly Operand[];
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
    operands: help.visibleArguments(command).map((each) => ({
      term: help.argumentTerm(each),
      text: help.argumentDescription(each),
      variadic: each.variadic,
      ...operandValues(each, command),
    })),
    flags: help.visibleOptions(command).map((option) => ({
      term: help.optionTerm(option),
      text: help.optionDescription(option),
      ...flagFor(option),
    })),
    commands: command.commands.map((each) => levelOf(each, `${path} ${each.name()}`.trim())),
    notes: notesOf(command),
  };
}

function flagFor({ short, long, flags, required, argChoices, description, helpGroupHeading }: Option) {
  const spec = OPTIONS.find(({ name }) => `--${name}` === long);
  const [, placeholder = ''] = /<(.*?)(?:\.\.\.)?>/.exec(flags) ?? [];
  const known = argChoices ?? (spec && valuesOf(spec)) ?? BY_PLACEHOLDER[placeholder];
  const names = [short, long].filter((name) => name !== undefined);
  return {
    names,
    takesValue: required,
    ...(required ? valuesWith(known) : NO_VALUES),
    description,
    group: helpGroupHeading ?? 'Options:',
  };
}

const ARCHES = valuesOf({ takes: 'arch' });
const BY_PLACEHOLDER: Record<string, Values['values']> = {
  A: ARCHES, 'A,B': ARCHES, CAP: CAPABILITY_NAMES, CALL: allNames(), NAMES: allNames(), PROFILE: BUILT_IN_PROFILES,
  P: BUILT_IN_PROFILES,
}; // prettier-ignore
const NO_VALUES: Values = { values: undefined, files: false };

/** A built-in profile can be a file too. */
function valuesWith(values: Values['values']): Values {
  return { values, files: values === undefined || values === BUILT_IN_PROFILES };
}

function operandValues(argument: Argument, command: Command): Values {
  const name = argument.name();
  if (argument.argChoices !== undefined) return valuesWith(argument.argChoices);
  if (name === 'CALL' || name === 'NAME|NUMBER') return valuesWith(allNames());
  if (/PROFILE|^(A|B|BASE|PATCH)$/.test(name)) return valuesWith(BUILT_IN_PROFILES);
  if (name === 'COMMAND') return valuesWith(command.parent?.commands.map((each) => each.name()));
  return name === 'ARG' || name === 'ASSERTION' ? NO_VALUES : valuesWith(undefined);
}

function notesOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text.slice(command.helpInformation().length).trim();
}
