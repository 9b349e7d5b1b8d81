import { archesOf, archOf, parseAuditArch } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { EXIT, fail } from '../../errors.ts';
import { loadTables } from '../../syscalls/load.ts';
import { loadSignatures, prototypeText, signatureOf } from '../../syscalls/signatures.ts';
import { auditArchHex, lookup } from '../../syscalls/lookup.ts';
import type { ArchCall, LookupResult } from '../../syscalls/lookup.ts';
import { CliCommand } from '../command.ts';
import { archArgument } from '../options/target-options.ts';
import { hostArch } from '../../host.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { printable, writeStderr, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';

interface Options extends OutputOptions {
  arch?: ArchName | 'all';
  all?: true;
}

const HELP = `
Prints number, name, architecture, audit arch, the first Linux release that has the call, and
its prototype (- if it has none), separated by tabs. An audit arch, as the
kernel's log has it, prints its architectures.

Exit code 1: there is no such call.

Examples:
  seccompc lookup openat2
  seccompc lookup 435 --arch all          what is 435 on every architecture?
  seccompc lookup c000003e                which architecture is that?
  seccompc lookup --all --arch aarch64    the whole table, "number<TAB>name"`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('lookup')
    .description('Looks up a system call by name or number (decimal or 0x hex).')
    .argument('[NAME|NUMBER]', 'the call')
    .option('--arch <A>', 'architecture, such as x86_64 or arm64, or "all" (default: this machine)', (text) =>
      text === 'all' ? text : archArgument(text),
    )
    .option('--all', 'print the whole table of one architecture')
    .addHelpText('after', HELP)
    .runs(run);
  return addOutputOptions(command);
}

async function run(call: string | undefined, options: Options): Promise<number> {
  const arch = options.arch ?? hostArch();
  if (options.all) {
    if (call !== undefined) fail('USAGE', { reason: '--all prints every call, so none can be named' });
    if (arch === 'all') fail('USAGE', { reason: '--all prints one table: name its architecture by --arch' });
    await printTable(arch, options);
    return EXIT.ok;
  }
  if (call === undefined) fail('USAGE', { reason: 'name a call, or give --all' });
  const result = await lookup(call, arch === 'all' ? arch : [arch]);
  const arches = result.kind === 'found' ? [] : archesOf(parseAuditArch(call));
  if (arches.length > 0) {
    const rows = arches.map((name) => ({ auditArch: archOf(name).auditArch, arch: name }));
    await writeProduct(
      options.json
        ? toJson({ ...resultJson(result), found: true, arches: rows })
        : table(rows.map((each) => [auditArchHex(each.auditArch), each.arch])),
    );
    return EXIT.ok;
  }
  await loadSignatures();
  if (options.json) await writeProduct(toJson(resultJson(result)));
  else if (result.kind === 'found') await writeProduct(table(result.calls.map(row)));
  else if (!options.quiet) await writeStderr(`${printable(explainAbsence(call, arch, result))}\n`);
  return result.kind === 'found' ? EXIT.ok : EXIT.no;
}

async function printTable(arch: ArchName, options: Options): Promise<void> {
  const entries = (await loadTables([archOf(arch).table])).of(arch).entries();
  await writeProduct(
    options.json ? toJson({ arch, calls: entries.map(([nr, name]) => ({ nr, name })) }) : table(entries),
  );
}

function row({ nr, name, arch, auditArch, since }: ArchCall): (string | number)[] {
  return [nr, name, arch, auditArchHex(auditArch), since, prototypeOf(arch, name) ?? '-'];
}

function prototypeOf(arch: ArchName, name: string): string | undefined {
  const signature = signatureOf(arch, name);
  return signature && prototypeText(name, signature);
}

/** A call with what is known of its arguments. */
function callJson(call: ArchCall): object {
  const { args, form } = signatureOf(call.arch, call.name) ?? {};
  return {
    ...call,
    prototype: prototypeOf(call.arch, call.name) ?? null,
    args: args ?? null,
    form:
      form?.kind === 'multiplexer'
        ? { kind: form.kind, calls: Object.fromEntries(form.calls) }
        : (form ?? null),
  };
}

function resultJson(result: LookupResult): object {
  const calls = result.kind === 'unknown' ? [] : result.calls.map(callJson);
  return {
    found: result.kind === 'found',
    calls: result.kind === 'found' ? calls : [],
    absent: result.kind === 'found' ? result.absent : [],
    elsewhere: result.kind === 'elsewhere' ? calls : [],
    nearest: result.kind === 'unknown' ? result.nearest : [],
  };
}

function explainAbsence(
  call: string,
  arch: string,
  result: Exclude<LookupResult, { kind: 'found' }>,
): string {
  if (result.kind === 'elsewhere') {
    const places = result.calls.map((found) => `${found.arch} (${found.nr} ${found.name})`);
    return `no call "${call}" on ${arch}, but on ${places.join(', ')}`;
  }
  const hint = result.nearest.length > 0 ? `; did you mean ${result.nearest.join(' or ')}?` : '';
  return `no call "${call}" on any architecture${hint}`;
}
