import { addOutputOptions } from '../options/add-options.ts';
import { InvalidArgumentError, Option } from 'commander';
import { CliCommand } from '../command.ts';
import { addSign, addStore, addTrust } from '../options/cache-options.ts';

import type { GcOptions } from './cache/gc.ts';
import type { LsOptions } from './cache/ls.ts';
import type { CacheOptions } from './cache/store-access.ts';
import type { TransferOptions } from './cache/move.ts';
import type { VerifyOptions } from './cache/verify.ts';

const HELP = `
The cache only saves time: a filter from it is the same as a fresh one, and every record is
checked before use. An alias leads from a profile and its target to an object. An object is
a program, stored under its SHA-256.

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
    addStore(addOutputOptions(command.command(name).description(description))).addHelpText('after', help);
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
    .option('--max-bytes <N>', 'most bytes to keep; K, M and G are powers of 1024', byteCount)
    .option('--max-age <DAYS>', 'remove records that were not used for so many days', dayCount)
    .runs(async (options: GcOptions) => (await import('./cache/gc.ts')).gc(options));
  add('clear', 'remove every record; also replaces a damaged cache', CLEAR).runs(
    async (options: CacheOptions) => (await import('./cache/stats.ts')).clear(options),
  );
}

function addMoves(add: Add): void {
  const moves = () => import('./cache/move.ts');
  addSign(takes(add('export', 'write all records into a file', EXPORT)), SIGNS)
    .argument('FILE', 'the file, or - for standard output')
    .runs(async (file: string, options: TransferOptions) => (await moves()).exportTo(file, options));
  takes(add('import', 'add the records of a file', IMPORT))
    .argument('FILE', 'the file, or - for standard input')
    .runs(async (file: string, options: TransferOptions) => (await moves()).importFrom(file, options));
  addSign(takes(add('push', 'send records that another cache does not have', PUSH)), SIGNS)
    .argument('URL', 'the other cache, as for --cache')
    .runs(async (url: string, options: TransferOptions) => (await moves()).push(url, options));
  takes(add('pull', 'get what is missing from another cache', PULL))
    .argument('URL', 'the other cache, as for --cache')
    .runs(async (url: string, options: TransferOptions) => (await moves()).pull(url, options));
}

const SIGNS = 'sign every alias with this private key';

function takes(action: CliCommand): CliCommand {
  return addTrust(action, 'accept the aliases that this public key has signed').option(
    '--unsigned',
    'accept all aliases: only for records that nobody but you could write',
  );
}

const PATH = `
Example:
  seccompc cache path --cache ./cache`;

const STATS = `
One line for each sum: name, tab, value. The records themselves are not read.

Examples:
  seccompc cache stats
  seccompc cache stats --json --cache sqlite:/var/cache/filters.sqlite`;

const LS = `
Prints one line for each record, sorted by key: key, kind, bytes, age, time since the last
use, label, separated by tabs.

Examples:
  seccompc cache ls
  seccompc cache ls --kind object | sort -t "$(printf '\\t')" -k 3n     by size`;

const SHOW = `
Exit code 1: there is no such record. Exit code 65: the record is damaged.

Examples:
  seccompc cache show 3f9a1c
  seccompc cache show 3f9a1c --trust release.pub --json`;

const VERIFY = `
Prints one line for each damaged record: key, kind, reason. Exit code 1 if there is one,
even if it was removed. Records of other versions in a shared cache are listed too, because
this version cannot read them.

Examples:
  seccompc cache verify
  seccompc cache verify --remove --trust release.pub`;

const GC = `
The default limits are those of the cache itself: 256 MiB and 90 days, none on a server. If
there is more than --max-bytes, the least recently used records are removed until three
quarters are left. On a server, age counts from the time when a record was made. gc also
removes aliases without an object, objects without an alias, and leftover files.

Examples:
  seccompc cache gc
  seccompc cache gc --max-bytes 64M --max-age 30`;

const CLEAR = `
Example:
  seccompc cache clear --cache ./cache`;

const EXPORT = `
The same records give the same file, byte for byte. An import accepts the signed aliases. To
sign aliases that others wrote into a shared cache, accept them with --trust or --unsigned.

Examples:
  seccompc cache export cache.txt --sign release.pem
  seccompc cache export - | ssh host seccompc cache import - --unsigned`;

const IMPORT = `
The whole file is checked before anything is written. Existing records do not change.
Objects are always accepted, because they are harmless. Aliases are accepted if a key of
--trust has signed them. --unsigned accepts all aliases. Your own cache is trusted later, so
use it only for a file that only you could write.

Exit code 65: the file is damaged or of another version, or --unsigned was given and others
could have changed the file.

Examples:
  seccompc cache import cache.txt --trust release.pub
  seccompc cache import my-own.txt --unsigned`;

const PUSH = `
Objects are sent before the aliases that lead to them. If the connection breaks (exit code
69), the records sent so far are usable, and the next run sends the rest. Existing records
do not change, signed or not.

Examples:
  seccompc cache push redis://cache.example.org --sign release.pem
  seccompc cache push oci://registry.example/seccomp-cache --sign release.pem
  seccompc cache push sqlite:/mnt/image/cache.sqlite --cache ./cache`;

const PULL = `
Aliases are accepted if a key of --trust has signed them. --unsigned accepts all aliases:
use it only if only you could write to the other cache. If the connection breaks (exit code
69), the next run gets the rest.

Examples:
  seccompc cache pull redis://cache.example.org --trust release.pub
  seccompc cache pull sqlite:/mnt/image/cache.sqlite --unsigned`;

const POWERS = ['', 'K', 'M', 'G'];

function byteCount(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,12})([KMG]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Give a whole number, with or without K, M or G.');
  return Number(digits) * 1024 ** POWERS.indexOf(unit.toUpperCase());
}

/** In milliseconds. */
function dayCount(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('Give a number of days.');
  return Number(text) * 24 * 60 * 60 * 1000;
}
