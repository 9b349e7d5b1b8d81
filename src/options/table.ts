import type { ArchName } from '../arch.ts';
import { FORMAT_NAMES } from '../format/program.ts';
import type { EngineName, KernelVersion, RuntimeName } from '../target.ts';

/**
 * The one table of the options of `compile`. Made from it: the options of the commands, the words
 * that the hot tier knows, the query of a request to the server and its client, the words in a hook
 * file, the tables in docs/cli.md and docs/serve.md.
 *
 * This file has only data, because the hot tier loads it first.
 */
export interface OptionSpec {
  /**
   * Without dashes. The flag has this name in camel case; with `no-` in front the option sets that
   * flag to false.
   */
  readonly name: string;
  readonly short?: string;
  /** `switch` is an option without a value. An array lists the words that are allowed. */
  readonly takes: 'switch' | keyof ValueTypes | readonly string[];
  /** Name of the value in help and documentation. */
  readonly placeholder?: string;
  readonly group: Group;
  /** In the help of a command. */
  readonly help: string;
  /** In the documentation, as Markdown. */
  readonly meaning: string;
  /** One of the words, if that is the default. */
  readonly default?: string;
  /** The default in the documentation, as Markdown, if it differs. */
  readonly defaultMeaning?: string;
  /**
   * Set if the default depends on the machine: a stored result then holds for such a machine only.
   */
  readonly machine?: 'architecture' | 'kernel';
  /**
   * Set where the option makes a difference for a linux.seccomp object, which no engine has to
   * resolve any more.
   */
  readonly oci?: true;
  /** Name of an option that cannot be given together with this one. */
  readonly excludes?: string;
}

/**
 * `product`: the output format and file. `input`: which inputs are accepted. `reading`: how a file
 * is read that no runtime will read.
 */
export type Group = 'product' | 'input' | 'reading' | 'program' | 'target' | 'cache' | 'messages';

/**
 * Types of the values of options that are not one of a few words. `src/options/option-values.ts`
 * reads and writes them.
 */
export interface ValueTypes {
  arch: ArchName;
  arches: ArchName[] | 'native';
  kernel: KernelVersion;
  engine: EngineName;
  runtime: RuntimeName;
  /** Separated by commas, and the option may be repeated. */
  names: string[];
  text: string;
  /** The option may be repeated. */
  texts: string[];
}

