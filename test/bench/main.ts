/**
 * The benchmark: filters of this compiler beside libseccomp's for the same rules, and the command
 * as a process.
 *
 * `npm run bench -- --help`. Nothing here is a test: no figure is held to a limit. What is compared
 * takes turns in one run, because the machine is never quiet; ratios of one run say more than times
 * of two.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { attachTable } from './attach.ts';
import { callTable } from './calls.ts';
import { coldTable } from './cold.ts';
import { compileTable } from './compile.ts';
import { libraryFilter, ownFilter } from './filters.ts';
import { growthTable } from './growth.ts';
import { growthPicture } from './growth-picture.ts';
import type { Measured, ProvedFilter } from './filters.ts';
import { openLibseccomp } from './libseccomp.ts';
import type { Libseccomp } from './libseccomp.ts';
import { describeMachine, load } from './machine.ts';
import { HELP, readOptions } from './options.ts';
import type { Options, Part } from './options.ts';
import { picture } from './picture.ts';
import { build, temporaryFolder } from './programs.ts';
import type { Folder } from './programs.ts';
import { simplifyTable } from './simplify.ts';
import { staticTable } from './static.ts';
import { findSources, hostArch, makeSubjects } from './subjects.ts';
import type { Subject } from './subjects.ts';
import { markdown } from './table.ts';
import type { Table } from './table.ts';

interface Report {
  machine: Record<string, string>;
  /**
   * Where each profile comes from, and what was left out of it so that both compilers mean the
   * same.
   */
  profiles: string[];
  skipped: string[];
  tables: Table[];
}

async function measure(options: Options, folder: Folder): Promise<Report> {
  const { sources, skipped } = findSources(options);
  const opened = openLibseccomp(options.library, folder);
  const library = 'missing' in opened ? undefined : opened;
  if ('missing' in opened) skipped.push(`libseccomp: ${opened.missing}`);
  const kernel = build('kernel');
  if ('missing' in kernel) skipped.push(`attach, calls and cold: ${kernel.missing}`);
  const machine = describeMachine(library?.version ?? 'none');

  const subjects = await makeSubjects(sources, library);
  const measured: Measured[] = [];
  for (const subject of subjects)
    measured.push({
      subject,
      filters: [...libraryFilters(subject, library, skipped), await ownFilter(subject)],
    });
  const native = measured.filter(({ subject }) => subject.target.arch === hostArch()?.name);
  const tenth = Math.ceil(options.rounds / 10);

  const parts: Record<Part, () => Table | undefined | Promise<Table>> = {
    static: async () => staticTable(await withOtherGoals(measured)),
    attach: () =>
      'folder' in kernel ? attachTable(native, kernel.folder, folder, options.rounds) : undefined,
    calls: () => ('folder' in kernel ? callTable(native, kernel.folder, folder, tenth) : undefined),
    compile: () => compileTable(measured, library, tenth),
    cold: () =>
      'folder' in kernel
        ? coldTable(
            sources.filter(({ origin }) => existsSync(origin)),
            kernel.folder,
            folder,
            tenth,
          )
        : undefined,
    simplify: () => (library === undefined ? undefined : simplifyTable(measured, library, tenth)),
    growth: () => growthTable(library, Math.ceil(options.rounds / 100)),
  };
  const tables: Table[] = [];
  for (const part of options.parts) {
    process.stderr.write(`${part} ...\n`);
    const table = await parts[part]();
    if (table !== undefined) tables.push(table);
  }
  machine['load at the end'] = load();
  return { machine, profiles: [...new Set(subjects.map(describeProfile))], skipped, tables };
}

function libraryFilters(
  subject: Subject,
  library: Libseccomp | undefined,
  skipped: string[],
): ProvedFilter[] {
  if (library === undefined) return [];
  return ([1, 2] as const).flatMap((optimize) => {
    const filter = libraryFilter(subject, optimize, library);
    if (!('refused' in filter)) return [filter];
    skipped.push(filter.refused);
    return [];
  });
}

async function withOtherGoals(measured: readonly Measured[]): Promise<Measured[]> {
  const all: Measured[] = [];
  for (const { subject, filters } of measured)
    all.push({
      subject,
      filters: [...filters, await ownFilter(subject, 'frequency'), await ownFilter(subject, 'size')],
    });
  return all;
}

function describeProfile({ title, source, leftOut }: Subject): string {
  const without =
    leftOut.length === 0 ? '' : `; without ${leftOut.join(', ')}, which libseccomp numbers otherwise`;
  return `${title}: ${source.origin}${without}`;
}

function print({ machine, profiles, skipped, tables }: Report): string {
  const list = (lines: readonly string[]) => lines.map((line) => `- ${line}`).join('\n');
  return [
    '# seccompc beside libseccomp\n',
    list(Object.entries(machine).map(([what, value]) => `${what}: ${value}`)),
    `\nProfiles:\n\n${list(profiles)}\n`,
    ...(skipped.length === 0 ? [] : [`**Skipped:**\n\n${list(skipped)}\n`]),
    ...tables.map(markdown),
  ].join('\n');
}

/** @throws RangeError without the parts `static` and `attach`, or without libseccomp */
function drawFirst({ tables }: Report): string {
  const [programs, attach] = ['Programs', 'Attach'].map((name) => tables.find(({ title }) => title === name));
  if (programs === undefined || attach === undefined)
    throw new RangeError('the picture needs the parts static and attach');
  return picture(String(attach.rows[0]?.['profile']), programs, attach);
}

async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  if (options === undefined) {
    process.stdout.write(HELP);
    return;
  }
  const folder = temporaryFolder();
  try {
    const report = await measure(options, folder);
    if (options.picture !== undefined) writeFileSync(options.picture, drawFirst(report));
    const growth = report.tables.find(({ title }) => title === 'Growth');
    if (options.growthPicture !== undefined) {
      if (growth === undefined) throw new RangeError('the picture needs the part growth');
      writeFileSync(options.growthPicture, growthPicture(growth));
    }
    for (const skipped of report.skipped) process.stderr.write(`SKIPPED ${skipped}\n`);
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 1)}\n` : print(report));
  } finally {
    folder.remove();
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
