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
  ['seccompc compile --engine p', ['podman']],
  ['seccompc compile --cap CAP_SYS_A', ['CAP_SYS_ADMIN']],
  ['seccompc explain container-d', ['container-default']],
  ['seccompc hook check --ceiling podman-d', ['podman-default']],
  ['seccompc explain p.json open_tr', ['open_tree', 'open_tree_attr']],
  ['seccompc simulate --arch x86_64 p.json clon', ['clone', 'clone3']],
  ['seccompc lookup openat', ['openat', 'openat2']],
  ['seccompc graph p.json --call clon', ['clone', 'clone3']],
  ['seccompc man expl', ['explain']],
  ['seccompc schema d', ['docker']],
];

describe.skipIf(skipWithout(requirements(['bash'])))('in bash', () => {
  it('commands, options and their values are offered', async () => {
    const script = await scriptFor('bash');
    const ask = `source "$1"; shift
for line; do IFS=/ read -ra COMP_WORDS <<<"$line/end"; unset COMP_WORDS[-1]
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _seccompc; echo "\${COMPREPLY[*]}"; done`;
    const offered = (lines: string[][]) => {
      const args = ['-c', ask, 'bash', script, ...lines.map((words) => words.join('/'))];
      const output = execFileSync('bash', args, { encoding: 'utf8', cwd: folder });
      return output.trimEnd().split('\n').map((line) => line.split(' ')); // prettier-ignore
    };
    expect(offered(EXPECTED.map(([line]) => line.split(' ')))).toEqual(EXPECTED.map(([, words]) => words));
    expect(
      offered([
        // bash makes three words of --format=asm.
        ['seccompc', 'compile', '--format', '=', 'as'],
        // Nothing: bash goes on with names of files, except for a text.
        ['seccompc', 'compile', '--output', ''],
        ['seccompc', 'explain', 'p.json', 'socket', ''],
        ['seccompc', 'explain', ''],
      ]),
    ).toEqual([['asm'], [''], [''], expect.arrayContaining(['docker-default', 'bash'])]);
  });
});

describe.skipIf(skipWithout(requirements(['fish'])))('in fish', () => {
  it('commands, options and their values are offered', async () => {
    const script = await scriptFor('fish');
    const ask = 'source $argv[1]; for line in $argv[2..]; complete -C $line; echo; end';
    const output = execFileSync('fish', ['-c', ask, script, ...EXPECTED.map(([line]) => line)], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: folder },
    });
    const blocks = output.trimEnd().split('\n\n');
    const offered = blocks.map((block) => block.split('\n').map((text) => text.split('\t')[0]));
    expect(offered).toEqual(EXPECTED.map(([, words]) => words));
  });
});

/**
 * Runs zsh on a terminal, types each line and the key that lists completions, and waits until its
 * word is on the screen.
 */
const ZSH = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "autoload -U compinit; compinit -u -D; source $1; bindkey '^X' list-choices; print -n REA; print DY"
waitFor() { local all part; while zpty -r shell part; do all+=$part; [[ $all == *$1* ]] && { print -r -- $all; return } done; return 1 }
waitFor READY >/dev/null
shift
for line word; do
  zpty -w -n shell $'\\x15'"$line"$'\\x18'
  waitFor "$word" || exit 1
done
`;

describe.skipIf(skipWithout(requirements(['zsh'])))('in zsh', () => {
  it('the script has no fault; commands, values, profiles and calls are offered', async () => {
    const script = await scriptFor('zsh');
    execFileSync('zsh', ['-n', script]);
    const typed = [
      ['seccompc comp', '-- print a script'],
      ['seccompc explain container-d', 'container-default'],
      ['seccompc explain p.json open_tr', 'open_tree_attr'],
      ['seccompc compile --arch ppc6', 'ppc64le'],
    ];
    const screen = execFileSync('zsh', ['-f', '-c', ZSH, 'zsh', script, ...typed.flat()], {
      encoding: 'utf8',
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, TERM: 'dumb', COLUMNS: '200' },
    });
    for (const [, word] of typed) expect(screen).toContain(word);
  }, 60_000);
});

describe('a shell that is not known', () => {
  it('is refused with those that are', async () => {
    const { code, stderr } = await runIn(folder, ['completion', 'tcsh']);
    expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining('bash, zsh, fish') });
  });
});
