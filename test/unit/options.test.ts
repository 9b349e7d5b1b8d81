/** The one table of options, and everything that is made of it. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import { hotRequest } from '../../src/cache/hot/hot-request.ts';
import { CliCommand } from '../../src/cli/command.ts';
import { addOptions } from '../../src/cli/options/add-options.ts';
import { targetArguments } from '../../src/cli/options/target-arguments.ts';
import type { Diagnostic } from '../../src/errors.ts';
import { optionsTable, parameterList } from '../../src/generate/option-tables.ts';
import { withParts } from '../../src/generate/pages.ts';
import { flagsFor, givenOptions, programOf, targetOf } from '../../src/options/flags.ts';
import type { Flags } from '../../src/options/flags.ts';
import { parseValue } from '../../src/options/option-values.ts';
import { COMPILE_OPTIONS, flagOf, OPTIONS, optionsIn } from '../../src/options/table.ts';
import type { OptionSpec, TargetFlags } from '../../src/options/table.ts';
import { readFlags, writeFlags } from '../../src/serve/query.ts';

const arch = fc.constantFrom(...allArches().map(({ name }) => name));
const word = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_./:]{0,8}$/);

/** Values of one option, as its flag holds them. */
function valuesFor({ takes }: OptionSpec): fc.Arbitrary<unknown> {
  if (typeof takes !== 'string') return fc.constantFrom(...takes);
  switch (takes) {
    case 'switch':
      return fc.boolean();
    case 'arch':
      return arch;
    case 'arches':
      return fc.oneof(fc.constant('native'), fc.uniqueArray(arch, { minLength: 1, maxLength: 4 }));
    case 'kernel':
      return fc.record({ major: fc.nat(999), minor: fc.nat(99_999) });
    case 'engine':
      return fc.constantFrom('moby', 'podman', 'docker', 'docker@20.10', 'moby@24.0.7');
    case 'runtime':
      return fc.constantFrom('crun', 'runc', 'runc@1.1', 'runc@1.3.6', 'runc@10.20.30');
    case 'names':
    case 'texts':
      return fc.array(word, { minLength: 1, maxLength: 4 });
    case 'text':
      return word;
  }
}

/** A made-up option beside the real ones: nothing else in the project knows it. */
const MADE_UP: OptionSpec = {
  name: 'brew-coffee',
  short: 'b',
  takes: ['espresso', 'mocha'],
  placeholder: 'KIND',
  group: 'target',
  help: 'what to drink',
  meaning: 'what to drink',
  default: 'mocha',
  oci: true,
};
const WITH_MADE_UP: readonly OptionSpec[] = [...OPTIONS, MADE_UP];

/** Flags that the options of a table can set. A switch without a counterpart is on or missing. */
function flagsOf(table: readonly OptionSpec[]): fc.Arbitrary<Flags> {
  const values = new Map<string, fc.Arbitrary<unknown>>();
  for (const option of table) {
    const { flag, negative } = flagOf(option);
    const other = table.find((one) => one !== option && flagOf(one).flag === flag);
    const value =
      option.takes === 'switch' && other === undefined ? fc.constant(!negative) : valuesFor(option);
    values.set(
      flag,
      other !== undefined && negative ? fc.oneof(valuesFor(other), fc.constant(false)) : value,
    );
  }
  return fc.record(Object.fromEntries(values), { requiredKeys: [] });
}

/** What commander makes of words, without its defaults. */
function parsed(table: readonly OptionSpec[], words: readonly string[]): Flags {
  const command = addOptions(
    new CliCommand('x').exitOverride().configureOutput({ writeErr: () => {} }),
    table,
  );
  command.parse([...words], { from: 'user' });
  const flags: [string, unknown][] = Object.entries(command.opts());
  return Object.fromEntries(flags.filter(([flag]) => command.getOptionValueSource(flag) !== 'default'));
}

function wordsOf(flags: Flags, table: readonly OptionSpec[]): string[] {
  return givenOptions(flags, table).flatMap(({ option, text }) =>
    text === undefined ? [`--${option.name}`] : [`--${option.name}`, text],
  );
}

/** Without contradictions, which every reader refuses. */
function consistent(flags: Flags): Flags {
  return flags['requireProof'] === true ? { ...flags, prove: undefined } : flags;
}

function defined(flags: Flags): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

