import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The built command, as the package's `bin` names it. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.cjs', import.meta.url));
const LINES = fileURLToPath(new URL('lines.mjs', import.meta.url));
if (!existsSync(MAIN)) throw new Error('dist/ is missing: npm run build');

export interface Result {
  /** null when a signal ended it. */
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

export interface RunOptions {
  /** What standard input holds; empty unless given. */
  input?: string | Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
}

/** A folder of this test file's own, removed at its end. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * The environment of a user who has nothing but a cache folder; no variable of the test's own leaks
 * in.
 */
export function environment(folder: string, changes: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: folder, XDG_CACHE_HOME: join(folder, 'xdg-cache'), ...changes };
}

/** Runs the built command as another process and waits for it. */
export function runIn(folder: string, args: string[], options: RunOptions = {}): Promise<Result> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? folder,
    env: environment(folder, options.env),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A command that refuses its arguments does not read its input.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}

/**
 * Runs the built command once for each of the command lines, without input, all in one process that
 * is started for them.
 */
export async function runEachIn(folder: string, lines: readonly string[][]): Promise<Result[]> {
  const child = spawn(process.execPath, [LINES, MAIN, JSON.stringify(lines)], {
    cwd: folder,
    env: environment(folder),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const results = JSON.parse(await text(child.stdout)) as (Omit<Result, 'stdout'> & { stdout: string })[];
  return results.map((result) => ({ ...result, stdout: Buffer.from(result.stdout) }));
}

/** The one JSON document on standard output. */
export function documentOf({ stdout }: Result): Record<string, unknown> {
  const value: unknown = JSON.parse(stdout.toString());
  if (typeof value !== 'object' || value === null) throw new TypeError('no JSON object');
  return { ...value };
}

/** The codes of the diagnostics in a JSON document. */
export function codesOf(result: Result): unknown[] {
  const { diagnostics } = documentOf(result);
  if (!Array.isArray(diagnostics)) throw new TypeError('no diagnostics');
  return diagnostics.map((found: unknown) =>
    typeof found === 'object' && found !== null && 'code' in found ? found.code : undefined,
  );
}
