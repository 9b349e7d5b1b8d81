import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = join(import.meta.dirname, '../../src');

/**
 * What each part may import besides itself. An import that is not listed is a decision to be made
 * here first.
 */
const ALLOWED: Record<string, string[]> = {
  fs: [],
  errors: [],
  arch: [],
  action: [],
  closest: [],
  defined: [],
  signature: [],
  target: ['arch', 'errors', 'syscalls'],
  errno: ['arch', 'syscalls'],
  bpf: ['action', 'arch', 'errno', 'errors', 'syscalls'],
  syscalls: ['arch', 'closest', 'target'],
  profile: ['action', 'arch', 'closest', 'defined', 'errno', 'errors', 'syscalls', 'target'],
  input: ['arch', 'bpf', 'errors', 'format', 'profile', 'syscalls'],
  import: ['arch', 'audit', 'errno', 'errors', 'policy', 'profile', 'syscalls'],
  policy: ['action', 'arch', 'errno', 'errors', 'profile', 'syscalls', 'target'],
  codegen: ['arch', 'bpf', 'policy', 'syscalls'],
  // The proof shares the parsed profile and the tables with the compiler, and nothing that decides.
  prove: ['action', 'arch', 'bpf', 'errno', 'profile', 'syscalls', 'target'],
  compile: [
    'action', 'arch', 'bpf', 'codegen', 'errors', 'policy', 'profile', 'prove', 'syscalls', 'target',
  ],
  format: ['action', 'arch', 'bpf', 'compile', 'defined', 'errors', 'profile', 'syscalls'],
  doctor: ['action', 'arch', 'compile', 'errno', 'policy', 'target'],
  equivalence: ['arch', 'bpf', 'compile', 'errors', 'prove', 'syscalls'],
  audit: ['action', 'arch', 'compile', 'doctor', 'errno', 'explain', 'format', 'policy', 'profile', 'prove', 'syscalls', 'target'],
  questions: [
    'arch', 'assert', 'compile', 'equivalence', 'errors', 'explain', 'format', 'profile', 'prove', 'syscalls',
  ],
  index: [
    'action', 'arch', 'bpf', 'codegen', 'compile', 'equivalence', 'errno', 'errors', 'explain', 'format', 'policy',
    'profile', 'prove', 'questions', 'syscalls', 'target',
  ],
  assert: ['action', 'arch', 'errno', 'errors', 'format', 'policy', 'prove', 'syscalls'],
  explain: ['action', 'arch', 'bpf', 'compile', 'format', 'policy', 'profile', 'prove'],
  graph: ['bpf'],
  report: [
    'arch', 'assert', 'audit', 'bpf', 'codegen', 'compile', 'errors', 'explain', 'format', 'graph', 'input', 'launcher', 'lint', 'profile',
    'prove', 'questions', 'syscalls', 'target',
  ],
  lint: [
    'action', 'arch', 'bpf', 'compile', 'errno', 'errors', 'explain', 'format', 'policy', 'profile', 'prove', 'syscalls',
    'target',
  ],
  lsp: ['compile', 'errors', 'explain', 'lint', 'profile', 'syscalls', 'target'],
  merge: ['action', 'arch', 'bpf', 'codegen', 'compile', 'errors', 'policy', 'profile', 'prove', 'syscalls', 'target'],
  testing: ['compile', 'equivalence', 'prove', 'questions'],
  sandbox: [
    'action', 'arch', 'compile', 'errno', 'errors', 'fs', 'host', 'launcher', 'policy', 'profile', 'syscalls', 'target',
  ],
  host: ['arch', 'errors', 'target'],
  launcher: ['action', 'arch', 'bpf', 'compile', 'errors', 'format', 'profile'],
  options: ['arch', 'compile', 'format', 'target'],
  distribution: ['errors'],
  registry: [
    'action', 'arch', 'bpf', 'cache', 'codegen', 'compile', 'distribution', 'errors', 'profile', 'prove',
    'signature', 'syscalls', 'target',
  ],
  // Of the policy, the cache has the key of a lowered profile.
  cache: [
    'action', 'arch', 'bpf', 'compile', 'distribution', 'errors', 'format', 'fs', 'options', 'policy', 'profile', 'signature',
    'syscalls', 'target',
  ],
  workers: ['cache', 'compile', 'errors', 'format', 'fs', 'signature'],
  prebuild: ['cache', 'compile', 'errors', 'format', 'fs', 'target', 'workers'],
  serve: ['arch', 'cache', 'compile', 'errors', 'format', 'fs', 'options', 'target', 'workers'],
  cli: [
    'action', 'arch', 'assert', 'audit', 'bpf', 'cache', 'codegen', 'compile', 'distribution', 'doctor', 'errno', 'errors', 'explain', 'format', 'fs', 'graph', 'host',
    'import', 'input', 'launcher', 'lint', 'lsp', 'merge', 'oci', 'options', 'policy',
    'prebuild', 'profile', 'prove', 'registry', 'report', 'serve', 'signature', 'syscalls', 'target', 'workers',
  ],
  site: ['arch', 'report', 'syscalls', 'target'],
  oci: ['action', 'arch', 'bpf', 'cache', 'compile', 'errors', 'format', 'fs', 'profile', 'prove', 'syscalls', 'target'],
  generate: ['arch', 'action', 'errors', 'launcher', 'lint', 'options', 'profile', 'syscalls', 'target'],
}; // prettier-ignore

