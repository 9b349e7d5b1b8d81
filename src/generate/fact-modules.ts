import { InputError } from './input-error.ts';
import type { Output } from './output.ts';
import { codeOf, TYPES } from './prototypes.ts';
import { callNames, module, read, type TableFiles } from './syscall-modules.ts';
import { onlyValue } from './tsv.ts';

/** Makes the modules of arguments and constants from the checked-in tables alone. */
export function factModules(files: TableFiles): Output[] {
  return [signaturesModule(files), constantsModule(files)];
}

function signaturesModule(files: TableFiles): Output {
  const { tsv, sum } = read(files, 'arguments.tsv', 4);
  const known = new Set([
    ...tsv.rows.map(({ columns }) => columns[0]!),
    ...onlyValue(tsv, 'none').split(' '),
  ]);
  const missing = callNames(files).filter((call) => !known.has(call));
  if (missing.length > 0)
    throw new InputError(tsv.file, 1, `has neither a row nor a word in "# none:" for ${missing.join(', ')}`);
  const sets = [...new Set(tsv.rows.map(({ columns }) => columns[1]!))];
  const rows = tsv.rows.map(({ columns: [call, tables, list, form] }) =>
    [
      call,
      sets.indexOf(tables!),
      list === '-' ? '' : list!.split('; ').map(short).join(';'),
      form === '-' ? '' : form,
    ].join('\t'),
  );
  return module(
    'signatures',
    [`${tsv.file}, sha256 ${sum}`],
    [
      `export const types = {\n${Object.entries(TYPES)
        .map(([type, code]) => `  '${type}': '${code}',\n`)
        .join('')}};\n`,
      `export const sets = [\n${sets.map((set) => `  '${set}',\n`).join('')}];\n`,
      text('rows', rows),
    ],
  );
}

/** An argument without what the kernel keeps, where that follows from the type. */
function short(argument: string): string {
  const [, type, code] = /^(.*?)\w+:(.*)$/.exec(argument)!;
  return code === codeOf(type!.trim()) ? argument.slice(0, -code.length - 1) : argument;
}

function constantsModule(files: TableFiles): Output {
  const sets = read(files, 'constant-sets.tsv', 5);
  const constants = read(files, 'constants.tsv', 4);
  const args = new Set(
    read(files, 'arguments.tsv', 4).tsv.rows.flatMap(({ columns: [call, , list] }) =>
      list!.split('; ').map((argument) => `${call}:${/(\w+):/.exec(argument)?.[1]}`),
    ),
  );
  const lines = sets.tsv.rows.map(({ line, columns: [name, kind, , , uses] }) => {
    const wrong = uses!.split(' ').filter((use) => !args.has(use));
    if (wrong.length > 0) throw new InputError(sets.tsv.file, line, `no such argument: ${wrong.join(', ')}`);
    const [word, mask = '0'] = kind!.split(' ');
    return [name, word, mask, uses].join('\t');
  });
  const rows = sets.tsv.rows.flatMap(({ columns: [set] }) => [
    set!,
    ...constants.tsv.rows
      .filter(({ columns }) => columns[0] === set)
      .map(({ columns: [, name, value, where] }) => {
        const differing = where === '-' ? [] : where!.replace('only ', '').split(';');
        return [name, value, ...differing].join(' ');
      }),
  ]);
  return module(
    'constants',
    [sets, constants].map(({ tsv, sum }) => `${tsv.file}, sha256 ${sum}`),
    [text('sets', lines), text('constants', rows)],
  );
}

/** Lines as one string. */
function text(name: string, lines: readonly string[]): string {
  return `export const ${name} = \`\n${lines.join('\n')}\n\`.slice(1, -1);\n`;
}
