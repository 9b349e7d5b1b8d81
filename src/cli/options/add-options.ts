import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { flagOf, optionNamed, optionsIn } from '../../options/table.ts';
import type { OptionSpec, ProgramFlags } from '../../options/table.ts';
import { HEADINGS } from './help-groups.ts';
import { parseValue, valuesOf, wantedBy } from '../../options/option-values.ts';

/** Adds options of the table to a command. */
export function addOptions<C extends Command>(command: C, table: readonly OptionSpec[]): C {
  for (const spec of table) command.addOption(makeOption(spec, table));
  return command;
}

function makeOption(spec: OptionSpec, table: readonly OptionSpec[]): Option {
  const { name, short, takes, placeholder, help, group, excludes } = spec;
  const words = [...(short === undefined ? [] : [`-${short},`]), `--${name}`];
  if (takes !== 'switch') words.push(`<${placeholder}>`);
  const option = new Option(words.join(' '), help);
  const heading = HEADINGS[group];
  if (heading !== undefined) option.helpGroup(heading);
  const excluded = table.find((other) => other.name === excludes);
  if (excluded !== undefined) option.conflicts(flagOf(excluded).flag);
  if (takes === 'switch') return option;
  if (typeof takes === 'string') option.argParser(valueParser(spec));
  else option.choices(takes);
  // The word `default` itself tells nothing.
  if (spec.default !== undefined)
    option.default(spec.default, spec.default === 'default' ? "the engine's own" : undefined);
  return option;
}

/** A parser of option values for commander. Its error lists the valid values. */
export function valueParser<T>(spec: Pick<OptionSpec, 'takes'>): (text: string, before?: T) => T {
  return (text, before) => {
    const value = text === '' ? undefined : parseValue(spec, text, before);
    if (value !== undefined) return value as T;
    const wanted = wantedBy(spec);
    const known = valuesOf(spec)?.join(', ');
    // Some forms begin with all that is known.
    const list = known === undefined || wanted.startsWith(known) ? '' : ` Known are: ${known}.`;
    throw new InvalidArgumentError(`Give ${wanted}.${list}`);
  };
}

/** A parser of whole numbers for commander; both limits are in the range. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}

/** `-q` and `--json`, which every command has. */
export function addOutputOptions<C extends Command>(command: C): C {
  return addOptions(command, optionsIn('messages'));
}

/** `--require-proof` alone: programs of other commands are always proved if that is possible. */
export type ProofFlag = Pick<ProgramFlags, 'requireProof'>;

export function addProofOption<C extends Command>(command: C): C {
  return addOptions(command, [optionNamed('require-proof')]);
}