/**
 * What each folder of a part may import from the same part. `.` is the files beside the folders.
 */
const ALLOWED_FOLDERS: Record<string, Record<string, string[]>> = {
  cache: { '.': ['records', 'stores', 'hot'], hot: ['.'], records: ['.', 'stores'], stores: ['.'] },
  cli: { '.': ['commands', 'options', 'output'], commands: ['.', 'options', 'output'], options: [], output: [] },
  codegen: { '.': ['numbers', 'arguments'], arguments: ['.', 'numbers'], numbers: ['.'] },
  oci: { '.': [], process: [], crun: ['.'], store: ['.'], hook: ['.', 'crun', 'process', 'store'], runtime: ['store'] },
  prove: {
    '.': ['bdd', 'cases', 'profile', 'program'],
    bdd: [],
    cases: ['bdd', 'profile', 'program'],
    profile: ['bdd'],
    program: ['bdd'],
  },
}; // prettier-ignore

/** Parts that need Node; everything else runs in a browser. */
const NEEDS_NODE = new Set([
  'cache',
  'cli',
  'distribution',
  'fs',
  'generate',
  'host',
  'lsp',
  'oci',
  'prebuild',
  'registry',
  'sandbox',
  'serve',
  'signature',
  'site',
  'workers',
]);
/** Packages that the core may use; none of them touches the host. */
const CORE_PACKAGES = new Set(['jsonc-parser', 'fastest-levenshtein', 'yaml', 'd3-hierarchy']);

interface Import {
  file: string;
  part: string;
  specifier: string;
}

function partOf(path: string): string {
  return path.split('/')[0]!.replace(/\.ts$/, '');
}

function folderOf(path: string): string {
  return path.split('/').length > 2 ? path.split('/')[1]! : '.';
}

function allImports(): Import[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.[jt]s$/.test(path),
  );
  return files.flatMap((file) => {
    const text = readFileSync(join(SRC, file), 'utf8');
    const statements = text.matchAll(/^(?:import|export)\b[^;]*?\bfrom\s+'([^']+)'|\bimport\('([^']+)'\)/gm);
    return [...statements]
      .map((match) => ({ file, part: partOf(file), specifier: (match[1] ?? match[2])! }))
      .filter(({ specifier }) => !isInTemplate(file, specifier));
  });
}

/** The generator holds the text of modules whose imports are not its own. */
function isInTemplate(file: string, specifier: string): boolean {
  return (
    file.startsWith('generate/') &&
    specifier.startsWith('.') &&
    !existsSync(join(SRC, dirname(file), specifier))
  );
}

const imports = allImports();

describe('the sources', () => {
  test('import in one direction only', () => {
    const wrong = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ file, part, specifier }) => ({
        file,
        part,
        to: partOf(relative(SRC, normalize(join(SRC, dirname(file), specifier)))),
      }))
      .filter(({ part, to }) => to !== part && !ALLOWED[part]?.includes(to))
      .map(({ file, to }) => `${file} imports ${to}`);
    expect(wrong).toEqual([]);
    expect(new Set(imports.map(({ part }) => part)).size).toBeGreaterThan(10);
  });

  test('import in one direction only between the folders of a part', () => {
    const wrong = imports
      .filter(({ part, specifier }) => part in ALLOWED_FOLDERS && specifier.startsWith('.'))
      .map(({ file, part, specifier }) => ({ file, part, to: normalize(join(dirname(file), specifier)) }))
      .filter(({ part, to }) => partOf(to) === part)
      .map(({ file, part, to }) => ({ file, part, from: folderOf(file), to: folderOf(to) }))
      .filter(({ part, from, to }) => from !== to && !ALLOWED_FOLDERS[part]![from]?.includes(to))
      .map(({ file, to }) => `${file} imports ${to}`);
    expect(wrong).toEqual([]);
  });

  test('use nothing of Node in the core', () => {
    const wrong = imports
      .filter(({ part, specifier }) => !NEEDS_NODE.has(part) && !specifier.startsWith('.'))
      .filter(({ specifier }) => !CORE_PACKAGES.has(specifier))
      .map(({ file, specifier }) => `${file} imports ${specifier}`);
    expect(wrong).toEqual([]);
    const globals = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !NEEDS_NODE.has(partOf(path)))
      .filter((path) =>
        /\b(process\.[a-z]|Buffer\.[a-z]|require\()/.test(readFileSync(join(SRC, path), 'utf8')),
      );
    expect(globals).toEqual([]);
  });
});
