import { allArches, archesOf, parseArch, parseAuditArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { ENGINE_FORM, parseEngine, parseKernelVersion, parseRuntime, RUNTIME_FORM } from '../target.ts';
import type { EngineName, RuntimeName } from '../target.ts';
import type { OptionSpec, ValueTypes } from './table.ts';

/** How one type of value is read and written. */
interface ValueType<T> {
  /** For messages: a value is "...". */
  wanted: string;
  /** All values, where there are not too many. */
  known?: () => readonly string[];
  /**
   * Undefined for a text that is no such value. `before` is what an earlier option of the same name
   * has given.
   */
  parse: (text: string, before: T | undefined) => T | undefined;
  /** The texts of options that give this value together. */
  format: (value: T) => string[];
}

const archNames = () => allArches().map(({ name }) => name.toLowerCase());

const VALUE_TYPES: { [T in keyof ValueTypes]: ValueType<ValueTypes[T]> } = {
  arch: {
    wanted: 'an architecture such as x86_64 or arm64',
    known: archNames,
    // Eight hex digits are an audit arch, as in the kernel's log.
    parse: (text) => parseArch(text) ?? archesOf(parseAuditArch(text))[0],
    format: (arch) => [arch],
  },
  arches: {
    wanted: 'native, or architectures such as x86_64,x86',
    known: archNames,
    parse: (text) => {
      if (text === 'native') return text;
      if (text === '') return [];
      const arches = text.split(',').map((name) => parseArch(name.trim()));
      return arches.includes(undefined)
        ? undefined
        : arches.filter((arch): arch is ArchName => Boolean(arch));
    },
    format: (arches) => [arches === 'native' ? arches : arches.join(',')],
  },
  kernel: {
    wanted: 'two numbers such as 5.15',
    parse: parseKernelVersion,
    format: ({ major, minor }) => [`${major}.${minor}`],
  },
  engine: {
    wanted: ENGINE_FORM,
    known: () => ['moby', 'docker', 'podman'],
    parse: (text) => (parseEngine(text) === undefined ? undefined : (text as EngineName)),
    format: (engine) => [engine],
  },
  runtime: {
    wanted: RUNTIME_FORM,
    known: () => ['crun', 'runc'],
    parse: (text) => (parseRuntime(text) === undefined ? undefined : (text as RuntimeName)),
    format: (runtime) => [runtime],
  },
  names: {
    wanted: 'names, with commas',
    parse: (text, before = []) => [...before, ...text.split(',').map((name) => name.trim())],
    format: (names) => (names.length === 0 ? [] : [names.join(',')]),
  },
  text: { wanted: 'a text', parse: (text) => text, format: (text) => [text] },
  texts: { wanted: 'a text', parse: (text, before = []) => [...before, text], format: (texts) => texts },
};

/** Whether an option may be given more than once. */
export function isRepeatable({ takes }: Pick<OptionSpec, 'takes'>): boolean {
  return takes === 'names' || takes === 'texts';
}

/** The valid values of an option, for messages. */
export function wantedBy({ takes }: Pick<OptionSpec, 'takes'>): string {
  if (isWords(takes)) return takes.join(' or ');
  return takes === 'switch' ? '1, 0, true or false' : VALUE_TYPES[takes].wanted;
}

/** The values that an option can have, where there are not too many. */
export function valuesOf({ takes }: Pick<OptionSpec, 'takes'>): readonly string[] | undefined {
  if (isWords(takes)) return takes;
  return takes === 'switch' ? undefined : VALUE_TYPES[takes].known?.();
}

/**
 * Parses the value of an option. `before` is the value of an earlier option of that name. Undefined
 * if it is invalid.
 */
export function parseValue({ takes }: Pick<OptionSpec, 'takes'>, text: string, before?: unknown): unknown {
  if (isWords(takes)) return takes.find((word) => word === text);
  if (takes === 'switch') return SWITCH.get(text);
  const { parse } = VALUE_TYPES[takes] as ValueType<unknown>;
  return parse(text, before);
}

/** The texts of the options that give a value. */
export function formatValue({ takes }: Pick<OptionSpec, 'takes'>, value: unknown): string[] {
  if (isWords(takes) || takes === 'switch') return [String(value)];
  const { format } = VALUE_TYPES[takes] as ValueType<unknown>;
  return format(value);
}

const SWITCH = new Map([['', true], ['1', true], ['true', true], ['0', false], ['false', false]]); // prettier-ignore

function isWords(takes: OptionSpec['takes']): takes is readonly string[] {
  return typeof takes !== 'string';
}
