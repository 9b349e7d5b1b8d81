/** Completion scripts, made of what each command tells commander about itself. */
import type { Command } from 'commander';
import { levelOf } from './levels.ts';
import type { Level } from './levels.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What the shell reads. All commands of the program must be loaded. */
export function completionScript(shell: Shell, program: Command): string {
  return { bash, zsh, fish }[shell](withCommands(levelOf(program)));
}

function withCommands(level: Level): Level[] {
  return [level, ...level.commands.flatMap(withCommands)];
}

function bash(levels: readonly Level[]): string {
  const paths = levels.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]));
  const choices: string[] = [];
  const free: string[] = [];
  for (const { path, flags } of levels)
    for (const { names, takesValue, values } of flags) {
      const patterns = names.map((name) => `'${path} ${name}'`);
      if (values !== undefined) choices.push(`    ${patterns.join(' | ')}) words='${values.join(' ')}' ;;`);
      else if (takesValue) free.push(...patterns);
    }
  const words = levels.map(({ path, flags, commands }) => {
    const below = commands.map(({ name }) => name).join(' ');
    return `      '${path}') commands='${below}' flags='${flags.flatMap(({ names }) => names).join(' ')}' ;;`;
  });
  return `# Completion of seccompc for bash.
_seccompc() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} path= each words= commands= flags=
  COMPREPLY=()
  # bash splits --format=asm into three words.
  [[ $word == = ]] && word=
  [[ $before == = ]] && before=\${COMP_WORDS[COMP_CWORD - 2]}
  for each in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "\${path:+$path }$each" in
      ${paths.join(' | ')}) path="\${path:+$path }$each" ;;
    esac
  done
  case "$path $before" in
${choices.join('\n')}
    ${free.join(' | ')}) return ;;
    *) case $path in
${words.join('\n')}
    esac
    words=$commands
    [[ $word == -* ]] && words=$flags ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
# Without an answer of the function, names of files.
complete -o default -F _seccompc seccompc
`;
}

function zsh(levels: readonly Level[]): string {
  const functionOf = (path: string) => `_seccompc${path === '' ? '' : `_${path.replaceAll(' ', '_')}`}`;
  const functions = levels.map(({ path, flags, commands }) => {
    const lines = flags.map(({ names, takesValue, values, description }) => {
      const value = values === undefined ? '_files' : `(${values.join(' ')})`;
      const rest = takesValue ? `:value:${value}` : '';
      // One name excludes the other; braces outside of the quotes make two words of them.
      const named = names.length === 1 ? `'${names[0]!}` : `'(${names.join(' ')})'{${names.join(',')}}'`;
      return `    ${named}[${zshText(description)}]${rest}'`;
    });
    if (commands.length === 0)
      return `${functionOf(path)}() {\n  _arguments -S \\\n${lines.join(' \\\n')} \\\n    '*:file:_files'\n}\n`;
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
  return `#compdef seccompc\n# Completion of seccompc for zsh.\n${functions.join('')}
if [[ $funcstack[1] == _seccompc ]]; then _seccompc "$@"; else compdef _seccompc seccompc; fi
`;
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
  const lines = levels.flatMap(({ path, flags, commands }) => {
    const at = `complete -c seccompc -n ${quoted(`__seccompc_at ${quoted(path)}`)}`;
    return [
      ...commands.map(({ name, summary }) => `${at} -f -a ${name} -d ${quoted(summary)}`),
      ...flags.map(({ names, takesValue, values, description }) => {
        const named = names.map((name) => name.replace(/^--/, '-l ').replace(/^-(?=.$)/, '-s ')).join(' ');
        const value = values === undefined ? ' -r' : ` -x -a ${quoted(values.join(' '))}`;
        return `${at} ${named}${takesValue ? value : ''} -d ${quoted(description)}`;
      }),
    ];
  });
  const paths = levels.flatMap(({ path }) => (path === '' ? [] : [quoted(path)]));
  return `# Completion of seccompc for fish.
function __seccompc_at
    set -l path
    for each in (commandline -opc)[2..]
        contains -- (string join -- ' ' $path $each) ${paths.join(' ')}; and set -a path $each
    end
    test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}
