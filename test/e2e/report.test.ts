/** The page of a report in Chromium, from a file, without a server. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decode } from '../../src/bpf/instruction.ts';
import { describeAnswer } from '../../src/prove/describe.ts';
import { fragmentOf, sharedIn } from '../../src/report/page/state.ts';
import { longestPath } from '../bench/static.ts';
import { MAIN, runIn, scratch } from '../cli/run.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { skipWithout } from '../oracle/compare.ts';
import { ABIS, tableOf } from '../oracle/facts.ts';
import { pathOf, requirements } from './oci/require.ts';

const PROFILES = join(MAIN, '../../../profiles');
const DEFAULT = join(PROFILES, 'container-default.json');
const TARGET = ['--arch', 'x86_64', '--kernel', '6.1'];
const AXE = join(MAIN, '../../../node_modules/axe-core/axe.min.js');

const HOSTILE =
  '</script><script>document.title = "broken out"</script><img src=x onerror="document.title = 1">';
const FAULTY = `{
  "defaultAction": "SCMP_ACT_ALLOW",
  "syscalls": [
    {
      "names": ["ioctl"],
      "action": "SCMP_ACT_ERRNO",
      "args": [{ "index": 1, "value": 21522, "op": "SCMP_CMP_EQ" }],
      "comment": ${JSON.stringify(HOSTILE)}
    },
    { "names": ["ptrace"], "action": "SCMP_ACT_ERRNO" }
  ]
}
`;

const TABS = ['findings', 'tree', 'numbers', 'size', 'compare'];

/** A question, an assertion that holds and one that does not. */
const fragment = () =>
  fragmentOf({ question: 'ioctl(0, TIOCSTI)', assertions: ['deny ptrace', 'allow ptrace', 'deny nothing'] });

