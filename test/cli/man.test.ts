/** The pages of `seccompc man`, formatted by groff. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { runIn, scratch } from './run.ts';

const folder = scratch();
const pages = join(folder, 'man1');

/** What a person reads, without line breaks, and what groff has to say about the source. */
function formatted(...files: string[]): { text: string; warnings: string } {
  const args = ['-man', '-ww', '-Tascii', '-P-cbou', '-rLL=2000n', '-rHY=0', ...files];
  const { stdout, stderr } = spawnSync('groff', args, { encoding: 'utf8' });
  return { text: stdout, warnings: stderr };
}

describe.skipIf(skipWithout(requirements(['groff'])))('the manual', () => {
  it('has a page for each command, without a fault, and with every option of its help', async () => {
    mkdirSync(pages);
    const written = await runIn(folder, ['man', '-o', pages]);
    expect(written).toMatchObject({ code: 0, stderr: '' });
    const help = (await runIn(folder, ['--help'])).stdout.toString();
    const files = readdirSync(pages);
    expect(files).toEqual(expect.arrayContaining(['seccompc.1', 'seccompc-compile.1', 'seccompc-cache.1']));
    expect(files.length).toBeGreaterThan(25);
    const { text: all, warnings } = formatted(...files.map((file) => join(pages, file)));
    expect(warnings).toBe('');
    for (const file of files) {
      const name = file.replace('.1', '');
      expect(all).toContain(`${name} - `);
      if (name !== 'seccompc') expect(help).toContain(`  ${name.replace('seccompc-', '')} `);
    }
    for (const command of ['compile', 'lint', 'exec']) {
      const shown = (await runIn(folder, [command, '--help'])).stdout.toString();
      const { text } = formatted(join(pages, `seccompc-${command}.1`));
      const options = [...shown.matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option);
      expect(options.length).toBeGreaterThan(15);
      expect(options.filter((option) => !text.includes(option))).toEqual([]);
    }
    expect(formatted(join(pages, 'seccompc-cache.1')).text).toContain('--max-bytes <N>');
  });

  it('keeps examples as they are typed', async () => {
    const page = (await runIn(folder, ['man', 'compile'])).stdout.toString();
    expect(page).toContain('.nf\n  seccompc compile profile.json \\-o filter.bpf\n');
  });
});

describe('man', () => {
  it('refuses a command that does not exist', async () => {
    const { code, stdout, stderr } = await runIn(folder, ['man', 'frobnicate']);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain('there is no command "frobnicate"');
  });
});
