/** The scripts of `seccompc completion`, asked in the shells that they are for. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { runIn, scratch } from './run.ts';

const folder = scratch();

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout, stderr } = await runIn(folder, ['completion', shell]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const file = join(folder, shell);
  writeFileSync(file, stdout);
  return file;
}

/** The words a shell offers for the last word of each line. */
const EXPECTED: [line: string, offered: string[]][] = [
  ['seccompc comp', ['compile', 'completion']],
  ['seccompc cache l', ['ls']],
  ['seccompc compile --form', ['--format']],
  ['seccompc compile --optimize ', ['attach', 'frequency', 'size']],
  ['seccompc compile profile.json --arch aa', ['aarch64']],
  ['seccompc lint --fail-on e', ['error']],
];

describe.skipIf(skipWithout(requirements(['bash'])))('in bash', () => {
  it('commands, options and their values are offered', async () => {
    const script = await scriptFor('bash');
    const ask =
      'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _seccompc; echo "${COMPREPLY[*]}"';
    const offered = (words: string[]) =>
      execFileSync('bash', ['-c', ask, 'bash', script, ...words], { encoding: 'utf8' })
        .trim()
        .split(' ');
    for (const [line, words] of EXPECTED)
      expect([line, ...offered(line.split(' '))]).toEqual([line, ...words]);
    // bash makes three words of --format=asm.
    expect(offered(['seccompc', 'compile', '--format', '=', 'as'])).toEqual(['asm']);
    // Nothing: bash goes on with names of files.
    expect(offered(['seccompc', 'compile', '--output', ''])).toEqual(['']);
    expect(offered(['seccompc', 'compile', ''])).toEqual(['']);
  });
});

describe.skipIf(skipWithout(requirements(['fish'])))('in fish', () => {
  it('commands, options and their values are offered', async () => {
    const script = await scriptFor('fish');
    for (const [line, words] of EXPECTED) {
      const ask = ['-c', 'source $argv[1]; complete -C $argv[2]', script, line];
      const output = execFileSync('fish', ask, {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: folder },
      });
      const offered = output.split('\n').flatMap((text) => (text === '' ? [] : [text.split('\t')[0]!]));
      expect([line, ...offered]).toEqual([line, ...words]);
    }
  });
});

/** Runs zsh on a terminal, types a line and the key that lists completions, and waits until a word is on the screen. */
const ZSH = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "autoload -U compinit; compinit -u -D; source $1; bindkey '^X' list-choices; print -n REA; print DY"
waitFor() { local all part; while zpty -r shell part; do all+=$part; [[ $all == *$1* ]] && { print -r -- $all; return } done; return 1 }
waitFor READY >/dev/null
zpty -w -n shell "$2"$'\\x18'
waitFor "$3"
`;

describe.skipIf(skipWithout(requirements(['zsh'])))('in zsh', () => {
  it('the script has no fault, and commands are offered with what they do', async () => {
    const script = await scriptFor('zsh');
    execFileSync('zsh', ['-n', script]);
    const screen = execFileSync(
      'zsh',
      ['-f', '-c', ZSH, 'zsh', script, 'seccompc comp', '-- print a script'],
      {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: folder, TERM: 'dumb', COLUMNS: '200' },
      },
    );
    expect(screen).toContain('completion');
  }, 60_000);
});

describe('a shell that is not known', () => {
  it('is refused with those that are', async () => {
    const { code, stderr } = await runIn(folder, ['completion', 'tcsh']);
    expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining('bash, zsh, fish') });
  });
});
