import { Option } from 'commander';
import type { ArchName } from '../../arch.ts';
import { diagnostic, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { draftText, errno, errnoOf, refuse } from '../../import/draft.ts';
import type { Draft } from '../../import/draft.ts';
import { callsIn, listDraft, namesIn } from '../../import/lists.ts';
import type { ListMeaning } from '../../import/lists.ts';
import { lxcDraft } from '../../import/lxc.ts';
import { systemdDraft } from '../../import/systemd.ts';
import { decodeUtf8 } from '../../profile/json-text.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { readInput } from '../options/input-file.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { printDiagnostics } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends TargetFlags, OutputOptions {
  from?: keyof typeof READERS;
  deny?: string[];
  allow?: string[];
  allowRest?: true;
  errno?: string;
  output?: string;
}

interface Imported extends Draft {
  notes?: Diagnostic[];
}

/** What each --from reads. */
const READERS = {
  lxc: (text: string, file: string, target: Target): Imported =>
    lxcDraft(text, file, target.arch, chosenArches(target)),
  systemd: (text: string, file: string, { arch }: Target): Imported => systemdDraft(text, file, arch),
  strace: (text: string, file: string, _: Target, meaning: ListMeaning): Imported =>
    listDraft(callsIn(text, file), meaning),
  names: (text: string, file: string, _: Target, meaning: ListMeaning): Imported =>
    listDraft(namesIn(text, file), meaning),
};

/** --architectures, which replaces what the source says. */
function chosenArches({ arch, architectures }: Target): ArchName[] | undefined {
  return architectures && [...new Set([arch, ...architectures])];
}

const HELP = `
--from lxc      a policy of LXC, version 2
       systemd  SystemCallFilter= and what belongs to it, of a unit
       strace   the calls in a log of "strace -f -o FILE COMMAND"
       names    names of calls, with # for comments
       yaml     a profile in YAML; the same as "seccompc resolve"

Without FILE: --deny NAMES --allow-rest refuses these calls, --allow NAMES refuses all others.
Names are separated by commas. @GROUP is a group of systemd. Refused calls get EPERM, or --errno.

The profile means the same as the source, on the machine of --arch, and compiles without a
warning. What an OCI profile cannot say is refused with its line.

Examples:
  seccompc import --from systemd app.service -o profile.json
  seccompc import --deny mount,umount2,ptrace --allow-rest
  seccompc import --allow @system-service --errno ENOSYS
  strace -f -o log make test; seccompc import --from strace log`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('import')
    .description(
      'Makes an OCI profile of a policy of LXC, a systemd unit, a log of strace or a list of calls.',
    )
    .argument('[FILE]', 'what to import; - for standard input')
    .addOption(new Option('--from <KIND>', 'what FILE is').choices([...Object.keys(READERS), 'yaml']))
    .option('--deny <NAMES>', 'refuse these calls (repeatable)', names)
    .option('--allow <NAMES>', 'allow these calls only (repeatable)', names)
    .option('--allow-rest', 'allow all calls that are not listed')
    .option('--errno <ERRNO>', 'errno of refused calls, by name or number (default: EPERM)')
    .option('-o, --output <FILE>', 'where to write the profile (default: standard output)')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addOutputOptions(command));
}

function names(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

async function run(file: string | undefined, options: Options): Promise<void> {
  const target = targetOf(options);
  refuseUsage(file, options);
  if ((options.from as string) === 'yaml') {
    const { run: resolve } = await import('./resolve.ts');
    return resolve(file!, options);
  }
  const { notes = [], ...draft } = await draftOf(file, options, target);
  const text = draftText({ ...draft, architectures: chosenArches(target) ?? draft.architectures });
  await refuseFaults(text, target, file);
  await printDiagnostics(notes, options);
  await writeProduct(text, options.output);
}

function refuseUsage(
  file: string | undefined,
  { from, deny, allow, allowRest, errno: number }: Options,
): void {
  const reason =
    [from, deny, allow].filter((given) => given !== undefined).length !== 1
      ? 'give one of --from, --deny and --allow'
      : (from === undefined) !== (file === undefined)
        ? 'give a FILE with --from, and none without'
        : deny && !allowRest
          ? 'say --allow-rest: --deny alone does not say what the other calls get'
          : (allow && allowRest) || (from && !/^(strace|names)$/.test(from) && (allowRest || number))
            ? `--allow-rest and --errno have no meaning with ${from ? `--from ${from}` : '--allow'}`
            : undefined;
  if (reason !== undefined) fail('USAGE', { reason });
}

async function draftOf(file: string | undefined, options: Options, target: Target): Promise<Imported> {
  const place = { file: '--errno' };
  const refused = errno(errnoOf(options.errno ?? 'EPERM', target.arch, place));
  const meaning = { refused, allowRest: options.allowRest === true };
  if (options.from === undefined) {
    const list = options.deny === undefined ? 'allow' : 'deny';
    return listDraft(
      options[list]!.map((word) => [word, { file: `--${list}` }]),
      meaning,
    );
  }
  const text = decodeUtf8(await readInput(file!))?.replace(/^\uFEFF/, '');
  if (text === undefined) return refuse({ file: file! }, 'this is no text in UTF-8');
  return READERS[options.from](text, file!, target, meaning);
}

/** The profile must compile, and without a word. */
async function refuseFaults(text: string, target: Target, file = 'import'): Promise<void> {
  const { lowerProfile } = await import('../../compile.ts');
  const { diagnostics } = await lowerProfile(text, { target, file });
  const found = diagnostics.filter(({ severity }) => severity !== 'note');
  if (found.length === 0) return;
  const faults = found.map(({ message, code }) =>
    diagnostic('IMPORT_REFUSED', { reason: `${message} [${code}]` }),
  );
  throw new SeccompcError(faults.map((fault) => ({ ...fault, file })));
}
