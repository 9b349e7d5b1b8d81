/**
 * `npm run site [FOLDER]`: the documentation, the playground and a table of all calls, as files for
 * any web server.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Marked } from 'marked';
import { allArches } from '../arch.ts';
import { factsFor } from '../report/facts.ts';
import { makeReport } from '../report/report.ts';
import { loadCallFacts } from '../syscalls/constants.ts';
import { allNames, loadTables, nameId } from '../syscalls/load.ts';
import { prototypeText, signatureOf } from '../syscalls/signatures.ts';
import { firstRelease, oldestRelease } from '../syscalls/since.ts';
import { makeTarget } from '../target.ts';

const DOCS = 'docs';
const STYLE = ['src/report/page/base.css', 'src/site/site.css']
  .map((file) => readFileSync(file, 'utf8'))
  .join('');

await makeSite(process.argv[2] ?? 'site');

async function makeSite(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  for (const file of readdirSync(DOCS)) {
    if (file.endsWith('.md')) write(htmlName(file), document(readFileSync(join(DOCS, file), 'utf8')));
    else copyFileSync(join(DOCS, file), join(folder, file));
  }
  write('calls.html', await callTable());
  write('playground.html', await playground());
}

/**
 * The page of a report with the profile of this package, libseccomp's filter for it, and the tables
 * of all architectures.
 */
async function playground(): Promise<string> {
  const file = 'container-default.json';
  const text = readFileSync(join('profiles', file), 'utf8');
  const against = readdirSync('src/site')
    .filter((name) => name.endsWith('.bpf'))
    .map((name) => ({
      name: name.replace('.bpf', ' for x86_64').replace('-', ' '),
      filter: { endian: 'little' as const, bytes: readFileSync(join('src/site', name), 'base64') },
    }));
  const data = { file, text, target: makeTarget({ arch: 'x86_64' }), against };
  return makeReport(readFileSync('dist/report/page.html', 'utf8'), data, await factsFor(allArches()));
}

function document(markdown: string): string {
  const title = /^# (.*)$/m.exec(markdown)?.[1] ?? 'seccompc';
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${anchorOf(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens);
        // Files of the repository are not there.
        if (href.startsWith('../')) return text;
        return `<a href="${escaped(href.replace(/^[\w-]+\.md/, htmlName))}">${text}</a>`;
      },
      // Of the documentation, nothing is markup of HTML.
      html: ({ text }) => escaped(text),
    },
  });
  const body = marked.parse(markdown, { async: false });
  return page(
    title,
    `<main>${body.replaceAll('<table>', '<div class="table" tabindex="0"><table>').replaceAll('</table>', '</table></div>')}</main>`,
  );
}

function htmlName(markdown: string): string {
  return markdown === 'README.md' ? 'index.html' : markdown.replace(/\.md$/, '.html');
}

/** As Markdown renderers of code hosts make them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

async function callTable(): Promise<string> {
  await loadCallFacts();
  const tables = await loadTables(allArches().map(({ table }) => table));
  const rows = allNames().map((name) => {
    const arches = allArches().filter((arch) => tables.of(arch.name).numberOf(name) !== undefined);
    const numbers = grouped(arches, (arch) => tables.of(arch.name).numberOf(name)!);
    const lines = [...numbers]
      .toSorted(([, a], [, b]) => b.length - a.length)
      .map(([nr, on]) => `<code>${nr}</code> ${on.map((arch) => arch.name).join(' ')}`);
    const since = oldestRelease(arches.map((arch) => firstRelease(nameId(name), name, arch.table)));
    const signature = signatureOf(arches.find((arch) => arch.name === 'X86_64') ?? arches[0]!, name);
    const prototype = signature === undefined ? '' : escaped(prototypeText(name, signature));
    return `<tr><th scope="row"><code>${name}</code></th><td>${lines.join('<br>\n')}</td><td>${escaped(since)}</td><td><code>${prototype}</code></td></tr>`;
  });
  const main = `<main class="wide"><h1>System calls</h1>
<p><label>Number, name or architecture: <input id="search" type="search" placeholder="435" autocomplete="off"></label>
<span id="count" class="muted" role="status">${rows.length} calls</span></p>
<div class="table" tabindex="0"><table><thead><tr><th scope="col">Call</th><th scope="col">Numbers</th><th scope="col">Since</th><th scope="col">Arguments</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></main>`;
  return page('System calls', main, readFileSync('src/site/calls.js', 'utf8'));
}

function grouped<K, V>(items: readonly V[], key: (item: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

function page(title: string, main: string, script = ''): string {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = `default-src 'none'; img-src 'self' file:; style-src ${hash(STYLE)}; script-src ${hash(script)}; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} · seccompc</title>
<style>${STYLE}</style>
</head>
<body>
<nav aria-label="Site"><a href="index.html">seccompc</a><a href="playground.html">Playground</a><a href="calls.html">System calls</a><a href="cli.html">Commands</a><a href="library.html">Library</a></nav>
${main}
${script === '' ? '' : `<script>${script}</script>`}
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
