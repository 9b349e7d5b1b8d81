import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { packageVersion } from '../cache/version.ts';
import { diagnostic, EXIT, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Operation } from '../merge/operations.ts';
import { CliCommand } from './command.ts';
import type { Invocation } from './command.ts';
import { fitted, FULL_HELP, shortList } from './options/help-groups.ts';
import { OutputClosed, writeStandard } from './output/streams.ts';
import { printFailure, writeStderr } from './output/report.ts';
import type { OutputOptions } from './output/report.ts';

/**
 * One line in the list of commands, and the module that knows the rest; only the one that runs is
 * loaded.
 */
interface Entry {
  summary: string;
  load: () => Promise<{ makeCommand: (invocation: Invocation) => CliCommand }>;
}

/** Commands that differ by one word are in one module. */
const joining =
  (operation: Operation): Entry['load'] =>
  async () => {
    const { mergeCommand } = await import('./commands/merge.ts');
    return { makeCommand: () => mergeCommand(operation) };
  };

/** By the heading in the help. */
const GROUPS: Record<string, Record<string, Entry>> = {
  'Compile:': {
    compile: {
      summary: 'compile a profile to a filter that the kernel can load',
      load: () => import('./commands/compile.ts'),
    },
    resolve: {
      summary: 'show the plain OCI profile that a profile becomes for a target',
      load: () => import('./commands/resolve.ts'),
    },
    import: {
      summary: 'make a profile from a policy of LXC, a systemd unit, a log of strace or a list',
      load: () => import('./commands/import.ts'),
    },
    record: {
      summary: 'make a profile from the calls of a command',
      load: () => import('./commands/record.ts'),
    },
  },
  'Ask:': {
    explain: {
      summary: 'say which entry of a profile decides a call',
      load: () => import('./commands/explain.ts'),
    },
    simulate: {
      summary: 'ask a profile or a filter what it answers to one call',
      load: () => import('./commands/simulate.ts'),
    },
    disasm: {
      summary: 'print a filter as readable instructions',
      load: () => import('./commands/disasm.ts'),
    },
    graph: {
      summary: 'draw the decision tree of a filter as SVG, DOT or Mermaid',
      load: () => import('./commands/graph.ts'),
    },
    report: {
      summary: 'make a page that shows, answers and edits a profile',
      load: () => import('./commands/report.ts'),
    },
    lookup: {
      summary: 'look up the number of a system call, or the name of a number',
      load: () => import('./commands/lookup.ts'),
    },
  },
  'Check:': {
    lint: {
      summary: 'find mistakes in a profile',
      load: () => import('./commands/lint.ts'),
    },
    check: {
      summary: 'lint, and prove the assertions beside a profile',
      load: () => import('./commands/check.ts'),
    },
    assert: {
      summary: 'prove statements about a profile or a filter',
      load: () => import('./commands/assert.ts'),
    },
    verify: {
      summary: 'prove that a filter does what a profile says',
      load: () => import('./commands/verify.ts'),
    },
    diff: {
      summary: 'compare what two profiles or filters answer',
      load: () => import('./commands/diff.ts'),
    },
    fingerprint: {
      summary: 'print a hash of what a profile or a filter means',
      load: () => import('./commands/fingerprint.ts'),
    },
    audit: {
      summary: 'read refused calls from a log, and allow them in a profile',
      load: () => import('./commands/audit.ts'),
    },
    doctor: {
      summary: 'say whether a container starts with a profile, or what this machine has',
      load: () => import('./commands/doctor.ts'),
    },
  },
  'Combine:': {
    intersect: {
      summary: 'refuse what any of several profiles or filters refuses',
      load: joining('intersect'),
    },
    union: {
      summary: 'let through what any of several profiles or filters lets through',
      load: joining('union'),
    },
    subtract: {
      summary: 'refuse also what other profiles or filters refuse',
      load: joining('subtract'),
    },
    extend: {
      summary: 'answer as a base does, except where a patch has an entry',
      load: joining('extend'),
    },
    simplify: {
      summary: 'write a profile with fewer entries and the same meaning',
      load: async () => {
        const { simplifyCommand } = await import('./commands/merge.ts');
        return { makeCommand: simplifyCommand };
      },
    },
  },
  'Deliver:': {
    runtime: {
      summary: 'give all containers of an engine their filter by an OCI runtime',
      load: () => import('./commands/runtime.ts'),
    },
    hook: {
      summary: 'give containers of podman their filter by a hook',
      load: () => import('./commands/hook.ts'),
    },
    bundle: {
      summary: 'put filters into the config.json of OCI bundles, for crun',
      load: () => import('./commands/bundle.ts'),
    },
    annotate: {
      summary: 'print the argument by which podman, docker or ctr hand a filter to crun',
      load: () => import('./commands/annotate.ts'),
    },
    'crun-cache': {
      summary: "put filters into crun's own cache (experimental)",
      load: () => import('./commands/crun-cache.ts'),
    },
    exec: {
      summary: 'run a command under a filter',
      load: () => import('./commands/exec.ts'),
    },
  },
  'Prepare:': {
    prebuild: {
      summary: 'compile many profiles for many targets',
      load: () => import('./commands/prebuild.ts'),
    },
    serve: {
      summary: 'compile on request at a Unix socket',
      load: () => import('./commands/serve.ts'),
    },
    cache: {
      summary: 'show, check, empty and copy the cache of filters',
      load: () => import('./commands/cache.ts'),
    },
    push: {
      summary: 'send profiles and their filters to an OCI registry',
      load: () => import('./commands/push.ts'),
    },
    pull: {
      summary: 'get a profile and its filter from an OCI registry',
      load: () => import('./commands/pull.ts'),
    },
  },
  'Help:': {
    completion: {
      summary: 'print a script for completion in bash, zsh or fish',
      load: () => import('./commands/completion.ts'),
    },
    man: {
      summary: 'print the manual page of a command',
      load: () => import('./commands/man.ts'),
    },
    lsp: {
      summary: 'serve an editor that shows a profile',
      load: () => import('./commands/lsp.ts'),
    },
    schema: {
      summary: 'print a JSON Schema with which an editor checks profiles',
      load: () => import('./commands/schema.ts'),
    },
  },
};
const COMMANDS: Record<string, Entry> = Object.assign({}, ...Object.values(GROUPS));

