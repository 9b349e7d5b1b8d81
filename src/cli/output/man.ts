/** Manual pages for the macros of man(7), which groff and mandoc read. */
import type { Level } from './levels.ts';

/**
 * The page of the program (`command` undefined) or of one of its commands, with all that is below
 * it.
 */
export function manPage(program: Level, command: Level | undefined, version: string): string {
  const level = command ?? program;
  const others = program.commands.filter((each) => each !== level).map((each) => manName(each.name));
  const see = command === undefined ? others : [manName(), ...others];
  return [
    `.TH ${roff(manName(command?.name).toUpperCase())} 1 "" "seccompc ${version}" "User Commands"`,
    section('NAME', roff(`${manName(command?.name)} - ${level.summary}`)),
    section('SYNOPSIS', usage(level)),
    section('DESCRIPTION', body(level)),
    ...(level.commands.length > 0 ? [section('COMMANDS', commandsOf(level, command !== undefined))] : []),
    ...examplesOf(level),
    section('SEE ALSO', see.map((name) => `.BR ${roff(name)} (1)`).join(',\n')),
    '',
  ]
    .join('\n')
    .replaceAll(/^(\.S[HS] .*\n)\.PP\n/gm, '$1');
}

/** `seccompc-cache` for `cache`. */
export function manName(command?: string): string {
  return command === undefined ? 'seccompc' : `seccompc-${command}`;
}

function section(title: string, text: string): string {
  return `.SH ${title}\n${text}`;
}

function usage({ usage: text, path }: Level): string {
  const name = `seccompc ${path}`.trim();
  return `.B ${roff(name)}\n${line(text.slice(name.length).trim())}`;
}

function body(level: Level): string {
  const groups = [...new Set(level.flags.map(({ group }) => group))];
  const notes = notesOf(level);
  return [
    line(level.description),
    ...(level.operands.length > 0 ? ['.SS Arguments', ...level.operands.map(item)] : []),
    ...groups.flatMap((group) => [
      `.SS ${group.replace(/:$/, '')}`,
      ...level.flags.filter((flag) => flag.group === group).map(item),
    ]),
    ...(notes.length > 0 ? ['.SS Notes', ...notes] : []),
  ].join('\n');
}

/** Those of the program have pages of their own; those of a command are in its page. */
function commandsOf({ commands }: Level, complete: boolean): string {
  if (!complete) return commands.map(({ name, summary }) => item({ term: name, text: summary })).join('\n');
  return commands
    .flatMap((level) => [
      `.SS seccompc ${roff(level.path)}`,
      usage(level),
      '.PP',
      line(level.description),
      ...[...level.operands, ...level.flags].map(item),
      ...notesOf(level),
      ...exampleLines(level),
    ])
    .join('\n');
}

function item({ term, text }: { term: string; text: string }): string {
  return `.TP\n.B ${roff(term)}\n${line(text)}`;
}

/** Paragraphs; lines that are indented stay as they are. */
function notesOf({ notes }: Level): string[] {
  return partsOf(notes).text.flatMap((part) => (/^ /m.test(part) ? verbatim(part) : ['.PP', line(part)]));
}

function examplesOf(level: Level): string[] {
  const lines = exampleLines(level);
  return lines.length > 0 ? [section('EXAMPLES', lines.join('\n'))] : [];
}

function exampleLines({ notes }: Level): string[] {
  const { examples } = partsOf(notes);
  return examples === undefined ? [] : verbatim(examples);
}

function partsOf(notes: string): { text: string[]; examples: string | undefined } {
  const [, examples] = /^Examples?:\n((?:  .*\n?)+)/m.exec(notes) ?? [];
  const rest = notes.replace(/^Examples?:\n(?:  .*\n?)+/m, '\n');
  return { text: rest.split(/\n{2,}/).filter((part) => part.trim() !== ''), examples };
}

function verbatim(text: string): string[] {
  return ['.PP', '.nf', text.trimEnd().split('\n').map(line).join('\n'), '.fi'];
}

/** A line of text; a period or a quote at its beginning would be a request. */
function line(text: string): string {
  return text
    .split('\n')
    .map((each) => `${/^[.']/.test(each) ? String.raw`\&` : ''}${roff(each)}`)
    .join('\n');
}

/** Backslashes have a meaning, and a hyphen that is typed is not one that joins words. */
function roff(text: string): string {
  return text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll('"', String.raw`\(dq`);
}
