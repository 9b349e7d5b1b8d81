/**
 * The commands of README.md and docs/ are run as they stand there, against the built command, and their output is
 * compared where the page shows it. How to mark a block: documents.ts.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, fileOf, isShell, matches, stepsOf } from './documents.ts';

const root = join(import.meta.dirname, '../..');
const main = join(root, 'dist/cli/main.cjs');
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'profiles/README.md'].filter((page) => existsSync(join(root, page))),
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .toSorted()
    .map((name) => `docs/${name}`),
];

let folder: string;
beforeAll(() => {
  if (!existsSync(main)) throw new Error('dist/ is missing: npm run build');
  folder = mkdtempSync(join(tmpdir(), 'seccompc-docs-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = blocksOf(text);

  it('says of every shell block whether it is run', () => {
    const undecided = blocks
      .filter(isShell)
      .filter(({ words }) => !words.includes('run') && !words.includes('skip'));
    expect(undecided.map(({ line }) => `${page}:${line}`)).toEqual([]);
  });

  it('links to files that exist', () => {
    const prose = text.replaceAll(/^```[^]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
    const links = [...prose.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
    const broken = links.filter(
      (target) => !/^https?:/.test(target) && !existsSync(join(root, dirname(page), target)),
    );
    expect(broken).toEqual([]);
  });

  it('shows what the commands do', { timeout: 120_000 }, async () => {
    const place = workingFolder(page.replaceAll('/', '-'));
    const faults: string[] = [];
    for (const block of blocks) {
      const file = fileOf(block);
      if (file !== undefined) writeFileSync(join(place, file), `${block.lines.join('\n')}\n`);
      if (!block.words.includes('run')) continue;
      for (const step of stepsOf(block)) {
        const { text: shown, exitCode } = await runShell(step.command, place);
        const right =
          exitCode === step.exitCode && (step.output === undefined || matches(step.output, shown));
        if (!right) faults.push(`${page}:${step.line}: ${step.command}\n${shown}exit code ${exitCode}`);
      }
    }
    expect(faults).toEqual([]);
  });
});

describe('docs/cli.md', () => {
  it('has every command and every option', async () => {
    const page = readFileSync(join(root, 'docs/cli.md'), 'utf8');
    const place = workingFolder('cli-help');
    const help = await runShell('seccompc --help', place);
    const [list = ''] = /^Commands:$[^]*?^$/m.exec(help.text) ?? [];
    const commands = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name!);
    expect(commands).toContain('compile');
    const missing: string[] = [];
    for (const command of commands.filter((name) => name !== 'help')) {
      if (!page.includes(`### ${command}`)) missing.push(command);
      const { text } = await runShell(`seccompc ${command} --help`, place);
      for (const [, option] of text.matchAll(/^ {2}(?:-\w, )?(--[a-z][a-z-]*)/gm))
        if (!new RegExp(`${option}(?![a-z-])`).test(page)) missing.push(`${command} ${option}`);
    }
    expect(missing).toEqual([]);
  });
});

/** A folder with the profiles, the command and the package in it, as after an installation. */
function workingFolder(name: string): string {
  const place = join(folder, name);
  mkdirSync(join(place, 'node_modules/.bin'), { recursive: true });
  symlinkSync(join(root, 'profiles'), join(place, 'profiles'));
  symlinkSync(root, join(place, 'node_modules/seccompc'));
  const command = `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`;
  writeFileSync(join(place, 'node_modules/.bin/seccompc'), command, { mode: 0o755 });
  return place;
}

/** Runs a command; `text` is what a terminal would show. Nothing of the user's own settings reaches it. */
function runShell(command: string, cwd: string): Promise<{ text: string; exitCode: number }> {
  const env = {
    PATH: [join(cwd, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH']].join(':'),
    HOME: cwd,
    LC_ALL: 'C',
    NO_COLOR: '1',
  };
  return new Promise((resolve, reject) => {
    const child = execFile('/bin/sh', ['-c', `exec 2>&1\n${command}`], { cwd, env }, (error, text) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve({ text, exitCode: typeof error?.code === 'number' ? error.code : 0 });
    });
    child.stdin?.end();
  });
}