/** For a command line without a word. */
const FIRST_STEPS = `seccompc compiles OCI seccomp profiles to BPF filters. Three ways to begin:

  seccompc compile profile.json -o filter.bpf    compile a profile
  seccompc explain profile.json clone3           ask which entry decides a call
  seccompc runtime install /usr/local/bin        give containers their filters

Without a profile of your own, try "container-default" instead of profile.json.
"seccompc --help" lists all commands. "seccompc help COMMAND" explains one.
`;

const EXAMPLES = `
Examples:
  seccompc compile profile.json -o filter.bpf     for this machine
  seccompc compile profile.json --arch aarch64 --format asm
  seccompc simulate profile.json clone3           what happens to this call?
  seccompc lookup 435                             which call is that?

PROFILE is a file or - for standard input: an OCI linux.seccomp object, a config.json, or a profile
as Docker and Podman take it. container-default, podman-default and docker-default are profiles too.
"seccompc help COMMAND" says more about one command.`;

/** Runs one command line and gives the exit code. Never rejects. */
export async function runCommandLine(started: Omit<Invocation, 'program'>): Promise<number> {
  const args = helpWords(started.args);
  if (args.length === 0) {
    await writeStderr(FIRST_STEPS);
    return EXIT.usage;
  }
  // Help and version, which the parser would write without waiting.
  const help: string[] = [];
  const invocation: Invocation = {
    ...started,
    args,
    program: () => makeProgram(invocation, help, Object.keys(COMMANDS)),
  };
  try {
    const wanted = args.find((arg) => !arg.startsWith('-')) ?? '';
    const program = await makeProgram(invocation, help, [wanted]);
    await program.parseAsync(plainWords(args), { from: 'user' });
    return program.exitCode;
  } catch (error) {
    if (help.length > 0) await writeStandard(1, help.join('')).catch(() => {});
    return await reportFailure(error, args);
  }
}

