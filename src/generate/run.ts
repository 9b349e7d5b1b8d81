import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { editorSchemas } from './editor-schemas.ts';
import { factModules } from './fact-modules.ts';
import type { HeaderFolders } from './headers.ts';
import { machinePrograms } from './machine-programs.ts';
import type { Output } from './output.ts';
import { documentation } from './pages.ts';
import { startsModule } from './starts.ts';
import { syscallModules, type TableFiles } from './syscall-modules.ts';
import { tablesFromHeaders } from './tables-from-headers.ts';
import { systemdGroups } from './systemd-groups.ts';
import { byCodeUnit } from './tsv.ts';
import { validatorOutputs } from './validators.ts';

/** Everything that is generated. One line for each maker, which takes what it needs. */
const MAKERS: readonly ((tables: TableFiles, root: string) => Output[] | Promise<Output[]>)[] = [
  syscallModules,
  factModules,
  validatorOutputs,
  editorSchemas,
  startsModule,
  documentation,
  (_, root) => systemdGroups(root),
  (_, root) => machinePrograms(root),
];

export interface GenerateOptions {
  /** The project's folder. */
  root: string;
  /** Unpacked header packages; without them the tables are taken as they are checked in. */
  headers?: HeaderFolders;
}

/**
 * Makes every generated file in memory.
 * @throws InputError and Error for inputs that are not as they must be.
 */
export async function generate({ root, headers }: GenerateOptions): Promise<Output[]> {
  const files = new Map<string, string>();
  for (const name of readdirSync(join(root, 'syscall-tables')).filter((file) => file.endsWith('.tsv')))
    files.set(name, readFileSync(join(root, 'syscall-tables', name), 'utf8'));
  const tables = headers ? tablesFromHeaders(headers, files) : [];
  for (const { path, content } of tables) files.set(basename(path), content);
  const made: Output[] = [...tables];
  for (const make of MAKERS) made.push(...(await make(files, root)));
  return made.toSorted((a, b) => byCodeUnit(a.path, b.path));
}

/**
 * Paths whose content is not what it would be if generated now, and what has no business in a
 * generated folder.
 */
export function stalePaths(root: string, outputs: readonly Output[]): string[] {
  const changed = outputs.filter(({ path, content }) => contentOf(join(root, path)) !== content);
  return [...changed.map((output) => output.path), ...leftovers(root, outputs)];
}

/** Writes what changed and removes leftovers. Returns the paths it touched. */
export function writeOutputs(root: string, outputs: readonly Output[]): string[] {
  const stale = stalePaths(root, outputs);
  for (const { path, content } of outputs.filter((output) => stale.includes(output.path))) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  for (const path of leftovers(root, outputs)) rmSync(join(root, path));
  return stale;
}

/** Files in folders named `generated` that nothing generates any more. */
function leftovers(root: string, outputs: readonly Output[]): string[] {
  const paths = new Set(outputs.map((output) => output.path));
  const folders = new Set(
    [...paths].map((path) => dirname(path)).filter((path) => basename(path) === 'generated'),
  );
  return [...folders]
    .flatMap((folder) => filesIn(join(root, folder)).map((file) => `${folder}/${file}`))
    .filter((path) => !paths.has(path));
}

function filesIn(folder: string): string[] {
  return ifPresent(() => readdirSync(folder).toSorted(byCodeUnit)) ?? [];
}

function contentOf(path: string): string | undefined {
  return ifPresent(() => readFileSync(path, 'utf8'));
}

function ifPresent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
