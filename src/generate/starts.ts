import { markdownTable } from './markdown.ts';
import type { Output } from './output.ts';
import { module, read, type TableFiles } from './syscall-modules.ts';

/** Makes the module of src/doctor from the recorded starts. */
export function startsModule(files: TableFiles): Output[] {
  const { tsv, sum } = read(files, 'starts.tsv', 12);
  const text = JSON.stringify(tsv.rows.map(({ columns }) => columns.join('\t')).join('\n'));
  const facts = module('starts', [`${tsv.file}, sha256 ${sum}`], [`export const starts = ${text};\n`]);
  return [{ ...facts, path: 'src/doctor/generated/starts.ts' }];
}

/** A section for each program that was started. */
export function startSections(files: TableFiles): string {
  const rows = read(files, 'starts.tsv', 12).tsv.rows.map(({ columns }) => columns);
  const parts = [...new Set(rows.map(([part]) => part!))];
  return parts.map((part) => section(part, rows.filter((row) => row[0] === part))).join('\n'); // prettier-ignore
}

function section(part: string, rows: readonly (readonly string[])[]): string {
  const releases = unique(rows, 1);
  const lines = new Map<string, { found: (readonly string[])[] }>();
  for (const row of rows) {
    const key = [...row.slice(3, 6), ...row.slice(7, 10)].join(' ');
    const line = lines.get(key) ?? { found: [] };
    lines.set(key, line);
    line.found.push(row);
  }
  const cells = [...lines.values()].map(({ found }) => {
    const [, , , call, args, instead, stage, eperm, enosys, kill, symptom] = found.at(-1)!;
    const fatal = [eperm, enosys, kill].flatMap((effect, at) => (effect === 'fails' ? [WAYS[at]] : []));
    const ways = fatal.length === WAYS.length ? 'any' : fatal.join(', ') || 'now and then';
    const settings = unique(found, 2);
    const when = [
      ...(settings.length === 1 && settings[0] !== '-' ? [settings[0] === 'privileges' ? 'without no_new_privs' : 'with no_new_privs'] : []),
      ...(unique(found, 1).length < releases.length ? [unique(found, 1).join(', ')] : []),
      ...(instead === '-' ? [] : [`if ${instead!.replace('+', ' and ')} ${instead!.includes('+') ? 'are' : 'is'} refused`]),
    ].join('; '); // prettier-ignore
    const name =
      args === '-' ? call : `${call}, ${args!.replaceAll(/(\d)=/g, 'argument $1 is ').replaceAll(',', ', ')}`;
    return [name!, stage!, when || 'always', ways, symptom === '-' ? '' : plain(symptom!)];
  });
  const known = releases[0] === '-' ? '' : `\nRecorded: ${releases.join(', ')}.\n`;
  const table = markdownTable(['call', 'stage', 'when', 'refusals that end the start', 'last words'], cells);
  return `## ${part}\n${known}\n${table}`;
}

const WAYS = ['EPERM', 'ENOSYS', 'a kill'];
const unique = (rows: readonly (readonly string[])[], column: number) => [
  ...new Set(rows.map((row) => row[column]!)),
];
const plain = (text: string) => text.replaceAll(/[<>*[\]\\]/g, (character) => `\\${character}`);