describe.each([
  ['the table', OPTIONS as readonly OptionSpec[]],
  ['a table with one more option', WITH_MADE_UP],
])('%s', (_, table) => {
  const target = table.filter(({ group }) => group === 'target' || group === 'program');

  it('carries flags through a command line and back', () => {
    fc.assert(
      fc.property(flagsOf(table), (given) => {
        const flags = defined(consistent(given));
        expect(parsed(table, wordsOf(flags, table))).toEqual(flags);
      }),
    );
  });

  it('carries flags through a query and back', () => {
    fc.assert(
      fc.property(flagsOf(target), (given) => {
        const flags = defined(consistent(given));
        const faults: Diagnostic[] = [];
        const query = new URLSearchParams(writeFlags(flags, target).toString());
        expect(readFlags(query, target, faults)).toEqual(flags);
        expect(faults).toEqual([]);
      }),
    );
  });

  it('carries what concerns a linux.seccomp object through the words of a hook', () => {
    const concerned = table.filter(({ oci }) => oci === true);
    fc.assert(
      fc.property(flagsOf(concerned), (given) => {
        const flags = defined(given);
        const found = parsed(table, targetArguments(flags, table));
        const isDefault = ([flag, value]: [string, unknown]) =>
          concerned.some((option) => flagOf(option).flag === flag && option.default === value);
        expect(found).toEqual(Object.fromEntries(Object.entries(flags).filter((entry) => !isDefault(entry))));
      }),
    );
  });

  it('names every option once in the help and in the documentation', () => {
    const help = addOptions(new CliCommand('x'), table).helpInformation();
    const page = optionsTable(table);
    const list = parameterList(table);
    for (const { name } of table) {
      expect(help).toMatch(new RegExp(`--${name}[ \\n]`));
      expect(page.match(new RegExp(`^\\| (\`-.\`, )?\`--${name}[ \`]`, 'gm'))).toHaveLength(1);
      expect(list).toContain(`\`${name}\``);
    }
  });

  it('has flags with one meaning each', () => {
    const names = table.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const shorts = table.flatMap(({ short }) => short ?? []);
    expect(new Set(shorts).size).toBe(shorts.length);
    for (const option of table) {
      if (option.default !== undefined) expect(parseValue(option, option.default)).toBe(option.default);
      if (option.takes !== 'switch') expect(option.placeholder).toMatch(/^[A-Z]/);
      if (option.excludes !== undefined) expect(names).toContain(option.excludes);
    }
  });
});

describe('the options of a program', () => {
  it('come from flags, and give flags that mean the same on any machine', () => {
    fc.assert(
      fc.property(flagsOf(optionsIn('target', 'program')), arch, (given, native) => {
        const { cap: _, capDrop: __, ...flags } = defined(consistent(given));
        const named = { ...flags, arch: native } as TargetFlags & { arch: typeof native };
        const options = { target: targetOf(named), ...programOf(flags) };
        const again = flagsFor(options);
        expect({ target: targetOf({ ...again, arch: native }), ...programOf(again) }).toEqual(options);
      }),
    );
  });

  it('are, with those about inputs, all that a request to the server can ask for', () => {
    expect(COMPILE_OPTIONS.map(({ name }) => name)).toEqual(
      OPTIONS.filter(({ group }) => ['input', 'program', 'target'].includes(group)).map(({ name }) => name),
    );
  });
});

describe('the hot tier', () => {
  it('knows which words are followed by a value', () => {
    fc.assert(
      fc.property(flagsOf(OPTIONS), (given) => {
        const words = wordsOf(defined(consistent(given)), OPTIONS);
        const found = hotRequest(['compile', ...words, 'p.json'], 'build');
        const isPlace = (at: number) => ['--output', '--cache'].includes(words[at] ?? '');
        const rest = words.filter((_, at) => !isPlace(at) && !isPlace(at - 1));
        if (words.includes('--no-cache')) expect(found).toBeUndefined();
        else expect(found!.identity.split('\0').slice(4)).toEqual(rest);
      }),
    );
  });

  it('takes the machine into account where an option has its default from there', () => {
    const machine = OPTIONS.flatMap((option: OptionSpec) =>
      option.machine === undefined ? [] : [option.name],
    );
    expect(machine).toEqual(['arch', 'kernel']);
    const identity = (...words: string[]) => hotRequest(['compile', 'p', ...words], 'build')!.identity;
    expect(identity()).toContain(process.arch);
    expect(identity('--arch', 'x86')).not.toContain(`${process.arch} `);
  });
});

describe('a page with tables of options', () => {
  const begin = '<!-- Generated by "npm run generate" from table.ts: a -->\n';

  it('replaces only the text between its marks', () => {
    const page = `before\n\n${begin}old\n<!-- End of what is generated -->\nafter\n`;
    const made = withParts(page, 'page.md', { 'table.ts: a': () => 'new\n' }, new Map());
    expect(made).toBe(`before\n\n${begin}\nnew\n\n<!-- End of what is generated -->\nafter\n`);
    expect(withParts(made, 'page.md', { 'table.ts: a': () => 'new\n' }, new Map())).toBe(made);
  });

  it('is refused without a mark', () => {
    expect(() => withParts('nothing', 'page.md', { 'table.ts: a': () => '' }, new Map())).toThrow(
      /page\.md:1: there is no/,
    );
    expect(() => withParts(begin, 'page.md', { 'table.ts: a': () => '' }, new Map())).toThrow(
      /page\.md:1: there is no/,
    );
  });
});