export const OPTIONS = [
  {
    name: 'output',
    short: 'o',
    takes: 'text',
    placeholder: 'FILE',
    group: 'product',
    help: 'where to write the filter (default: standard output)',
    meaning: 'where to write; a raw program is not written to a terminal',
    defaultMeaning: 'standard output',
  },
  {
    name: 'format',
    takes: [...FORMAT_NAMES, 'json', 'elf'],
    placeholder: 'FORMAT',
    group: 'product',
    help: 'raw: 8 bytes an instruction; asm: readable; elf: a program that runs a command under it (default: raw)',
    meaning:
      "`raw` is 8 bytes an instruction in the target's byte order, `asm` a readable listing, `elf` a program that runs a command under the filter ([launcher.md](launcher.md))",
    defaultMeaning: '`raw`',
  },
  {
    name: 'allow-unconfined',
    takes: 'switch',
    group: 'input',
    help: 'accept an input that asks for no filter at all',
    meaning: 'accept an input that asks for no filter: the result is empty',
    defaultMeaning: 'an error',
  },
  {
    name: 'jsonc',
    takes: 'switch',
    group: 'reading',
    help: 'accept comments and trailing commas, which most runtimes refuse',
    meaning: 'accept `//` and `/* */` comments and trailing commas, at which most runtimes refuse the file',
    defaultMeaning: 'an error',
  },
  {
    name: 'optimize',
    takes: ['attach', 'frequency', 'size'],
    placeholder: 'FOR',
    group: 'program',
    help: 'attach: fast to load; frequency: fast common calls; size: short',
    meaning:
      '`attach`: fast to load; `frequency`: fast for common calls; `size`: short ([codegen.md](codegen.md), section 4)',
    default: 'attach',
  },
  {
    name: 'no-prove',
    takes: 'switch',
    group: 'program',
    help: 'do not prove that the filter answers every call as the profile says',
    meaning: 'leave the proof out',
    defaultMeaning: 'a program that cannot be proved gets a note',
  },
  {
    name: 'require-proof',
    takes: 'switch',
    group: 'program',
    help: 'fail if the program cannot be proved',
    meaning: 'fail if the program cannot be proved',
    defaultMeaning: 'off',
    excludes: 'no-prove',
  },
  {
    name: 'arch',
    takes: 'arch',
    placeholder: 'A',
    group: 'target',
    help: 'native architecture, such as x86_64 or arm64 (default: this machine)',
    meaning:
      'the native architecture: always in the filter, selects the archMap entry and the byte order. `SCMP_ARCH_X86_64`, `x86_64`, `amd64`, in any case',
    defaultMeaning: "this machine's",
    machine: 'architecture',
    oci: true,
  },
  {
    name: 'architectures',
    takes: 'arches',
    placeholder: 'A,B',
    group: 'target',
    help: 'use these instead of the architectures in the profile; "native": only --arch',
    meaning: "replaces the profile's list; `native`: only `--arch`",
    defaultMeaning: "the profile's",
    oci: true,
  },
  {
    name: 'cap-set',
    takes: ['default', 'all', 'none'],
    placeholder: 'SET',
    group: 'target',
    help: 'capabilities of the container, for includes and excludes',
    meaning: "the container's bounding set, for includes and excludes; `default` is the engine's",
    default: 'default',
  },
  {
    name: 'cap',
    takes: 'names',
    placeholder: 'CAP',
    group: 'target',
    help: 'capability to add, after --cap-drop; ALL starts from all (repeatable)',
    meaning:
      'as `--cap-add` of the engine: added after `--cap-drop`; `ALL` starts from all. Repeatable, or with commas; `CAP_` may be left out. podman refuses a capability that is also dropped (exit code 64), docker keeps it',
  },
  {
    name: 'cap-drop',
    takes: 'names',
    placeholder: 'CAP',
    group: 'target',
    help: 'capability to drop, before --cap; ALL starts from none (repeatable)',
    meaning: 'as `--cap-drop` of the engine: dropped first; `ALL` starts from none. In the same form',
  },
  {
    name: 'kernel',
    takes: 'kernel',
    placeholder: 'X.Y',
    group: 'target',
    help: 'kernel release, for minKernel (default: this machine)',
    meaning: 'the kernel release, for minKernel',
    defaultMeaning: "this machine's on Linux, else that of the newest table",
    machine: 'kernel',
  },
  {
    name: 'engine',
    takes: 'engine',
    placeholder: 'ENGINE',
    group: 'target',
    help: 'the engine whose reading of the Docker dialect counts: moby, podman, docker@20.10',
    meaning:
      'the engine whose reading of the Docker dialect counts ([semantics.md](semantics.md), section 11): `moby`, `podman`, or a release of Docker such as `docker@20.10`; `docker` is `moby`',
    default: 'moby',
  },
  {
    name: 'semantics',
    takes: 'runtime',
    placeholder: 'RUNTIME',
    group: 'target',
    help: 'the runtime whose reading counts where runtimes differ: crun, runc, runc@1.3',
    meaning:
      '`crun`, `runc`, or a release of runc such as `runc@1.3` or `runc@1.1.15`: whose reading where the runtimes disagree (section 12)',
    default: 'crun',
    oci: true,
  },
  {
    name: 'enosys-stub',
    takes: 'switch',
    group: 'target',
    help: 'answer ENOSYS to calls newer than any in the profile (default: with runc semantics)',
    meaning: "runc's answer to numbers above the largest one named (section 9)",
    defaultMeaning: 'on with `--semantics runc`',
    oci: true,
  },
  {
    name: 'no-enosys-stub',
    takes: 'switch',
    group: 'target',
    help: 'do not answer ENOSYS to those calls, not even with runc semantics',
    meaning: 'without it, also with `--semantics runc`',
    oci: true,
  },
  {
    name: 'enosys-after',
    takes: 'kernel',
    placeholder: 'X.Y',
    group: 'target',
    help: 'answer ENOSYS to unnamed calls that are newer than this kernel',
    meaning:
      "a call that the profile does not name and that is newer than Linux X.Y on its architecture, or whose number is after the last ordinary call of the table (on X32 that is before its own calls from 512 on), gets the architecture's ENOSYS instead of the default action; needs a default other than ALLOW, LOG, TRACE",
    defaultMeaning: 'off',
    oci: true,
  },
  {
    name: 'overlap',
    takes: ['warn', 'error'],
    placeholder: 'HOW',
    group: 'target',
    help: 'what to do about rules with different actions for the same call',
    meaning: 'rules with different actions that match one call (section 7.4)',
    default: 'warn',
    oci: true,
  },
  {
    name: 'fail-unknown',
    takes: 'switch',
    group: 'target',
    help: 'refuse unknown system call names',
    meaning: 'a name that is no system call is an error',
    defaultMeaning: 'a warning',
    oci: true,
  },
  {
    name: 'force',
    takes: 'switch',
    group: 'target',
    help: 'accept inputs that are almost always mistakes',
    meaning: 'accept what is refused only because it is nearly always a mistake',
    defaultMeaning: 'off',
    oci: true,
  },
  {
    name: 'cache',
    takes: 'text',
    placeholder: 'DIR|URL',
    group: 'cache',
    help: "use this cache instead of the user's own: a directory, sqlite:FILE, redis://HOST, postgres://HOST/DATABASE, oci://HOST/NAME",
    meaning:
      'a directory, `sqlite:FILE`, `redis://HOST`, `postgres://HOST/DATABASE` or `oci://HOST/NAME` ([cache.md](cache.md))',
    defaultMeaning: 'your own',
  },
  {
    name: 'trust',
    takes: 'texts',
    placeholder: 'FILE',
    group: 'cache',
    help: 'accept records of a shared cache that this public key has signed (repeatable)',
    meaning: 'believe what this public key has signed in a shared cache; repeatable',
  },
  {
    name: 'sign',
    takes: 'text',
    placeholder: 'FILE',
    group: 'cache',
    help: 'sign records for a shared cache with this private key',
    meaning: 'sign records for a shared cache with this private key',
  },
  {
    name: 'no-cache',
    takes: 'switch',
    group: 'cache',
    help: 'do not use the cache',
    meaning: 'do not use the cache',
  },
  {
    name: 'quiet',
    short: 'q',
    takes: 'switch',
    group: 'messages',
    help: 'print no warnings and no summary',
    meaning: 'print no warnings and no summary',
  },
  {
    name: 'json',
    takes: 'switch',
    group: 'messages',
    help: 'print one JSON document, on failure one with the diagnostics',
    meaning: 'print one JSON document, on failure one with the diagnostics',
  },
] as const satisfies readonly OptionSpec[];

