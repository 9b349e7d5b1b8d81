/**
 * The commands of all pages are run as they stand there, and their output is compared where the
 * page shows it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { faultsOf, pages, projects, root, runShell } from './pages.ts';

const project = projects();

/** Pages whose commands run under a filter of this kind of machine. */
const needs: Record<string, object> = {
  'docs/launcher.md':
    process.platform === 'linux' && process.arch === 'x64' ? {} : { missing: 'Linux on x86_64' },
  'docs/sandbox.md':
    process.arch === 'x64'
      ? requirements(['bwrap', 'perl'], { root: true })
      : { missing: 'an x86_64 machine' },
  'docs/refused-call.md': process.arch === 'x64' ? requirements(['perl']) : { missing: 'an x86_64 machine' },
};

describe.each(pages)('%s', (page) => {
  it.skipIf(skipWithout(needs[page] ?? {}))('shows what its commands print', async () => {
    expect(await faultsOf(page, project(page.replaceAll('/', '-')))).toEqual([]);
  });
});

describe('docs/cli.md', () => {
  it('has every command and every option', async () => {
    const page = readFileSync(join(root, 'docs/cli.md'), 'utf8');
    const place = project('cli-help');
    const help = await runShell('seccompc --help', place);
    const [list = ''] = /^Compile:$[^]*?^Examples:$/m.exec(help.text) ?? [];
    const commands = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name]) => name!);
    expect(commands).toEqual(expect.arrayContaining(['compile', 'cache']));
    const missing: string[] = [];
    for (const command of commands.filter((name) => name !== 'help')) {
      if (!page.includes(`### ${command}`)) missing.push(command);
      const { text } = await runShell(`seccompc ${command} --help=all`, place);
      for (const [, option] of text.matchAll(/^ {2}(?:-\w, )?(--[a-z][a-z-]*)/gm))
        if (!new RegExp(`${option}(?![a-z-])`).test(page)) missing.push(`${command} ${option}`);
    }
    expect(missing).toEqual([]);
  });
});
