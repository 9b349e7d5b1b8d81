import { InvalidArgumentError, Option } from 'commander';
import { CliCommand } from '../command.ts';
import { addSign, addStore, addTrust } from '../cache-options.ts';
import { addVoiceOptions } from '../report.ts';
import type { GcOptions } from './cache/gc.ts';
import type { LsOptions } from './cache/ls.ts';
import type { CacheOptions } from './cache/store-access.ts';
import type { TransferOptions } from './cache/move.ts';
import type { VerifyOptions } from './cache/verify.ts';

const HELP = `
The cache only saves time: a filter from it is the same as a fresh one, and every record is checked before use.
An alias leads from a profile and its target to an object, and an object is a program, kept under its SHA-256.

Examples:
  seccompc cache stats
  seccompc cache ls --kind object
  seccompc cache export cache.txt --sign release.pem
  seccompc cache import cache.txt --trust release.pub
  seccompc cache push redis://cache.example.org
"seccompc help cache" is this text; "seccompc cache ACTION --help" says more about one action.`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('cache')
    .usage('ACTION [OPTION...]')
    .description('Shows, checks, empties and moves the cache of compiled filters.')
    .addHelpText('after', HELP);
  const add = (name: string, description: string, help: string) =>
    addStore(addVoiceOptions(command.command(name).description(description))).addHelpText('after', help);
  addViews(add);
  addCare(add);
  addMoves(add);
  return command;
}

type Add = (name: string, description: string, help: string) => CliCommand;

// Of the actions, only the module of the one that runs is loaded.

function addViews(add: Add): void {
  add('path', 'print where the cache is', PATH).runs(async (options: CacheOptions) =>
    (await import('./cache/stats.ts')).path(options),
  );
  add('stats', 'print how much there is', STATS).runs(async (options: CacheOptions) =>
    (await import('./cache/stats.ts')).stats(options),
  );
  add('ls', 'list all records', LS)
    .addOption(new Option('--kind <KIND>', 'records of one kind only').choices(['alias', 'object']))
    .runs(async (options: LsOptions) => (await import('./cache/ls.ts')).list(options));
  addTrust(add('show', 'say what a record holds', SHOW), 'say whether this public key has signed it')
    .argument('KEY', 'a key, or at least its first 6 digits')
    .runs(async (key: string, options: CacheOptions) => (await import('./cache/show.ts')).show(key, options));
}

function addCare(add: Add): void {
  addTrust(add('verify', 'check every record', VERIFY), 'check what claims to be signed by this public key')
    .option('--remove', 'remove what is found')
    .runs(async (options: VerifyOptions) => (await import('./cache/verify.ts')).verify(options));
  add('gc', 'remove what is old, too much or of no use', GC)
    .option('--max-bytes <N>', 'bytes that may stay; K, M and G are powers of 1024', byteCount)
    .option('--max-age <DAYS>', 'days that may pass without use', dayCount)
    .runs(async (options: GcOptions) => (await import('./cache/gc.ts')).gc(options));
  add('clear', 'remove every record; a damaged cache is made anew', CLEAR).runs(
    async (options: CacheOptions) => (await import('./cache/stats.ts')).clear(options),
  );
}

function addMoves(add: Add): void {
  const moves = () => import('./cache/move.ts');
  addSign(takes(add('export', 'write all records into a file', EXPORT)), SIGNS)
    .argument('FILE', 'the file, or - for standard output')
    .runs(async (file: string, options: TransferOptions) => (await moves()).exportTo(file, options));
  takes(add('import', 'take in the records of a file', IMPORT))
    .argument('FILE', 'the file, or - for standard input')
    .runs(async (file: string, options: TransferOptions) => (await moves()).importFrom(file, options));
  addSign(takes(add('push', 'send another cache what it lacks', PUSH)), SIGNS)
    .argument('URL', 'the other cache, as for --cache')
    .runs(async (url: string, options: TransferOptions) => (await moves()).push(url, options));
  takes(add('pull', 'get what is missing from another cache', PULL))
    .argument('URL', 'the other cache, as for --cache')
    .runs(async (url: string, options: TransferOptions) => (await moves()).pull(url, options));
}

