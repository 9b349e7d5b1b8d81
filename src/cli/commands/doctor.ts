import { InvalidArgumentError, Option } from 'commander';
import { optionsIn } from '../../options/table.ts';
import type { ArchName } from '../../arch.ts';
import { diagnose } from '../../doctor/diagnose.ts';
import type { Diagnosis, Need } from '../../doctor/diagnose.ts';
import { LIBCS, nearestRelease, releasesOf, RUNTIMES } from '../../doctor/facts.ts';
import type { Fact, Libc, Runtime } from '../../doctor/facts.ts';
import { diagnosticJson, EXIT, SeccompcError } from '../../errors.ts';
import type { Code, Diagnostic } from '../../errors.ts';
import { describeAnswer } from '../../prove/describe.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import { addOptions, addOutputOptions } from '../options/add-options.ts';
import { readInput } from '../options/input-file.ts';
import { targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { printDiagnostics, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends TargetFlags, OutputOptions {
  runtime: Runtime;
  release?: string;
  libc: Libc;
  newPrivileges: boolean;
}

const HELP = `
Looks at the calls that were seen in real starts after the filter was on: those of the
runtime, the loader, and the C library of a program that returns at once. What else the
program calls is not known.

--runtime exec is "seccompc exec", and bwrap is bubblewrap. A release that was not recorded
gets the answer of the one before it.

Without PROFILE it looks at this machine: its kernel, the runtimes and their releases, which ways
to deliver a filter work here and what the others lack, and how long Node takes to start.

Exit codes: 0 it starts, 1 it does not, 2 it is not known.

Examples:
  seccompc doctor                                 what does this machine have?
  seccompc doctor profile.json --runtime runc
  seccompc doctor config.json --runtime crun --release 1.8.1 --libc musl`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('doctor')
    .description(
      'Says whether a container with this profile starts and what it lacks, or what this machine has.',
    )
    .argument('[PROFILE]', 'a profile or a config.json; - for standard input')
    .addOption(new Option('--runtime <R>', 'who starts the program').choices(RUNTIMES).default('crun'))
    .option('--release <X>', 'release of the runtime (default: the newest that was recorded)', releaseNumber)
    .addOption(new Option('--libc <L>', 'C library of the program').choices(LIBCS).default('glibc'))
    .option(
      '--no-new-privileges',
      'with no_new_privs, so the filter is loaded last (default: as in config.json)',
    )
    .addHelpText('after', HELP)
    .runs(run);
  // Whose semantics is told by the runtime.
  const target = optionsIn('target').filter(({ name }) => name !== 'semantics');
  return addOptions(addOutputOptions(command), target);
}

function releaseNumber(text: string): string {
  if (/^\d+(\.\d+)*$/.test(text)) return text;
  throw new InvalidArgumentError('Give numbers such as 1.8.1.');
}

async function run(file: string | undefined, options: Options): Promise<number> {
  if (file === undefined) return printHost(options);
  const { runtime, libc } = options;
  const release = nearestRelease(runtime, options.release);
  const libcRelease = nearestRelease(libc);
  const bytes = await readInput(file);
  const target = targetOf({ ...options, semantics: runtime === 'runc' ? `runc@${release}` : 'crun' });
  const late = !options.newPrivileges || hasNoNewPrivileges(bytes);
  const { diagnosis, diagnostics } = await examine(bytes, file, target, (fact) =>
    fact.part === runtime
      ? fact.release === release && fact.setting !== (late ? 'privileges' : 'no_new_privs')
      : fact.part === libc && fact.release === libcRelease,
  );
  const { verdict, patch, reasons } = diagnosis;
  const exitCode = { starts: EXIT.ok, fails: EXIT.no, unknown: EXIT.undecided }[verdict];
  const entry = patch.length > 0 ? { names: patch, action: 'SCMP_ACT_ALLOW' } : null;
  const words = (verb: string) => (need: Need) => needText(need, target.arch, verb);
  if (options.json) {
    const json = (need: Need) => needJson(need, target.arch);
    const [missing, unclear] = [diagnosis.missing.map(json), diagnosis.unclear.map(json)];
    const asked = { runtime, release, libc, libcRelease, noNewPrivileges: late };
    const found = { verdict, missing, unclear, reasons, patch: entry };
    await writeProduct(toJson({ ...asked, ...found, diagnostics: diagnostics.map(diagnosticJson) }));
    return exitCode;
  }
  await printDiagnostics(diagnostics, options);
  const who = release === '-' ? runtime : `${runtime} ${release}`;
  const lines = [
    `${verdict}: ${who} and ${libc} ${libcRelease}${late ? ', no_new_privs' : ''}`,
    ...diagnosis.missing.map(words('needs')),
    ...diagnosis.unclear.map(words('may need')),
    ...reasons.map((reason) => `  ${reason}`),
    ...(entry === null ? [] : [`patch: ${JSON.stringify(entry)}`]),
  ];
  await writeProduct(table(lines.map((line) => [line])));
  return exitCode;
}

type Examined = { diagnosis: Diagnosis; diagnostics: readonly Diagnostic[] };

/**
 * @throws SeccompcError for what is no profile, and for faults of which it is not known that the
 *   runtime refuses them
 */
async function examine(
  bytes: Uint8Array,
  file: string,
  target: Target,
  wanted: (fact: Fact) => boolean,
): Promise<Examined> {
  const { lowerProfile } = await import('../../compile.ts');
  const nothing = { missing: [], unclear: [], reasons: [], patch: [] };
  try {
    const lowered = await lowerProfile(bytes, { target, file });
    const { diagnostics } = lowered;
    if (!lowered.confined) return { diagnosis: { verdict: 'starts', ...nothing }, diagnostics };
    const diagnosis = diagnose(lowered, target, wanted);
    const refused = target.semantics === 'runc' && diagnostics.some(({ code }) => REFUSED_BY_RUNC.has(code));
    return { diagnosis: refused ? { ...diagnosis, verdict: 'fails' } : diagnosis, diagnostics };
  } catch (error) {
    if (!(error instanceof SeccompcError) || !error.diagnostics.some(({ code }) => REFUSED.has(code)))
      throw error;
    return { diagnosis: { verdict: 'fails', ...nothing }, diagnostics: error.diagnostics };
  }
}

/**
 * Errors that are not only ours: the runtimes end at them too. docs/semantics.md sections 1, 4, 10
 * and 12.
 */
const REFUSED = new Set<Code>([
  'ARG_INDEX_RANGE', 'EMPTY_NAME', 'ERRNO_TOO_LARGE', 'ERRNO_WITHOUT_EFFECT', 'FLAG_NEEDS_RELEASE', 'FLAG_REFUSED',
  'MISSING_DEFAULT_ACTION', 'MISSING_MEMBER',
  'MISSING_NAMES', 'NOTIFY_DEFAULT', 'NOTIFY_ON_WRITE', 'NUMBER_FORM', 'NUMBER_RANGE', 'UNKNOWN_ACTION',
  'UNKNOWN_ARCHITECTURE', 'UNKNOWN_FLAG', 'UNKNOWN_OPERATOR', 'WRONG_TYPE',
]); // prettier-ignore
/** Warnings, since crun takes it. */
const REFUSED_BY_RUNC = new Set<Code>(['ARCHITECTURE_SPELLING', 'NOTIFY_WITHOUT_LISTENER']);

/** What config.json says of it; a bare profile says nothing. */
function hasNoNewPrivileges(bytes: Uint8Array): boolean {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)).process?.noNewPrivileges === true;
  } catch {
    return false;
  }
}

