/** What can be said of the pages without running their commands, and the commands of the README. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocksOf, isShell } from './documents.ts';
import { faultsOf, pages, projects, root } from './pages.ts';

const project = projects();

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  it('says of every shell block whether it is run', () => {
    const undecided = blocksOf(text)
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
});

it('README.md shows what its commands print', async () => {
  expect(await faultsOf('README.md', project('readme'))).toEqual([]);
});
