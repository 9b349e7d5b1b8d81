/**
 * The page of a report as it looks, against pictures that somebody has looked at (golden-pictures;
 * CONTRIBUTING.md tells how to renew them). Only the fonts of one package are there, and means over
 * blocks are compared, so that another release of Chromium may draw edges otherwise.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAIN, runIn, scratch } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { pathOf, requirements } from './oci/require.ts';

const GOLDEN = join(import.meta.dirname, 'golden-pictures');
const PROFILE = join(MAIN, '../../../profiles/container-default.json');
const FONTS = '/usr/share/fonts/truetype/dejavu';
/** Of the blocks of a picture, this part may differ. */
const TOLERANCE = 0.01;

const fileOf = (name: string) => join(GOLDEN, `${name}.png`);
const goldenOf = (name: string) => readFileSync(fileOf(name));

const needed = existsSync(join(FONTS, 'DejaVuSansMono.ttf'))
  ? requirements(['chromium'])
  : { missing: 'no fonts (Debian package: fonts-dejavu-core)' };

interface Picture {
  width: number;
  dark?: boolean;
  question?: string;
  tab?: string;
  act?: (page: Page) => Promise<unknown>;
}

const PHONE: Picture = { width: 320, question: 'mount', tab: 'numbers' };
const PICTURES: Record<string, Picture> = {
  light: { width: 1280, question: 'socket(AF_VSOCK, SOCK_STREAM)', tab: 'size' },
  dark: { width: 1280, dark: true, question: 'clone(CLONE_NEWUSER)', tab: 'tree' },
  layers: {
    width: 768,
    question: 'bpf',
    tab: 'tree',
    act: async (page) => {
      await page.selectOption('#shape', 'icicle');
      await page.selectOption('#width', 'even');
    },
  },
  phone: PHONE,
  compare: {
    width: 1280,
    tab: 'compare',
    act: async (page) => {
      await page.selectOption('#other', { label: 'this profile' });
      await page.click('#other-target summary');
      await page.click('#other-target [data-caps=all]');
      await page.click('#other-target [type=submit]');
      await page.waitForSelector('#comparison .tighter');
      await page.waitForSelector('.sizes tr:nth-child(2)');
    },
  },
};

describe.skipIf(skipWithout(needed))('the page of a report looks as in the picture', () => {
  const folder = scratch();
  let browser: Browser;
  beforeAll(async () => {
    const target = ['--arch', 'x86_64', '--kernel', '6.1'];
    const made = await runIn(folder, ['report', PROFILE, ...target, '-o', 'page.html']);
    if (made.code !== 0) throw new Error(made.stderr);
    const config = join(folder, 'fonts.conf');
    const rule = (condition: string, mode: string, name: string) =>
      `<match>${condition}<edit name="family" mode="${mode}" binding="strong"><string>DejaVu ${name}</string></edit></match>`;
    const rules = [
      rule('<test name="family"><string>monospace</string></test>', 'prepend', 'Sans Mono'),
      rule('', 'append_last', 'Sans'),
    ];
    writeFileSync(
      config,
      `<fontconfig><dir>${FONTS}</dir><cachedir>${folder}</cachedir>${rules.join('')}</fontconfig>`,
    );
    browser = await chromium.launch({
      executablePath: pathOf('chromium')!,
      args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none', '--disable-lcd-text'],
      env: { ...(process.env as Record<string, string>), FONTCONFIG_FILE: config },
    });
  });
  afterAll(() => browser?.close());

  async function open({ width, dark = false, question = '', tab, act }: Picture): Promise<Page> {
    const colorScheme = dark ? 'dark' : 'light';
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
    await page.goto(pathToFileURL(join(folder, 'page.html')).href);
    await page.waitForFunction(() => document.body.dataset['done'] === '1');
    await page.fill('#question', question);
    if (tab !== undefined) await page.click(`#tab-${tab}`);
    await act?.(page);
    return page;
  }
  const shoot = (page: Page) => page.screenshot({ fullPage: true });

  /** The part of the blocks of 16 x 16 pixels whose mean colours differ. */
  async function difference(first: Buffer, second: Buffer): Promise<number> {
    const page = await browser.newPage();
    const part = await page.evaluate(
      async (pictures) => {
        const [SIDE, MOST] = [16, 12];
        const opened = await Promise.all(
          pictures.map(async (base64) => {
            const picture = await createImageBitmap(
              await (await fetch(`data:image/png;base64,${base64}`)).blob(),
            );
            const { width, height } = picture;
            const context = new OffscreenCanvas(width, height).getContext('2d')!;
            context.drawImage(picture, 0, 0);
            const data = new DataView(context.getImageData(0, 0, width, height).data.buffer);
            const meanAt = (left: number, top: number) => {
              let [red, green, blue] = [0, 0, 0];
              for (let y = top; y < Math.min(top + SIDE, height); y++)
                for (let x = left; x < Math.min(left + SIDE, width); x++) {
                  const at = (y * width + x) * 4;
                  red += data.getUint8(at);
                  green += data.getUint8(at + 1);
                  blue += data.getUint8(at + 2);
                }
              return [red, green, blue].map((each) => each / SIDE ** 2);
            };
            return { width, height, meanAt };
          }),
        );
        const [width, height] = (['width', 'height'] as const).map((side) =>
          Math.max(...opened.map((each) => each[side])),
        ) as [number, number];
        let [blocks, different] = [0, 0];
        for (let top = 0; top < height; top += SIDE)
          for (let left = 0; left < width; left += SIDE) {
            const means = opened.map((each) => each.meanAt(left, top));
            blocks += 1;
            if (
              [0, 1, 2].some((color) => {
                const [one = 0, other = 0] = means.map((each) => each[color]);
                return Math.abs(one - other) > MOST;
              })
            )
              different += 1;
          }
        return different / blocks;
      },
      [first, second].map((each) => each.toString('base64')),
    );
    await page.close();
    return part;
  }

  test.each(Object.entries(PICTURES))('%s', async (name, picture) => {
    const page = await open(picture);
    const shot = await shoot(page);
    if (process.env['SECCOMPC_UPDATE_GOLDEN'] !== undefined) writeFileSync(fileOf(name), shot);
    const found = await difference(goldenOf(name), shot);
    expect(found).toBeLessThanOrEqual(TOLERANCE);
    await page.close();
  });

  test.runIf(process.env['SECCOMPC_UPDATE_GOLDEN'] === undefined)(
    'and a missing part is noticed',
    async () => {
      const page = await open(PHONE);
      await page.evaluate(() => document.querySelector('#rows')!.replaceChildren());
      expect(await difference(goldenOf('phone'), await shoot(page))).toBeGreaterThan(TOLERANCE);
      await page.close();
    },
  );
});
