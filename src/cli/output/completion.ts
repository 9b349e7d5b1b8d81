/** Completion scripts, made of what each command tells commander about itself. */
import type { Command } from 'commander';
import { levelOf } from './levels.ts';
import type { Level, Values } from './levels.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What the shell reads. All commands of the program must be loaded. */
export function completionScript(shell: Shell, program: Command): string {
  return { bash, zsh, fish }[shell](withCommands(levelOf(program)));
}

function withCommands(level: Level): Level[] {
  return [level, ...level.commands.flatMap(withCommands)];
}

function listed(values: readonly string[]): string {
  return values.join(' ');
}

/** Names for the long lists, which many options and operands have: by their words. */
function longLists(levels: readonly Level[]): Map<string, string> {
  const all = levels.flatMap(({ flags, operands }) => [...flags, ...operands]);
  const long = new Set(all.flatMap(({ values = [] }) => (values.length > MANY ? [listed(values)] : [])));
  return new Map([...long].map((words, at) => [words, `_seccompc_list${at}`]));
}

const MANY = 20;

/** Options after which the next word is their value, by any command. */
function takingValue(levels: readonly Level[]): string[] {
  const flags = levels.flatMap((level) => level.flags.filter(({ takesValue }) => takesValue));
  return [...new Set(flags.flatMap(({ names }) => names))];
}