/** @param wanted the commands to load */
async function makeProgram(
  invocation: Invocation,
  help: string[],
  wanted: readonly string[],
): Promise<CliCommand> {
  const isFull = invocation.args.includes(FULL_HELP);
  const width = helpWidth();
  const writeOut = (text: string) => {
    help.push(width === undefined ? text : fitted(text, width));
  };
  const program = new CliCommand('seccompc')
    .description('Compiles OCI seccomp profiles to the BPF filters that seccomp(2) loads.')
    .usage('COMMAND [OPTION...]')
    .version(`seccompc ${packageVersion()}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .commandsGroup('Help:')
    .helpCommand('help [COMMAND]', 'print help for a command')
    .configureHelp({
      subcommandTerm: (command) => command.name(),
      minWidthToWrap: 20,
      ...(isFull ? {} : { formatItemList: shortList }),
    })
    // Every message goes the one way, through reportFailure.
    .configureOutput({ outputError: () => {}, writeOut, ...(width && { getOutHelpWidth: () => width }) })
    .exitOverride()
    .addHelpText('after', EXAMPLES);
  const [first = ''] = invocation.args;
  // Then the list of commands cannot be asked for.
  const isAlone = wanted.join() === first && Object.hasOwn(COMMANDS, first);
  for (const [heading, commands] of Object.entries(GROUPS)) {
    program.commandsGroup(heading);
    for (const [name, { summary, load }] of Object.entries(commands)) {
      if (wanted.includes(name)) adopt(program, (await load()).makeCommand(invocation).summary(summary));
      else if (!isAlone) program.command(name).summary(summary);
    }
  }
  return program;
}

/** What the user has set, or the terminal has; undefined where nobody says. */
function helpWidth(): number | undefined {
  const { isTTY, columns } = process.stdout;
  return Number(process.env['COLUMNS']) || (isTTY ? columns : undefined) || undefined;
}

/**
 * `help A B` is `A B --help`. A word that is no command is refused, with a guess, instead of
 * explained.
 */
function helpWords(args: readonly string[]): readonly string[] {
  const [first, ...rest] = args;
  const flag = rest.includes('--all') ? FULL_HELP : '--help';
  const words = first === 'help' ? [...rest.filter((word) => word !== '--all'), flag] : args;
  const command = words.find((word) => !word.startsWith('-'));
  if (command === undefined || command === 'help' || Object.hasOwn(COMMANDS, command)) return words;
  return words.filter((word) => !['-h', '--help', FULL_HELP].includes(word));
}

/**
 * A command made elsewhere has none of the program's settings yet, and neither have those below it.
 */
function adopt(parent: CliCommand, command: CliCommand): void {
  parent.addCommand(command);
  settle(parent, command);
}

function settle(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) settle(command, below);
}

/**
 * Commander reads `-1` as a number but `-0x1` as an option. Arguments after `--` stay as they are.
 */
function plainWords(args: readonly string[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  return args.map((arg, index) => {
    if (index >= end) return arg;
    if (arg === FULL_HELP) return '--help';
    return /^-0x[0-9a-f]+$/i.test(arg) ? String(-BigInt(arg.slice(1))) : arg;
  });
}

/** Says what ended a command; gives what to exit with. */
export async function reportFailure(error: unknown, args: readonly string[]): Promise<number> {
  // The reader of our output is gone, so a message would be lost too.
  if (error instanceof OutputClosed) return EXIT.ioError;
  let found = diagnosticsOf(error, args);
  if (found.some(({ code }) => code === 'USAGE' || code === 'TARGET_INVALID')) {
    const { withGuess } = await import('./output/did-you-mean.ts');
    found = found.map((each) => withGuess(each, Object.keys(COMMANDS)));
  }
  if (found.length > 0) await printFailure(found, outputOptionsIn(args)).catch(() => {});
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  return error instanceof SeccompcError ? error.exitCode : EXIT.software;
}

function diagnosticsOf(error: unknown, args: readonly string[]): readonly Diagnostic[] {
  if (error instanceof SeccompcError) return error.diagnostics;
  if (error instanceof CommanderError) {
    // Help was requested, or was printed instead of a message.
    if (error.exitCode === 0 || error.code === 'commander.help') return [];
    const command = args.find((arg) => Object.hasOwn(COMMANDS, arg));
    const help = `see "seccompc ${command === undefined ? '' : `${command} `}--help"`;
    // A word that it repeats may have line breaks too.
    const [, reason = '', guess] =
      /^(?:error: )?(.*?)(?:\n(\(Did you mean .*\)))?$/s.exec(error.message) ?? [];
    const hint = guess === undefined ? help : `${guess.replaceAll(/[()]/g, '')} Or ${help}`;
    return [diagnostic('USAGE', { reason }, { hint })];
  }
  if (process.env['DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return [diagnostic('INTERNAL_ERROR', { reason: error instanceof Error ? error.message : String(error) })];
}

/** Found without the parser: the error may be that the options cannot be parsed. */
function outputOptionsIn(args: readonly string[]): OutputOptions {
  const end = args.indexOf('--');
  const options = end < 0 ? args : args.slice(0, end);
  const json = options.some(
    (arg, index) =>
      arg === '--json' || arg === '--format=json' || (arg === '--format' && options[index + 1] === 'json'),
  );
  return { json, quiet: options.some((arg) => arg === '--quiet' || arg.startsWith('-q')) };
}
