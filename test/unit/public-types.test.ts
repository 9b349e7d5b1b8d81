import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseSync } from 'rolldown/utils';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** Any part of a syntax tree of ESTree with types. */
interface Node {
  type: string;
  [member: string]: unknown;
}

/**
 * A declaration file: its top-level declarations by name, and what its imports and exports stand
 * for.
 */
interface Module {
  declared: Map<string, Node[]>;
  imported: Map<string, Symbol>;
  exported: Map<string, Symbol>;
}

/** A declaration, by the file that has it and its name there. */
interface Symbol {
  file: string;
  name: string;
}

const modules = new Map<string, Module>();

/** Reads a declaration file that tsc wrote; it has only named imports and exports. */
function moduleAt(file: string): Module {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const found: Module = { declared: new Map(), imported: new Map(), exported: new Map() };
  modules.set(file, found);
  const { program, errors } = parseSync(file, readFileSync(file, 'utf8'), { lang: 'dts' });
  expect(errors).toEqual([]);
  const declare = (node: Node): string[] => {
    const variables = node['declarations'] as { id: { name: string } }[] | undefined;
    const names = variables?.map(({ id }) => id.name) ?? [(node['id'] as { name: string }).name];
    for (const name of names) found.declared.set(name, [...(found.declared.get(name) ?? []), node]);
    return names;
  };
  for (const node of program.body as unknown as Node[]) {
    const source = (node['source'] as { value: string } | null | undefined)?.value;
    const specifiers = (node['specifiers'] ?? []) as Record<string, { name: string }>[];
    if (node.type === 'ImportDeclaration')
      for (const { imported, local } of specifiers)
        found.imported.set(local!.name, { file: fileOf(file, source!), name: imported!.name });
    else if (node.type === 'ExportNamedDeclaration' && node['declaration'])
      for (const name of declare(node['declaration'] as Node)) found.exported.set(name, { file, name });
    else if (node.type === 'ExportNamedDeclaration')
      for (const { exported, local } of specifiers)
        found.exported.set(exported!.name, {
          file: source === undefined ? file : fileOf(file, source),
          name: local!.name,
        });
    else declare(node);
  }
  return found;
}

function fileOf(from: string, specifier: string): string {
  return join(dirname(from), specifier.replace(/\.[jt]s$/, '.d.ts'));
}

/**
 * Follows re-exports and imports to the declaration; undefined for what another package or the
 * language declares.
 */
function declarationOf({ file, name }: Symbol): Symbol | undefined {
  if (!existsSync(file)) return undefined;
  const { declared, imported, exported } = moduleAt(file);
  if (declared.has(name)) return { file, name };
  const next = imported.get(name) ?? exported.get(name);
  return next === undefined ? undefined : declarationOf(next);
}

/**
 * All types that a declaration in a file refers to; of a value, `typeof` takes the type, which has
 * no name.
 */
function references(tree: unknown, file: string): Symbol[] {
  if (Array.isArray(tree)) return tree.flatMap((part) => references(part, file));
  if (typeof tree !== 'object' || tree === null) return [];
  const node = tree as Node;
  const heritage = node.type === 'TSInterfaceHeritage' ? node['expression'] : undefined;
  const names = [node['typeName'], node['superClass'], heritage] as ({ name?: string } | undefined)[];
  const found = names.flatMap((one) => (one?.name === undefined ? [] : { file, name: one.name }));
  // An inferred type: import("./x.ts").X
  if (node.type === 'TSImportType')
    found.push({
      file: fileOf(file, (node['source'] as { value: string }).value),
      name: (node['qualifier'] as { name: string }).name,
    });
  return found.concat(Object.values(node).flatMap((part) => references(part, file)));
}

const idOf = ({ file, name }: Symbol) => `${relative(join(ROOT, 'dist'), file)} ${name}`;

/** Every declaration that a user can come to from the entries, and the entries' own exports. */
function surface(entries: readonly string[]): { reached: Set<string>; exported: Set<string> } {
  const exported = new Set<string>();
  const reached = new Set<string>();
  const visit = (symbol: Symbol): void => {
    if (reached.has(idOf(symbol))) return;
    reached.add(idOf(symbol));
    for (const named of references(moduleAt(symbol.file).declared.get(symbol.name), symbol.file)) {
      const found = declarationOf(named);
      if (found !== undefined) visit(found);
    }
  };
  for (const file of entries)
    for (const symbol of moduleAt(file).exported.values()) {
      const found = declarationOf(symbol);
      if (found === undefined) throw new Error(`${file} exports ${symbol.name}, which nothing declares`);
      exported.add(idOf(found));
      visit(found);
    }
  return { reached, exported };
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, { types: string; default: string } | string>;
};

test('every type that a public signature names is exported', () => {
  const entries = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [] : [join(ROOT, entry.types)],
  );
  expect(entries).toHaveLength(5);
  const { reached, exported } = surface(entries);
  expect(exported.size).toBeGreaterThan(50);
  expect([...reached].filter((id) => !exported.has(id))).toEqual([]);
});

test.each([
  ['.', 'docs/library.md'],
  ['./cache', 'docs/library.md'],
  ['./sandbox', 'docs/sandbox.md'],
  ['./serve', 'docs/serve.md'],
  ['./testing', 'docs/assertions.md'],
])('%s exports only what %s describes', async (name, page) => {
  const entry = manifest.exports[name] as { default: string };
  const exported = Object.keys((await import(join(ROOT, entry.default))) as object);
  expect(exported.length).toBeGreaterThan(0);
  const text = readFileSync(join(ROOT, page), 'utf8');
  const described = new Set([...text.matchAll(/`(\w+)(?:\([^`]*\))?`/g)].map((match) => match[1]));
  expect(exported.filter((one) => !described.has(one))).toEqual([]);
});