function bash(levels: readonly Level[]): string {
  const paths = levels.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]));
  const lists = longLists(levels);
  const offer = ({ values, files }: Values) => {
    const text = listed(values ?? []);
    const words = `words=${lists.has(text) ? `$${lists.get(text)}` : `'${text}'`}`;
    // Where no words are offered, bash goes on with files.
    return values === undefined ? (files ? ':' : 'nothing=1') : files ? `${words} files=1` : words;
  };
  const options = levels.flatMap(({ path, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map((flag) => `    ${flag.names.map((name) => `'${path} ${name}'`).join(' | ')}) ${offer(flag)} ;;`),
  );
  const operands = levels.flatMap(({ path, operands: all }) =>
    all.map((each, at) => `      '${path} '${each.variadic ? '*' : `'${at}'`}) ${offer(each)} ;;`),
  );
  const words = levels.map(({ path, flags, commands }) => {
    const below = listed(commands.map(({ name }) => name));
    return `      '${path}') commands='${below}' flags='${listed(flags.flatMap(({ names }) => names))}' ;;`;
  });
  return `# Completion of seccompc for bash.
${[...lists].map(([text, name]) => `${name}='${text}'`).join('\n')}
_seccompc() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} path= each words= commands= flags=
  local files= nothing= skip= given=0
  COMPREPLY=()
  # bash splits --format=asm into three words.
  [[ $word == = ]] && word=
  [[ $before == = ]] && before=\${COMP_WORDS[COMP_CWORD - 2]}
  for each in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    [[ $each == = ]] && skip=1 && continue
    [[ $skip ]] && skip= && continue
    case "\${path:+$path }$each" in
      ${paths.join(' | ')}) path="\${path:+$path }$each" && continue ;;
    esac
    case $each in
      ${takingValue(levels).join(' | ')}) skip=1 ;;
      -*) ;;
      *) given=$((given + 1)) ;;
    esac
  done
  case "$path $before" in
${options.join('\n')}
    *) case $path in
${words.join('\n')}
    esac
    words=$commands
    case "$path $given" in
${operands.join('\n')}
    esac
    [[ $word == -* ]] && words=$flags files= ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ $files ]]; then
    while IFS= read -r each; do COMPREPLY+=("$each"); done < <(compgen -f -- "$word")
    compopt -o filenames 2>/dev/null
  fi
  [[ $nothing ]] && compopt +o default 2>/dev/null
}
# Without an answer of the function, names of files.
complete -o default -F _seccompc seccompc
`;
}

function zsh(levels: readonly Level[]): string {
  const lists = longLists(levels);
  const functionOf = (path: string) => `_seccompc${path === '' ? '' : `_${path.replaceAll(' ', '_')}`}`;
  const functions = levels.map(({ path, flags, operands, commands }) => {
    const lines = flags.map(({ names, takesValue, description, ...values }) => {
      const rest = takesValue ? `:value:${zshValues(values, lists)}` : '';
      // One name excludes the other; braces outside of the quotes make two words of them.
      const named = names.length === 1 ? `'${names[0]!}` : `'(${names.join(' ')})'{${names.join(',')}}'`;
      return `    ${named}[${zshText(description)}]${rest}'`;
    });
    if (commands.length === 0) {
      for (const [at, { variadic, ...values }] of operands.entries())
        lines.push(`    '${variadic ? '*' : at + 1}:word:${zshValues(values, lists)}'`);
      return `${functionOf(path)}() {\n  _arguments -S \\\n${lines.join(' \\\n')}\n}\n`;
    }
    const named = commands.map(({ name, summary }) => `${name}\\:"${zshText(summary)}"`);
    const cases = commands.map(({ name, path: below }) => `    ${name}) ${functionOf(below)} ;;`);
    return `${functionOf(path)}() {
  local state line
  _arguments -C \\
${lines.join(' \\\n')} \\
    '1:command:((${named.join(' ')}))' \\
    '*::arguments:->below'
  [[ $state == below ]] || return
  case $line[1] in
${cases.join('\n')}
  esac
}
`;
  });
  return `#compdef seccompc
# Completion of seccompc for zsh.
${[...lists].map(([words, name]) => `${name}() { compadd "$@" - ${words} }`).join('\n')}
${functions.join('')}
if [[ $funcstack[1] == _seccompc ]]; then _seccompc "$@"; else compdef _seccompc seccompc; fi
`;
}

function zshValues({ values, files }: Values, lists: ReadonlyMap<string, string>): string {
  if (values === undefined) return files ? '_files' : ' ';
  const text = listed(values);
  const words = lists.get(text) ?? `(${text})`;
  return files ? `{_alternative "words:word:${words}" "files:file:_files"}` : words;
}

/** Text within single quotes of a specification: brackets and colons have a meaning there. */
function zshText(text: string): string {
  return text
    .replaceAll(/[[\]:\\]/g, String.raw`\$&`)
    .replaceAll("'", String.raw`'\''`)
    .replaceAll('"', '');
}

function fish(levels: readonly Level[]): string {
  const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
  const lists = longLists(levels);
  const offer = ({ values = [], files }: Values) => {
    const text = listed(values);
    const words = lists.has(text) ? `"$${lists.get(text)}"` : quoted(text);
    return `${files ? '' : ' -f'}${text === '' ? '' : ` -a ${words}`}`;
  };
  const lines = levels.flatMap(({ path, flags, operands, commands }) => {
    const at = (...words: string[]) =>
      `complete -c seccompc -n ${quoted(['__seccompc_at', quoted(path), ...words].join(' '))}`;
    return [
      ...commands.map(({ name, summary }) => `${at()} -f -a ${name} -d ${quoted(summary)}`),
      ...operands.map((each, index) => `${at(each.variadic ? `${index}-` : String(index))}${offer(each)}`),
      ...flags.map(({ names, takesValue, description, ...values }) => {
        const named = names.map((name) => name.replace(/^--/, '-l ').replace(/^-(?=.$)/, '-s ')).join(' ');
        return `${at()} ${named}${takesValue ? ` -r${offer(values)}` : ''} -d ${quoted(description)}`;
      }),
    ];
  });
  const paths = levels.flatMap(({ path }) => (path === '' ? [] : [quoted(path)]));
  return `# Completion of seccompc for fish.
${[...lists].map(([words, name]) => `set -g ${name} ${quoted(words)}`).join('\n')}
# Whether the words so far are this command and, if a number is given, so many operands; with "-" at least so many.
function __seccompc_at
    set -l path
    set -l given
    set -l skip
    for each in (commandline -opc)[2..]
        if test -n "$skip"
            set skip
        else if contains -- (string join -- ' ' $path $each) ${paths.join(' ')}
            set -a path $each
        else if contains -- $each ${takingValue(levels).join(' ')}
            set skip 1
        else if not string match -q -- '-*' $each
            set -a given $each
        end
    end
    test "$path" = "$argv[1]"; or return 1
    set -q argv[2]; or return 0
    set -l most (string replace -- - '' $argv[2])
    test (count $given) -eq $most; and return 0
    test $most != $argv[2]; and test (count $given) -gt $most
end
${lines.join('\n')}
`;
}
