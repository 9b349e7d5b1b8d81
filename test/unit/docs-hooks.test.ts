/**
 * Every hook that the documentation shows has a time limit: without one, a hook that hangs holds up
 * the start for ever.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { blocksOf } from '../cli/documents.ts';

const ROOT = join(import.meta.dirname, '../..');
const pages = ['README.md', 'CONTRIBUTING.md', 'profiles/README.md']
  .concat(readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`))
  .filter((name) => name.endsWith('.md'));

/**
 * Objects that name a program by an absolute path: what a hook of the runtime-spec and of
 * oci-hooks(5) is.
 */
function hooksIn(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  const object: Record<string, unknown> = Object.fromEntries(Object.entries(value));
  const inside = Object.values(object).flatMap(hooksIn);
  const { path } = object;
  return typeof path === 'string' && path.startsWith('/') && 'args' in object ? [object, ...inside] : inside;
}

const blocks = pages.flatMap((page) =>
  blocksOf(readFileSync(join(ROOT, page), 'utf8')).map((block) => ({ ...block, page })),
);

it('gives every hook in the documentation a time limit', () => {
  const hooks = blocks
    .filter(({ language }) => language === 'json')
    .flatMap(({ page, line, lines }) =>
      hooksIn(JSON.parse(lines.join('\n'))).map((hook) => ({ page, line, hook })),
    );
  expect(hooks.length).toBeGreaterThan(0);
  const unlimited = hooks.filter(
    ({ hook: { timeout } }) => !Number.isInteger(timeout) || Number(timeout) < 1,
  );
  expect(unlimited).toEqual([]);
});

it('shows hooks nowhere but in blocks of JSON, where their time limit is checked', () => {
  const elsewhere = blocks
    .filter(({ language, lines }) => language !== 'json' && /"(hooks?|stages)"\s*:/.test(lines.join('\n')))
    .map(({ page, line }) => `${page}:${line}`);
  expect(elsewhere).toEqual([]);
});