type Spec = (typeof OPTIONS)[number];
type Camel<N extends string> = N extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : N;
type FlagName<N extends string> = N extends `no-${infer Rest}` ? Camel<Rest> : Camel<N>;
type Value<T> = T extends readonly (infer Word)[]
  ? Word
  : T extends keyof ValueTypes
    ? ValueTypes[T]
    : boolean;

/**
 * The flags that the options of some groups set; those that were not given are missing or have
 * their default.
 */
export type FlagsOf<G extends Group> = {
  [S in Extract<Spec, { group: G }> as FlagName<S['name']>]?: Value<S['takes']>;
};

export type TargetFlags = FlagsOf<'target'>;
export type ProgramFlags = FlagsOf<'program'>;
export type InputFlags = FlagsOf<'input'>;
export type ReadingFlags = FlagsOf<'reading'>;

/** The options of some groups. */
export function optionsIn(...groups: Group[]): readonly OptionSpec[] {
  return OPTIONS.filter(({ group }) => groups.includes(group));
}

export function optionNamed(name: Spec['name']): OptionSpec {
  return OPTIONS.find((option) => option.name === name)!;
}

/** The options that the server accepts: all that the program depends on. */
export const COMPILE_OPTIONS = optionsIn('input', 'target', 'program');

/** The flag that an option sets, and whether it sets it to false. */
export function flagOf({ name }: Pick<OptionSpec, 'name'>): { flag: string; negative: boolean } {
  const negative = name.startsWith('no-');
  const words = (negative ? name.slice(3) : name).split('-');
  const flag = words.map((word, at) => (at === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('');
  return { flag, negative };
}
