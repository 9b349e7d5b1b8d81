/**
 * The code of the package: the command as CommonJS chunks, each loaded when it is needed, and the library as ES modules.
 * Both contain the packages they are made of, so that an installation fetches and compiles none of them.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { basename, dirname, join, sep } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { defineConfig } from 'rolldown';
import type { InputOptions, Plugin } from 'rolldown';

const DIST = join(import.meta.dirname, 'dist');

/** Declarations that tsc wrote into dist and an entry of the package needs. */
const needed = new Set<string>();
function need(declarations: string): void {
  if (needed.has(declarations)) return;
  needed.add(declarations);
  for (const [, path] of readFileSync(declarations, 'utf8').matchAll(/["'](\.[^"']+)\.[jt]s["']/g))
    need(join(dirname(declarations), `${path}.d.ts`));
}
for (const entry of ['index', 'cache/index', 'sandbox/index', 'serve/index', 'testing/index'])
  need(join(DIST, `${entry}.d.ts`));
// Other declarations, and what an older layout had, would be packed.
for (const path of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
  const file = join(DIST, path);
  if (!needed.has(file) && statSync(file).isFile()) rmSync(file);
}

/** The licences of the packages whose code is in the chunks. */
const licences: Plugin = {
  name: 'licences',
  writeBundle({ dir }, chunks) {
    const packages = new Map<string, string>();
    for (const chunk of Object.values(chunks))
      for (const module of chunk.type === 'chunk' ? chunk.moduleIds : []) {
        const folder = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(module)?.[1];
        if (folder !== undefined) packages.set(folder.split(`node_modules${sep}`).at(-1)!, folder);
      }
    const texts = [...packages]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, folder]) => {
        const text = licenceIn(folder) ?? STATED[name];
        if (text === undefined) throw new Error(`${name} comes without its licence`);
        return `${name}\n\n${text.trim()}\n`;
      });
    writeFileSync(join(dir ?? DIST, 'LICENSES'), texts.join(`\n${'-'.repeat(80)}\n\n`));
  },
};

/** The licence of a package: a file, or the last section of its README. */
function licenceIn(folder: string): string | undefined {
  const entries = readdirSync(folder);
  const read = (pattern: RegExp) => {
    const file = entries.find((entry) => pattern.test(entry));
    return file === undefined ? undefined : readFileSync(join(folder, file), 'utf8');
  };
  return (
    read(/^licen[cs]e/i) ??
    /^## licen[cs]e\n(.*Permission is hereby granted.*)/ims.exec(read(/^readme/i) ?? '')?.[1]
  );
}

