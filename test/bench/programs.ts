/** The C programs of the benchmark, and the files they are given. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Builds `kernel`, or what stands on a libseccomp. */
export function build(what: 'kernel' | 'newest' | 'system'): { folder: string } | { missing: string } {
  const built = spawnSync('test/bench/build.sh', [what], { encoding: 'utf8', timeout: 300_000 });
  process.stderr.write(built.stderr);
  if (built.status !== 0) return { missing: built.stderr.trim() || `test/bench/build.sh ${what} failed` };
  return { folder: built.stdout.trim() };
}

/** The numbers on each line that a program prints. @throws Error with its words when it fails */
export function linesOf(program: string, args: string[], input = ''): number[][] {
  const run = spawnSync(program, args, { input, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 1_800_000 });
  if (run.status !== 0) throw new Error(`${program}: ${run.stderr.trim() || (run.signal ?? run.status)}`);
  return run.stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
}

export interface Folder {
  /** Writes a file of that name and returns its path. */
  write(name: string, content: Uint8Array | string): string;
  path(name: string): string;
  remove(): void;
}

export function temporaryFolder(): Folder {
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-bench-'));
  const path = (name: string) => join(folder, name);
  return {
    path,
    write: (name, content) => {
      writeFileSync(path(name), content);
      return path(name);
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
