/**
 * The pages of the documentation, and the commands in them run as in a project that has installed
 * the package.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { blocksOf, fileOf, matches, stepsOf } from './documents.ts';
import { MAIN } from './run.ts';

export const root = join(import.meta.dirname, '../..');

/**
 * The pages whose shell blocks are marked (documents.ts says how), by their path in the project.
 */
export const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'profiles/README.md'].filter((page) => existsSync(join(root, page))),
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .toSorted()
    .map((name) => `docs/${name}`),
];

/** A function that makes project directories; they are removed at the end of the test file. */
export function projects(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-docs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => {
    const place = join(folder, name);
    mkdirSync(join(place, 'node_modules/.bin'), { recursive: true });
    symlinkSync(join(root, 'profiles'), join(place, 'profiles'));
    symlinkSync(root, join(place, 'node_modules/seccompc'));
    const command = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`;
    writeFileSync(join(place, 'node_modules/.bin/seccompc'), command, { mode: 0o755 });
    return place;
  };
}

/**
 * Runs the commands of a page in a directory: those with another output or exit code than the page
 * shows.
 */
export async function faultsOf(page: string, directory: string): Promise<string[]> {
  const faults: string[] = [];
  for (const block of blocksOf(readFileSync(join(root, page), 'utf8'))) {
    const file = fileOf(block);
    if (file !== undefined) writeFileSync(join(directory, file), `${block.lines.join('\n')}\n`);
    if (!block.words.includes('run')) continue;
    for (const step of stepsOf(block)) {
      const { text: shown, exitCode } = await runShell(step.command, directory);
      const right = exitCode === step.exitCode && (step.output === undefined || matches(step.output, shown));
      if (!right) faults.push(`${page}:${step.line}: ${step.command}\n${shown}exit code ${exitCode}`);
    }
  }
  return faults;
}

/**
 * Runs a command; `text` is what a terminal would show. Nothing of the user's own settings reaches
 * it.
 */
export function runShell(command: string, cwd: string): Promise<{ text: string; exitCode: number }> {
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