/** Licences of packages that only name them in package.json. */
const STATED: Record<string, string | undefined> = {
  // Of the same repository.
  '@sigstore/verify': licenceIn('node_modules/@sigstore/bundle'),
  '@redis/client': `MIT License

Copyright (c) Redis, inc.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
};

/** Version and hash of all that the command is made of: what one build keeps in the hot tier is nothing to another. */
function buildName(): string {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const hash = createHash('sha256');
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).map((path) => join('src', path));
  for (const path of ['package-lock.json', 'rolldown.config.ts', ...sources.toSorted()])
    if (statSync(path).isFile()) hash.update(`${path}\0`).update(readFileSync(path)).update('\0');
  return `${version} ${hash.digest('hex').slice(0, 16)}`;
}

/** Names of functions and classes stay, for people who read a stack. */
const MINIFY = { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true, asciiOnly: true } };

/** npx runs the file as it is if it has linked this checkout before. */
const executable: Plugin = {
  name: 'executable',
  writeBundle: ({ dir }) => chmodSync(join(dir ?? DIST, 'main.cjs'), 0o755),
};

const DATABASES = ['keyv-redis', 'keyv-postgres'];

/** Modules that are built apart, and imported from there. */
const apart = (names: readonly string[]): Plugin => ({
  name: 'apart',
  resolveId(id) {
    const name = basename(id, '.ts');
    return names.includes(name)
      ? { id: join(DIST, `cache/stores/${name}.js`), external: 'relative' }
      : undefined;
  },
});

/** What `exec` and `--pid` start: every program of src/launcher/source but the launcher, for each architecture. */
const programs: Plugin = {
  name: 'programs',
  writeBundle() {
    const generated = 'src/launcher/generated';
    const folder = join(DIST, 'programs');
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(generated)) {
      const text = readFileSync(join(generated, file), 'utf8');
      for (const [, name, image] of text.matchAll(/^export const (\w+) =\s+'([^']+)'/gm)) {
        if (name === 'launcher') continue;
        const words = name!.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
        const path = join(folder, `${words}-${basename(file, '.ts')}`);
        writeFileSync(path, Buffer.from(image!, 'base64'));
        chmodSync(path, 0o755);
      }
    }
  },
};

/** Commander loads child_process, 2 ms, for subcommands that are programs of their own. Here are none. */
const withoutSubprocesses: Plugin = {
  name: 'without-subprocesses',
  resolveId: (id, importer) =>
    id === 'node:child_process' && importer?.includes('commander') ? '\0nothing' : undefined,
  load: (id) => (id === '\0nothing' ? 'export default {}' : undefined),
};

/** Tables of system calls and launchers come from the file of a report: each has only those that it needs. */
const facts: Plugin = {
  name: 'facts',
  resolveId: (id) => (id === 'facts' ? '\0facts' : undefined),
  load(id) {
    if (id === '\0facts') return "export default JSON.parse(document.getElementById('facts').textContent)";
    const [, part, name] = /[\\/](syscalls|launcher)[\\/]generated[\\/](\w+)\.ts$/.exec(id) ?? [];
    if (part === undefined) return undefined;
    if (part === 'launcher')
      return `import facts from 'facts'; export const launcher = facts['launcher ${name}'];`;
    const members = [...readFileSync(id, 'utf8').matchAll(/^export const (\w+)/gm)].map(([, each]) => each!);
    return [
      "import facts from 'facts';",
      `if (facts.${name} === undefined) throw new Error('no table ${name}');`,
      ...members.map((each) => `export const ${each} = facts.${name}.${each};`),
    ].join('\n');
  },
};

/**
 * One page of the parts. Its code is compressed, and runs only because its hash is in the policy of the page; the licences
 * go with it.
 */
const page: Plugin = {
  name: 'page',
  writeBundle({ dir }, chunks) {
    const folder = dir ?? DIST;
    const [chunk] = Object.values(chunks);
    if (chunk?.type !== 'chunk') throw new Error('the page has no code');
    const code = `${chunk.code}\n/*!\n${readFileSync(join(folder, 'LICENSES'), 'utf8').replaceAll('*/', '* /')}*/\n`;
    const part = (name: string) => readFileSync(join('src/report/page', name), 'utf8');
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const [style, loader] = [part('base.css') + part('style.css'), part('loader.js')];
    const policy = `default-src 'none'; script-src ${hash(loader)} ${hash(code)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`;
    const parts: Record<string, string> = {
      CSP: policy,
      STYLE: style,
      LOADER: loader,
      CODE: deflateRawSync(code, { level: 9 }).toString('base64'),
    };
    // The blanks around them are those of the formatter.
    const html = part('page.html').replaceAll(
      /\s*%(CSP|STYLE|LOADER|CODE)%\s*/g,
      (_, name: string) => parts[name]!,
    );
    writeFileSync(join(folder, 'page.html'), html);
    rmSync(join(folder, chunk.fileName));
  },
};