describe.skipIf(skipWithout(requirements(['chromium'])))('the page of a report', () => {
  const folder = scratch();
  const page = (name: string) => join(folder, name);
  const command = async (...args: string[]) => {
    const result = await runIn(folder, args);
    expect(result).toMatchObject({ code: 0 });
    return result.stdout;
  };
  /** What the pages said on the console, and what they loaded. */
  const said: string[] = [];
  afterEach(() => {
    const all = said.splice(0);
    if (all.length > 0) throw new Error(all.join('\n'));
  });
  let browser: Browser;
  beforeAll(async () => {
    writeFileSync(page('faulty.json'), FAULTY);
    await command(
      'report',
      DEFAULT,
      ...TARGET,
      '--against',
      join(PROFILES, 'allow-list.json'),
      '-o',
      'default.html',
    );
    await command('report', 'faulty.json', ...TARGET, '-o', 'faulty.html');
    browser = await chromium.launch({
      executablePath: pathOf('chromium')!,
      args: ['--no-sandbox', '--disable-gpu'],
    });
  });
  afterAll(() => browser?.close());

  /** Opens a page that must not fail, and must not load anything but itself. */
  async function open(file: string, options: BrowserContextOptions & { hash?: string } = {}): Promise<Page> {
    const { hash = '', ...rest } = options;
    const opened = await browser.newPage({ viewport: { width: 1440, height: 900 }, ...rest });
    const url = pathToFileURL(page(file)).href;
    opened.on('pageerror', (error) => said.push(error.message));
    opened.on('console', (message) => said.push(message.text()));
    opened.on('request', (request) => said.push(...(request.url() === url ? [] : [request.url()])));
    await opened.goto(url + hash);
    await settled(opened, 1);
    return opened;
  }
  /** Waits until the text was compiled so many times. */
  const settled = (opened: Page, times: number) =>
    opened.waitForFunction((count) => Number(document.body.dataset['done']) >= count, times);
  const compiled = (opened: Page) => opened.evaluate(() => Number(document.body.dataset['done']));
  const lines = (opened: Page, name: string) =>
    opened.$$eval(
      '#lines > div',
      (all, hit) => all.flatMap((each, index) => (each.classList.contains(hit) ? [index + 1] : [])),
      name,
    );
  const selected = (opened: Page, list: string) =>
    opened.$$eval(`${list} [aria-selected=true]`, (all) =>
      all.map((each) => each.firstElementChild?.textContent),
    );

  test('answers 1,000 calls as the filter of the command does', async () => {
    const program = readProgram(await command('compile', DEFAULT, ...TARGET, '-q'), false);
    const calls = ['X86_64', 'X86', 'X32'].flatMap((name) => {
      const abi = ABIS.find(({ oci }) => oci === name)!;
      const numbers = [...tableOf(abi.table).numbers.values()];
      return numbers.flatMap((nr, index) => {
        const arg = [0n, 1n, 0x28n, 0x7e020000n, 0xffffffffn][index % 5] ?? 0n;
        return { nr, name, arch: abi.audit, args: [arg, 0n, 0n, 0n, 0n, 0n] };
      });
    });
    expect(calls.length).toBeGreaterThan(1000);
    const opened = await open('default.html');
    const questions = calls.map(({ nr, name, args }) => `${nr}(${args[0]}) on ${name}`);
    const answers = await opened.evaluate((asked) => {
      const input = document.querySelector<HTMLInputElement>('#question')!;
      return asked.map((question) => {
        input.value = question;
        input.dispatchEvent(new Event('input'));
        return document.querySelector<HTMLElement>('.verdict .pill')?.title;
      });
    }, questions);
    expect(answers).toEqual(calls.map((call) => describeAnswer(runProgram(program, call), 'X86_64')));
    expect(new Set(answers).size).toBe(3);
    await opened.close();
  });

  test('says what decides, as explain does', async () => {
    const opened = await open('default.html');
    const calls = [
      ['read'],
      ['socket', 'AF_UNIX'],
      ['socket', 'AF_VSOCK'],
      ['clone', 'CLONE_NEWUSER'],
      ['mount'],
    ];
    const told = await Promise.all(
      calls.map((call) => command('explain', DEFAULT, ...call, ...TARGET, '--json')),
    );
    for (const [index, [call, ...args]] of calls.entries()) {
      const { entry, considered, steps } = JSON.parse(String(told[index])) as {
        entry: { line: number } | null;
        considered: { line: number; part: string }[];
        steps: number;
      };
      await opened.fill('#question', `${call}(${args.join()})`);
      const why = await opened.textContent('.why');
      expect(why).toContain(entry === null ? 'default action' : `the entry at line ${entry.line}.`);
      expect(why).toContain(`${steps} instructions`);
      const others = considered.filter(({ part }) => part !== 'decides').map(({ line }) => `line ${line}`);
      expect(
        await opened.$$eval('.others button', (all) => all.map(({ textContent }) => textContent)),
      ).toEqual(others);
    }
    await opened.close();
  });

  test('lights up the other panes of what is chosen in one', async () => {
    const opened = await open('faulty.html');
    await opened.click('#rows [role=row]:has-text("ioctl")');
    expect(await lines(opened, 'hit')).toEqual([4, 5, 6, 7, 8, 9]);
    expect(await opened.textContent('#listing')).toContain('TIOCSTI');
    expect(
      await opened.$$eval('#listing [aria-selected=true]', (all) =>
        all.map((each) => each.textContent).join(),
      ),
    ).toContain('TIOCSTI');

    await opened.click('#listing :text("0x5412")');
    expect(await selected(opened, '#rows')).toEqual(['ioctl']);
    await opened.keyboard.press('Escape');
    expect(await lines(opened, 'hit')).toEqual([]);
    await opened.click('#rows [role=row]:has-text("accept4")');
    expect(await lines(opened, 'hit')).toEqual([2]);

    const caret = FAULTY.indexOf('"ptrace"');
    await opened
      .locator('#text')
      .evaluate((area: HTMLTextAreaElement, at) => area.setSelectionRange(at, at), caret);
    await opened.locator('#text').dispatchEvent('click');
    expect(await selected(opened, '#rows')).toEqual(['ptrace']);
    expect(await lines(opened, 'hit')).toEqual([10]);
    await opened.close();
  });

  test('keeps a question as an assertion, which an edit breaks, and shares all of it by its address', async () => {
    const opened = await open('faulty.html');
    await opened.fill('#question', 'ptrace');
    await opened.click('#keep');
    await opened.fill('#question', 'allow read, write');
    await opened.click('#keep');
    await expect.poll(() => opened.locator('#kept .holds').count()).toBe(2);
    await opened.fill('#question', 'ptrace');
    const before = await compiled(opened);
    await opened.fill('#text', FAULTY.replace('"ptrace"', '"ptracee"'));
    await settled(opened, before + 1);
    expect(await opened.textContent('#lines')).toBe(`${await opened.inputValue('#text')}\n`);
    expect(await opened.textContent('#kept .fails')).toContain('deny ptrace');
    expect(await opened.textContent('#faults')).toContain('"ptracee"');
    expect(await opened.textContent('#status')).toContain('proved for every call');

    // The address follows after a pause.
    const hashNow = () => opened.evaluate(() => location.hash);
    await expect.poll(async () => (await sharedIn(await hashNow())).text).toContain('"ptracee"');
    const link = await hashNow();
    const other = await open('faulty.html', { hash: link });
    expect(await other.inputValue('#question')).toBe('ptrace');
    expect(await other.inputValue('#text')).toContain('"ptracee"');
    expect(await other.textContent('#kept .fails')).toContain('deny ptrace');
    expect(await other.textContent('#status')).toContain('other text than in the file');
    await other.click('#back');
    await settled(other, 2);
    expect(await other.inputValue('#text')).toBe(FAULTY);
    expect(await other.textContent('#lines')).toBe(`${FAULTY}\n`);
    expect(await other.textContent('#status')).not.toContain('than in the file');
    for (const wrong of ['#s=AAAA', `#s=${'x'.repeat(5000)}`, '#other']) {
      const count = await compiled(other);
      await other.evaluate((hash) => (location.hash = hash), wrong);
      await settled(other, count + 1);
      expect(await other.inputValue('#text')).toBe(FAULTY);
    }
    await Promise.all([opened.close(), other.close()]);
  });

  test('names the place of a fault, and keeps what the last text meant', async () => {
    const opened = await open('faulty.html');
    await opened.fill('#text', FAULTY.replace('SCMP_CMP_EQ', 'SCMP_CMP_IS'));
    await opened.waitForSelector('#faults .error');
    expect(await opened.textContent('#faults')).toContain('7:');
    expect(await lines(opened, 'fault')).toEqual([7]);
    expect(await opened.textContent('#status')).toContain('1 error');
    // A fix is of the last text without errors, and would take the edit back.
    expect(await opened.isDisabled('.fix')).toBe(true);
    expect(await opened.locator('#rows [role=row]').count()).toBeGreaterThan(300);
    await opened.close();
  });

  test('applies a fix as lint --fix does, and says what is proved', async () => {
    const opened = await open('faulty.html');
    await opened.click('.fix');
    await settled(opened, 2);
    expect(await opened.textContent('#fixed')).toMatch(
      /Proved: nothing gets through that did not\..*0x100000000\|TIOCSTI/,
    );
    writeFileSync(page('fixed.json'), FAULTY);
    await runIn(folder, ['lint', '--fix', 'fixed.json', ...TARGET, '-q']);
    expect(await opened.inputValue('#text')).toBe(readFileSync(page('fixed.json'), 'utf8'));
    expect(await opened.locator('.fix').count()).toBe(0);
    await opened.keyboard.press('Control+z');
    expect(await opened.inputValue('#text')).toBe(FAULTY);
    await opened.close();
  });

  test('saves what the command writes', async () => {
    const opened = await open('faulty.html');
    for (const [button, format] of [
      ['filter', 'raw'],
      ['launcher', 'elf'],
    ] as const) {
      const [download] = await Promise.all([
        opened.waitForEvent('download'),
        opened.click(`#save-${button}`),
      ]);
      const written = await command('compile', 'faulty.json', ...TARGET, '--format', format, '-q');
      expect(readFileSync(await download.path()).equals(written)).toBe(true);
    }
    const [download] = await Promise.all([opened.waitForEvent('download'), opened.click('#save-profile')]);
    expect(download.suggestedFilename()).toBe('faulty.json');
    expect(readFileSync(await download.path(), 'utf8')).toBe(FAULTY);
    await opened.close();
  });

  test('compares by meaning, in both directions', async () => {
    const opened = await open('faulty.html');
    await opened.click('#tab-compare');
    expect(await opened.textContent('#comparison')).toContain('Proved equal');
    await opened.click('#paste summary');
    await opened.fill('#other-text', FAULTY.replace('"ptrace"', '"bpf"'));
    await opened.click('#other-use');
    await opened.waitForSelector('#comparison .looser');
    const calls = (group: string) =>
      opened.$$eval(`#comparison .${group} .calls button`, (all) => all.map((each) => each.textContent));
    expect([await calls('looser'), await calls('tighter')]).toEqual([['bpf'], ['ptrace']]);
    await opened.close();

    const second = await open('default.html');
    await second.click('#tab-compare');
    await second.waitForSelector('#comparison .looser');
    expect(await second.inputValue('#other')).toBe('2');
    await second.close();
  });

  test('shows filters beside the profile, with their sizes', async () => {
    const other = await command('compile', DEFAULT, ...TARGET, '--optimize', 'frequency', '-q');
    const own = await command('compile', DEFAULT, ...TARGET, '-q');
    writeFileSync(page('frequency.bpf'), other);
    await command('report', DEFAULT, ...TARGET, '--against', 'frequency.bpf', '-o', 'filters.html');
    const opened = await open('filters.html');
    await opened.click('#tab-compare');
    const sizes = () =>
      opened.$$eval('.sizes tbody tr', (all) =>
        all.map((row) => [...(row as HTMLTableRowElement).cells].map((each) => each.textContent)),
      );
    await expect.poll(sizes).toHaveLength(2);
    expect(await opened.textContent('#comparison')).toContain('Proved equal');
    const figures = (bytes: Buffer) => {
      const program = decode(bytes, 'little');
      return [String(program.length), expect.stringMatching(/^\d+$/), String(longestPath(program))];
    };
    expect(await sizes()).toEqual([
      ['this profile', ...figures(own)],
      ['frequency.bpf', ...figures(other)],
    ]);
    await opened.setInputFiles('#other-file', {
      name: 'open.bpf',
      mimeType: '',
      buffer: other.subarray(0, 16),
    });
    await expect.poll(() => opened.textContent('#comparison')).toContain('open.bpf');
    await opened.setInputFiles('#other-file', { name: 'again.bpf', mimeType: '', buffer: other });
    await expect.poll(sizes).toHaveLength(3);
    await opened.close();
  });

  test('compares targets that are chosen in the page, and shares the choice', async () => {
    const opened = await open('default.html');
    await opened.click('#tab-compare');
    await opened.selectOption('#other', { label: 'this profile' });
    await expect.poll(() => opened.textContent('#comparison')).toContain('Proved equal');
    await opened.click('#other-target summary');
    await opened.click('#other-target [data-caps=all]');
    await opened.click('#other-target [type=submit]');
    await opened.waitForSelector('#comparison .tighter');
    expect(await opened.locator('#comparison .looser').count()).toBe(0);
    expect(await opened.textContent('#comparison .tighter')).toContain('mount');
    const hashNow = () => opened.evaluate(() => location.hash);
    await expect.poll(async () => (await sharedIn(await hashNow())).other).toHaveProperty('target');
    const second = await open('default.html', { hash: await hashNow() });
    expect(await second.isVisible('#comparison')).toBe(true);
    await second.waitForSelector('#comparison .tighter');
    expect(await second.textContent('#other-target summary')).toContain('41 capabilities');
    await Promise.all([opened.close(), second.close()]);
  });

  test('divides the program among the entries, each of which lights up what it has', async () => {
    const opened = await open('faulty.html');
    await opened.click('#tab-size');
    const blocks = await opened.$$eval('#treemap button', (all) =>
      all.map((each) => (each as HTMLElement).title),
    );
    const parts = blocks.map((title) => Number(/: ([\d.]+) of/.exec(title)?.[1]));
    const count = await opened.locator('#listing > div').count();
    expect(Math.abs(parts.reduce((sum, each) => sum + each, 0) - count)).toBeLessThan(0.05 * parts.length);
    await opened.click('#treemap button:has-text("line 4")');
    expect(await lines(opened, 'hit')).toEqual([4, 5, 6, 7, 8, 9]);
    expect(await selected(opened, '#rows')).toEqual(['ioctl']);
    expect(await opened.textContent('#treemap [aria-pressed=true] b')).toBe('line 4');
    expect(await opened.$$eval('.cell.on', (all) => all.map((each) => each.textContent))).toEqual([
      '16 ioctl: by its arguments',
    ]);
    await opened.keyboard.press('ArrowDown');
    await opened.keyboard.press('Enter');
    expect(await opened.textContent('#treemap [aria-pressed=true] b')).toBe('default action');
    expect(await lines(opened, 'hit')).toEqual([2]);
    await opened.close();
  });

  test('draws the ways of a recorded call wider', async () => {
    const opened = await open('faulty.html');
    await opened.click('#tab-tree');
    await opened.click('#unfold');
    const widths = () =>
      opened.$$eval('#tree .flow', (all) => all.map((each) => Number(each.getAttribute('stroke-width'))));
    const typical = await widths();
    await opened.selectOption('#width', 'even');
    expect(await widths()).not.toEqual(typical);
    const record = (text: string) =>
      opened.setInputFiles('#recording', { name: 'calls', mimeType: '', buffer: Buffer.from(text) });
    await record('7 ptrace(PTRACE_TRACEME) = 0\n');
    await opened.waitForFunction(() =>
      document.querySelector<HTMLSelectElement>('#width')!.value.startsWith('rec'),
    );
    const wide = await opened.$$eval(
      '#tree .flow + path',
      (all) =>
        all.filter((each) => Number(each.previousElementSibling!.getAttribute('stroke-width')) > 0).length,
    );
    await opened.fill('#question', 'ptrace');
    expect(await opened.locator('#tree path.on').count()).toBe(wide);
    await opened.selectOption('#shape', 'icicle');
    const blocks = await opened.$$eval('.icicle button', (all) =>
      all.map((each) => ({ title: (each as HTMLElement).title, isOn: each.getAttribute('aria-pressed') })),
    );
    expect(blocks.map(({ isOn }) => isOn)).toEqual(blocks.map(() => 'true'));
    expect(blocks.length).toBe(wide + 1);
    expect(blocks[0]?.title).toMatch(/^arch == X86_64.*: 100 % of the calls$/);
    expect(blocks.at(-1)?.title).toBe('ERRNO EPERM: 100 % of the calls');
    await opened.locator('.icicle button').first().focus();
    await opened.keyboard.press('ArrowDown');
    await opened.keyboard.press('Enter');
    expect(await opened.locator('#listing [aria-selected=true]').count()).toBe(1);
    expect(await opened.evaluate(() => document.activeElement?.parentElement?.className)).toBe('icicle');
    await record('nothing');
    await opened.waitForFunction(() => document.querySelector('#recorded')!.textContent.includes('no calls'));
    await opened.close();
  });

  test('compiles for another target', async () => {
    const opened = await open('default.html');
    await opened.click('#target summary');
    await opened.click('#target [data-caps=all]');
    await opened.click('#target [type=submit]');
    await settled(opened, 2);
    await opened.click('#tab-compare');
    await opened.selectOption('#other', '0');
    await opened.waitForSelector('#comparison .looser');
    expect(await opened.locator('#comparison .tighter').count()).toBe(0);
    expect(await opened.textContent('#comparison .looser')).toContain('mount');
    await opened.close();
  });

  test('can be used with the keyboard alone', async () => {
    const opened = await open('default.html');
    const focused = () =>
      opened.evaluate(() => document.activeElement?.id || document.activeElement?.getAttribute('role'));
    await opened.keyboard.press('/');
    await opened.keyboard.type('sock');
    await opened.keyboard.press('ArrowDown');
    await opened.keyboard.press('Enter');
    await opened.keyboard.type('(AF_VS');
    await opened.keyboard.press('ArrowDown');
    await opened.keyboard.press('Enter');
    expect(await opened.inputValue('#question')).toBe('socket(AF_VSOCK');
    await opened.keyboard.press('Escape');
    await opened.keyboard.press('Tab');
    expect(await focused()).toBe('keep');
    await opened.keyboard.press('Enter');
    await opened.waitForSelector('#kept .holds');

    const met = new Set<string | null | undefined>();
    for (let step = 0; step < 60; step++) {
      await opened.keyboard.press('Tab');
      met.add(await focused());
      if ((await focused()) === 'tab-findings') break;
      if ((await focused()) === 'row') {
        await opened.keyboard.press('ArrowDown');
        await opened.keyboard.press('Enter');
        expect(await selected(opened, '#rows')).toEqual(['_newselect']);
      }
    }
    for (const place of ['text', 'search', 'action', 'row', 'option', 'tab-findings'])
      expect(met).toContain(place);
    await opened.keyboard.press('ArrowRight');
    expect(await opened.isVisible('#tree svg')).toBe(true);
    const folded = opened.locator('#tree .fold').first();
    const count = await opened.locator('#tree [role=button]').count();
    await folded.focus();
    await opened.keyboard.press('Enter');
    expect(await opened.locator('#tree [role=button]').count()).toBeGreaterThan(count);
    await opened.close();
  });

  test('marks the path of a question in the tree, and can show nothing else', async () => {
    const opened = await open('default.html');
    await opened.click('#tab-tree');
    await opened.fill('#question', 'personality(0xffffffff)');
    await opened.check('#only');
    const labels = await opened.$$eval('#tree text', (all) => all.map(({ textContent }) => textContent));
    expect(labels).toContain('nr == 135 personality');
    expect(labels.filter((label) => /^(ALLOW|ERRNO|KILL)/.test(label ?? ''))).toEqual(['ALLOW']);
    await opened.close();
  });

  test('fits windows from 320 to 2560 pixels', async () => {
    const opened = await open('default.html', { hash: await fragment() });
    for (const tab of TABS) {
      await opened.click(`#tab-${tab}`);
      for (const width of [320, 768, 1440, 2560]) {
        await opened.setViewportSize({ width, height: 900 });
        expect(await opened.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      }
    }
    await opened.close();
  });

  test('has no fault that axe finds, in light and dark colours', async () => {
    const opened = await open('faulty.html', { hash: await fragment() });
    await opened.fill('#search', 'ioctl');
    await opened.click('#rows [role=row]:visible');
    await opened.evaluate(readFileSync(AXE, 'utf8'));
    const faultsIn = (part: string) =>
      opened.evaluate(async (selector) => {
        const { axe } = globalThis as unknown as {
          axe: { run(of: string): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        const found = await axe.run(selector);
        return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
      }, part);
    for (const [index, tab] of TABS.entries()) {
      await opened.emulateMedia({ colorScheme: index % 2 === 0 ? 'light' : 'dark' });
      await opened.setViewportSize({ width: index < 2 ? 1440 : 320, height: 900 });
      await opened.click(`#tab-${tab}`);
      // All of the page once in each; then what changes.
      expect(await faultsIn(index < 2 ? 'body' : '#more')).toEqual([]);
    }
    await opened.click('#tab-tree');
    await opened.selectOption('#shape', 'icicle');
    expect(await faultsIn('#panel-tree')).toEqual([]);
    await opened.close();
  });

  test('prints the whole profile and policy', async () => {
    const opened = await open('faulty.html', { colorScheme: 'dark' });
    const background = () => opened.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const onScreen = await background();
    await opened.emulateMedia({ media: 'print' });
    expect(await background()).not.toBe(onScreen);
    expect(await opened.isVisible('#text')).toBe(false);
    expect(await opened.isVisible('#lines')).toBe(true);
    const [shown, all] = await opened.$eval('#policy', (box) => [box.clientHeight, box.scrollHeight]);
    expect(shown).toBe(all);
    await opened.close();
  });

  test('runs nothing that a profile or its name brings, and nothing but its own code', async () => {
    const name = `${HOSTILE.replaceAll('/', '_')}%CODE%.json`;
    writeFileSync(page(name), FAULTY);
    await command('report', name, ...TARGET, '-o', 'hostile.html');
    const opened = await open('hostile.html');
    expect(await opened.title()).toBe(`${name} · seccompc`);
    expect(await opened.textContent('#file')).toBe(name);
    expect(await opened.inputValue('#text')).toBe(FAULTY);
    expect(await opened.locator('img').count()).toBe(0);
    const title = await opened.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "own"';
      document.head.append(script);
      return document.title;
    });
    expect(title).toBe(`${name} · seccompc`);
    await expect.poll(() => said.splice(0).join()).toContain('Content Security Policy');
    await opened.close();
  });

  test('is the same each time, and small', async () => {
    const made = await command('report', DEFAULT, ...TARGET);
    const again = await command('report', DEFAULT, ...TARGET);
    expect(again.equals(made)).toBe(true);
    expect(made.length).toBeLessThanOrEqual(400_000);
  });
});
