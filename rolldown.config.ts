/**
 * The parts of the build that tsc cannot make: the command as CommonJS chunks, each loaded when it is needed, and the
 * store with all that it is made of, so that who installs the package installs (and compiles) none of that.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { defineConfig } from 'rolldown';
import type { InputOptions, Plugin } from 'rolldown';

const DIST = join(import.meta.dirname, 'dist');
// Chunks of an older layout would stay, and be packed.
rmSync(join(DIST, 'cli'), { recursive: true, force: true });

/** For Node 20, which has no SQLite of its own: N-API binaries, found by src/cache/sqlite3 in dist/sqlite. */
const nativeSqlite: Plugin = {
  name: 'native-sqlite',
  writeBundle() {
    const require = createRequire(import.meta.url);
    const found = dirname(require.resolve('@photostructure/sqlite/package.json'));
    const prebuilds = join(found, 'prebuilds');
    for (const platform of readdirSync(prebuilds)) {
      const folder = join(DIST, 'sqlite', platform);
      mkdirSync(folder, { recursive: true });
      for (const name of readdirSync(join(prebuilds, platform)))
        placeFile(join(prebuilds, platform, name), join(folder, name));
    }
    placeFile(join(found, 'LICENSE'), join(DIST, 'sqlite', 'LICENSE'));
  },
};

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
const STATED: Record<string, string> = {
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

/** Linked where the file system can: 18 MB that need not be written at every build. */
function placeFile(from: string, to: string): void {
  if (existsSync(to)) rmSync(to);
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** The chunks are read as latin1 (src/cli/code/loader.ts), so whatever is not ASCII, in texts only, is escaped. */
const asciiOnly: Plugin = {
  name: 'ascii-only',
  generateBundle(_, bundle) {
    for (const chunk of Object.values(bundle))
      if (chunk.type === 'chunk')
        chunk.code = chunk.code.replaceAll(
          /[^\0-\x7f]/g,
          (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
        );
  },
};

/** commander starts other programs for commands that are files of their own. We have none, and loading it takes 4 ms. */
const withoutChildProcess: Plugin = {
  name: 'without-child-process',
  resolveId: (id, importer) =>
    id === 'node:child_process' && importer?.includes(`${sep}commander${sep}`) ? EMPTY : null,
  load: (id) => (id === EMPTY ? 'export default {};' : null),
};
const EMPTY = '\0empty';

/**
 * The client of Redis hangs some 360 commands on every connection, two thirds of its code; these are what its adapter
 * and src/cache/keyv-redis.ts use, and what it needs to connect.
 */
const fewCommands: Plugin = {
  name: 'few-commands',
  load(id) {
    if (!/@redis.client.dist.lib.commands.index\.js$/.test(id)) return null;
    const members = Object.entries(COMMANDS).map(([file, names]) =>
      names.map((name) => `${name}: require('./${file}').default`).join(', '),
    );
    return `exports.__esModule = true; exports.default = { ${members.join(', ')} }; exports.NON_STICKY_COMMANDS = exports.default;`;
  },
};
const COMMANDS = {
  AUTH: ['AUTH'],
  CLIENT_SETNAME: ['CLIENT_SETNAME'],
  DEL: ['del'],
  EXISTS: ['exists'],
  GET: ['get'],
  MGET: ['mGet'],
  READONLY: ['READONLY'],
  SCAN: ['scan'],
  SET: ['set'],
  UNLINK: ['unlink'],
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

/**
 * The first file runs nearly all its functions, once and at once. V8 would first skip each of them and read it again when it is
 * called; one in parentheses it compiles where it stands.
 */
const eagerly: Plugin = {
  name: 'eagerly',
  renderChunk(code) {
    const { body } = this.parse(code);
    const begin = body[0]!.start;
    let hoisted = '';
    let rest = code.slice(begin);
    for (const node of body.toReversed()) {
      if (node.type !== 'FunctionDeclaration' || node.async) continue;
      const [start, end] = [node.start - begin, node.end - begin];
      const text = rest.slice(start, end);
      hoisted = `var ${/^function (\w+)/.exec(text)?.[1]} = (${text});\n${hoisted}`;
      rest = rest.slice(0, start) + rest.slice(end);
    }
    return code.slice(0, begin) + hoisted + rest;
  },
};

/** The script that answers without Node, which knows by its name which answers are those of this build. */
const shellScript: Plugin = {
  name: 'shell-script',
  writeBundle({ dir }) {
    const script = readFileSync('src/cli/seccompc-sh', 'utf8').replace('@BUILD@', buildName());
    writeFileSync(join(dir ?? DIST, 'seccompc-sh'), script, { mode: 0o755 });
  },
};

const common: InputOptions = {
  platform: 'node',
  resolve: { mainFields: ['module', 'main'] },
  // What only formats a text makes 1400 strings of blanks where it is loaded.
  treeshake: { moduleSideEffects: [{ test: /jsonc-parser/, sideEffects: false }] },
  transform: { define: { SECCOMPC_BUILD: JSON.stringify(buildName()) } },
};
const chunks = {
  dir: 'dist/cli',
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name].cjs',
  // Through the `require` that the first file gives each chunk.
  dynamicImportInCjs: false,
  // Names stay, for whoever reads a stack.
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
} as const;

/** What is needed together stands in one file: to find, open and check one takes 0.1 to 0.3 ms. */
const together = [
  {
    name: 'base',
    test: /rolldown.runtime|src.(arch|errors|target|action)\.ts$|src.cli.(output|report|input|host|target-flags|cache-flags|compile-run|quick|tier-up|start)\.ts$|src.cli.code.|src.bpf.(check|instruction)\.ts$|src.format.(text|names)\.ts$|src.cache.hot.(?!shell|upkeep)|src.cache.(members|location|make-folder|version)\.ts$|src.profile.types\.ts$|src.syscalls.(load|since|perfect-hash|generated.(union|x86|x86_64|x32))\.ts$/,
  },
  { name: 'store', test: /src.cache.(?!hot|at-once|archive|collect|record|transfer|verify|keyv-(redis|postgres))|node_modules.(keyv|@keyv.(serialize|sqlite))[\\/]/ },
  // Only who has a cache on such a server loads its client.
  { name: 'redis', test: /src.cache.keyv-redis\.ts$|node_modules.(@keyv.redis|@redis)[\\/]/ },
  { name: 'postgres', test: /src.cache.keyv-postgres\.ts$|node_modules.(@keyv.postgres|pg)[\\/]/ },
  {
    name: 'compiler',
    test: /src.compile\.ts$|src.(profile|policy|codegen|prove).|src.errno\.ts$|jsonc-parser|fastest-levenshtein/,
  },
];

export default defineConfig([
  // A file of its own: whatever it shared with the others would be a second file to load before the first answer.
  {
    ...common,
    input: { main: 'src/cli/main.ts' },
    output: { ...chunks, minify: true },
    plugins: [eagerly, shellScript],
  },
  {
    ...common,
    input: { run: 'src/cli/run.ts' },
    output: { ...chunks, minify: true },
  },
  {
    ...common,
    input: { start: 'src/cli/start.ts' },
    // So that the other chunks can have from this one what stands in it, without a file between them.
    preserveEntrySignatures: 'allow-extension',
    output: { ...chunks, codeSplitting: { groups: together } },
    plugins: [licences, withoutChildProcess, fewCommands, asciiOnly],
  },
  {
    ...common,
    input: {
      keyv: 'src/cache/keyv.ts',
      'keyv-redis': 'src/cache/keyv-redis.ts',
      'keyv-postgres': 'src/cache/keyv-postgres.ts',
    },
    output: {
      dir: 'dist/cache',
      format: 'esm',
      chunkFileNames: '[name].js',
      codeSplitting: { groups: [{ name: 'keyv-core', test: /node_modules.(keyv|@keyv.serialize)[\\/]/ }] },
    },
    plugins: [licences, nativeSqlite, fewCommands],
  },
]);