const common: InputOptions = {
  platform: 'node',
  resolve: { mainFields: ['module', 'main'] },
  // What only formats a text makes 1400 strings of blanks where it is loaded.
  treeshake: { moduleSideEffects: [{ test: /jsonc-parser/, sideEffects: false }] },
  transform: { define: { SECCOMPC_BUILD: JSON.stringify(buildName()) } },
};
export default defineConfig([
  {
    ...common,
    input: { main: 'src/cli/main.ts' },
    // So that other files can import from the first one.
    preserveEntrySignatures: 'allow-extension',
    output: {
      dir: 'dist/cli',
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name].cjs',
      // Each file takes 0.3 ms to find, open and check.
      codeSplitting: {
        // What a hot answer needs stays in the first file.
        includeDependenciesRecursively: false,
        groups: [
          // What hot answers and stores both need.
          {
            name: 'files',
            test: /src.fs.(built-file|private-group|replace|system-reason|trust)\.ts|src.cache.(location|plain-files|version|records.sha256)\.ts/,
          },
          {
            name: 'program',
            test: /src.cli.(program|command)\.ts|src.cli.options.(built-in-profile|help-groups)|src.cli.output.(excerpt|report|text)|node_modules.commander|^.nothing/,
          },
          // What a hit needs too, for which the compiler need not be loaded.
          {
            name: 'base',
            test: /src.bpf.(answers|check|instruction)\.ts|src.syscalls.(load|tables|perfect-hash|since|generated.(since|union))\.ts$|src.(arch|action|defined|target|profile.types|codegen.goal|compile.(filter|settings))\.ts$/,
          },
          {
            name: 'store',
            test: /src.distribution.reference|src.cache.(?!at-once|hot|stores.oci-records|location|plain-files|version|records.(archive|collect|sha256|transfer|verify))|node_modules.(keyv|@keyv.(serialize|sqlite))[\\/]/,
          },
          // What most commands need.
          {
            name: 'command',
            test: /src.(cli.(compile-with|keep-hot|short-run|commands.compile)|fs.temporary|host)\.ts|src.cli.options.(add-options|cache-options|confined|input-file|profile-file|target-arguments|target-options)\.ts|src.cli.output.(filter-json|summary)|src.format.(filter-document|text)|src.options.(?!built-in|table)/,
          },
          {
            name: 'compiler',
            test: /src.compile\.ts$|src.(profile|policy|codegen(?!.goal)|prove|compile)[\\/]|node_modules.jsonc-parser/,
          },
          // What the compiler and small commands need.
          {
            name: 'names',
            test: /src.(closest|errno|bpf.(interpreter|stack)|syscalls.(lookup|generated.errno))\.ts|node_modules.fastest-levenshtein/,
          },
        ],
      },
      minify: MINIFY,
    },
    plugins: [licences, apart(DATABASES), withoutSubprocesses, executable, programs],
  },
  {
    ...common,
    input: {
      index: 'src/index.ts',
      'cache/index': 'src/cache/index.ts',
      'sandbox/index': 'src/sandbox/index.ts',
      'serve/index': 'src/serve/index.ts',
      'testing/index': 'src/testing/index.ts',
      // Programs of a process and of a thread.
      'cache/stores/sqlite-process': 'src/cache/stores/sqlite-process.ts',
      'workers/worker': 'src/workers/worker.ts',
    },
    output: { dir: 'dist', format: 'esm', chunkFileNames: 'shared/[name].js', minify: MINIFY },
    plugins: [licences, apart([...DATABASES, 'keyv-sqlite'])],
  },
  {
    ...common,
    // Apart from the library, because CommonJS packages need Node's require, and a page has none.
    input: Object.fromEntries(
      [...DATABASES, 'keyv-sqlite'].map((name) => [name, `src/cache/stores/${name}.ts`]),
    ),
    output: { dir: 'dist/cache/stores', format: 'esm', chunkFileNames: '[name].js', minify: MINIFY },
    plugins: [licences],
  },
  {
    ...common,
    platform: 'browser',
    input: { page: 'src/report/page/main.ts' },
    checks: { ineffectiveDynamicImport: false },
    output: { dir: 'dist/report', format: 'iife', codeSplitting: false, minify: true },
    plugins: [facts, licences, page],
  },
]);