const SIGNS = 'sign every alias with this private key';

function takes(action: CliCommand): CliCommand {
  return addTrust(action, 'take the aliases that this public key has signed').option(
    '--unsigned',
    'take aliases whoever has written them: for what you know to be your own',
  );
}

const PATH = `
Example:
  seccompc cache path --cache ./cache`;

const STATS = `
A row for each sum: its name, a tab, its value. Nothing is read but what the store notes of its records.

Examples:
  seccompc cache stats
  seccompc cache stats --json --cache sqlite:/var/cache/filters.sqlite`;

const LS = `
A line for each record, by ascending key: key, kind, bytes, how long ago it was made, how long ago it was used,
label, with tabs between them.

Examples:
  seccompc cache ls
  seccompc cache ls --kind object | sort -t "$(printf '\\t')" -k 3n     by size`;

const SHOW = `
Exit code 1 if there is no such record, 65 if there is one that is damaged.

Examples:
  seccompc cache show 3f9a1c
  seccompc cache show 3f9a1c --trust release.pub --json`;

const VERIFY = `
A line for each finding: key, kind, what is wrong. Exit code 1 if there is one, also if it was removed.
What another version has written into a shared cache is found too: this one cannot read it.

Examples:
  seccompc cache verify
  seccompc cache verify --remove --trust release.pub`;

const GC = `
Without limits those hold that the cache keeps of its own accord, 256 MiB and 90 days; a server has none. Of more than
--max-bytes, what was not used for longest goes until three quarters are left. On a server the age is that since
a record was made. Also removed are aliases whose object is gone, objects that no alias leads to, and files that were
left over.

Examples:
  seccompc cache gc
  seccompc cache gc --max-bytes 64M --max-age 30`;

const CLEAR = `
Example:
  seccompc cache clear --cache ./cache`;

const EXPORT = `
The same records give the same file, byte for byte. Whoever imports it believes the aliases that are signed; to sign
what others wrote into a shared cache, theirs must be signed by --trust, or be taken by --unsigned.

Examples:
  seccompc cache export cache.txt --sign release.pem
  seccompc cache export - | ssh host seccompc cache import - --unsigned`;

const IMPORT = `
Everything is checked before anything is written, and what is there already stays as it is. Aliases that no key you
trust has signed are left out unless --unsigned says that you know where the file comes from: what is in your own
cache is believed. Objects are always taken, as they are harmless. Exit code 65 for a file that is damaged or of
another version.

Examples:
  seccompc cache import cache.txt --trust release.pub
  seccompc cache import my-own.txt --unsigned`;

const PUSH = `
Objects go before the aliases that lead to them. If it breaks off (exit code 69), what was sent is of use, and the next
run sends the rest. What is there already stays as it is, signed or not.

Examples:
  seccompc cache push redis://cache.example.org --sign release.pem
  seccompc cache push sqlite:/mnt/image/cache.sqlite --cache ./cache`;

const PULL = `
Aliases that no key you trust has signed are left out, unless --unsigned says that nobody but you could write there:
what is in your own cache is believed. If it breaks off (exit code 69), the next run gets the rest.

Examples:
  seccompc cache pull redis://cache.example.org --trust release.pub
  seccompc cache pull sqlite:/mnt/image/cache.sqlite --unsigned`;

const POWERS = ['', 'K', 'M', 'G'];

function byteCount(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,12})([KMG]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Give a whole number, with K, M or G if need be.');
  return Number(digits) * 1024 ** POWERS.indexOf(unit.toUpperCase());
}

/** In milliseconds. */
function dayCount(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('Give a number of days.');
  return Number(text) * 24 * 60 * 60 * 1000;
}
