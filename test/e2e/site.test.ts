/** The site that `npm run site` makes, from its files. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { MAIN, scratch } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { pathOf, requirements } from './oci/require.ts';

const ROOT = join(MAIN, '../../..');
const AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');
const folder = scratch();
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

beforeAll(async () => {
  // Beside the packages that it imports.
  const outfile = join(ROOT, `node_modules/.cache/site-${process.pid}.mjs`);
  const options = { bundle: true, packages: 'external', platform: 'node', format: 'esm' } as const;
  await build({ ...options, entryPoints: [join(ROOT, 'src/site/main.ts')], outfile, logLevel: 'error' });
  execFileSync(process.execPath, [outfile, folder], { cwd: ROOT });
});

test('every link of the site leads somewhere', () => {
  const pages = readdirSync(folder).filter((name) => name.endsWith('.html') && name !== 'playground.html');
  const broken = pages.flatMap((name) =>
    [...read(name).matchAll(/(?:href|src)="([^"]*)"/g)].flatMap(([, link = '']) => {
      if (/^https?:/.test(link)) return [];
      const [file = '', anchor] = link.split('#');
      const target = file || name;
      const isThere =
        existsSync(join(folder, target)) &&
        (anchor === undefined || read(target).includes(` id="${anchor}"`));
      return isThere ? [] : [`${name}: ${link}`];
    }),
  );
  expect(broken).toEqual([]);
  expect(pages.length).toBeGreaterThan(20);
});

test('the table of calls says since which release any architecture has a call', () => {
  const sinceOf = (call: string) =>
    new RegExp(`<code>${call}</code></th>.*?</td><td>([^<]*)</td>`, 's').exec(read('calls.html'))?.[1];
  // socket has a number of its own on 32-bit x86 since 4.3.
  expect(['accept4', 'socket', 'openat2'].map(sinceOf)).toEqual(['2.6.28', '2.0', '5.6']);
});

describe.skipIf(skipWithout(requirements(['chromium'])))('in Chromium, the site', () => {
  test('finds calls, compiles for every architecture, and has no fault that axe finds', async () => {
    const browser = await chromium.launch({ executablePath: pathOf('chromium')!, args: ['--no-sandbox'] });
    const page = await browser.newPage({ viewport: { width: 320, height: 800 } });
    const said: string[] = [];
    page.on('pageerror', (error) => said.push(error.message));
    page.on('console', (message) => said.push(message.text()));
    const open = (name: string) => page.goto(pathToFileURL(join(folder, name)).href);
    const faults = async () => {
      await page.evaluate(AXE);
      return page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: unknown[] }> } };
        return (await axe.run()).violations;
      });
    };

    await open('index.html');
    expect(await faults()).toEqual([]);
    await open('calls.html');
    await page.fill('#search', '435');
    expect(
      await page.$$eval('tbody tr:not([hidden]) th', (all) => all.map((each) => each.textContent)),
    ).toEqual(['clone3']);
    await page.fill('#search', 'socketc s390x');
    expect(await page.textContent('#count')).toMatch(/^1 of /);
    expect(await faults()).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);

    await open('playground.html');
    await page.waitForFunction(() => document.body.dataset['done'] === '1');
    await page.click('#tab-compare');
    expect(await page.textContent('#comparison')).toContain('Proved equal');
    // Of the same profile, libseccomp's program is several times as long (docs/codegen.md).
    await page.waitForSelector('.sizes tr:nth-child(2)');
    const [own = 0, theirs = 0] = await page.$$eval('.sizes td:nth-child(2)', (all) =>
      all.map((each) => Number(each.textContent)),
    );
    expect(own).toBeGreaterThan(100);
    expect(theirs / own).toBeGreaterThan(5);
    await page.click('#target summary');
    expect(await page.locator('#target [name=arch] option').count()).toBe(23);
    await page.selectOption('#target [name=arch]', 'MIPS');
    await page.click('#target [type=submit]');
    await page.waitForFunction(() => document.body.dataset['done'] === '2');
    expect(await page.textContent('#status')).toMatch(/proved for every call.*MIPS/);
    expect(said).toEqual([]);
    await browser.close();
  });
});