function needJson({ fact, answer, symptom }: Need, arch: ArchName): object {
  const { call, stage, insteadOf } = fact;
  const args = Object.fromEntries([...fact.args].map(([index, value]) => [index, String(value)]));
  const given = answer === undefined ? null : describeAnswer(answer, arch);
  return { call, arch, stage, symptom, args, insteadOf, answer: given };
}

/**
 * `runtime needs fstatfs, which gets ERRNO EPERM (1): ensure /proc/self/fd is on procfs: operation not permitted`
 */
function needText({ fact, answer, symptom }: Need, arch: ArchName, verb: string): string {
  const args = [...fact.args].map(([index, value]) => `argument ${index} is ${value}`).join(', ');
  const call = args === '' ? fact.call : `${fact.call} (${args})`;
  const instead = fact.insteadOf.length === 0 ? '' : ` instead of ${fact.insteadOf.join(' and ')}`;
  const given = answer === undefined ? 'may be refused' : `gets ${describeAnswer(answer, arch)}`;
  return `  ${fact.stage} ${verb} ${call}${instead}, which ${given}${symptom === '' ? '' : `: ${symptom}`}`;
}

async function printHost({ json }: Options): Promise<number> {
  const { hostFacts, nodeStart } = await import('../host-facts.ts');
  const host = await hostFacts();
  const known = [...RUNTIMES, ...LIBCS].map((part) => ({ name: part, releases: releasesOf(part) }));
  if (json) {
    await writeProduct(toJson({ host, known }));
    return EXIT.ok;
  }
  const { kernel, programs, ways, node } = host;
  const list = (words: readonly string[] | null) => words?.join(' ') ?? NOT_SAID;
  const { NODE_EXTRA_CA_CERTS: certificates, ...env } = process.env;
  const start = async (environment: NodeJS.ProcessEnv) =>
    `starts in ${(await nodeStart(environment)).toFixed(0)} ms`;
  const rows = [
    ['kernel', kernel.release, kernel.arch],
    ['actions', list(kernel.actions)],
    ['logged', list(kernel.logged)],
    ['user notification', yesOrNo(kernel.userNotification)],
    ['filters of this process', kernel.ownFilters ?? NOT_SAID],
    ['Node', node.version, await start(process.env)],
    ...(certificates ? [['without NODE_EXTRA_CA_CERTS', '', await start(env)]] : []),
    [],
    ['program', 'release', 'libseccomp', 'path'],
    ...programs.map(({ name, path, release, libseccomp }) =>
      path === null ? [name, '-'] : [name, release ?? NOT_SAID, libseccomp ?? '-', path],
    ),
    [],
    ['way to deliver a filter', 'works here'],
    ...ways.map(({ command, lacks }) => [command, lacks === null ? 'yes' : `no: ${lacks}`]),
    [],
    ['starts recorded for', 'releases'],
    ...known.map(({ name, releases }) => [name, releases.join(', ')]),
  ];
  await writeProduct(table(rows));
  return EXIT.ok;
}

const NOT_SAID = 'not known';

function yesOrNo(value: boolean | null): string {
  return value === null ? NOT_SAID : value ? 'yes' : 'no';
}
