/** Programs by their names, as execvp(3) looks for them. */
import { accessSync, constants, statSync } from 'node:fs';

/** Where a command is, or why it cannot be started, with the exit code that shells have for it. */
export function findCommand(
  word: Buffer,
  environment: readonly Buffer[],
): { path: Buffer } | { reason: string; exitCode: 126 | 127 } {
  const name = word.toString('latin1');
  const variables = environment.map((entry) => entry.toString('latin1'));
  const variable = variables.find((entry) => entry.startsWith('PATH='));
  const path = searchPath(name, variable?.slice('PATH='.length));
  if (path !== undefined) return { path: Buffer.from(path, 'latin1') };
  const exists = name.includes('/') && statSync(word, { throwIfNoEntry: false }) !== undefined;
  return exists
    ? { reason: 'it is not executable', exitCode: 126 }
    : { reason: 'there is no such program', exitCode: 127 };
}

/** The path of a program in our own PATH. */
export function findProgram(name: string): string | undefined {
  const latin1 = (word: string) => Buffer.from(word).toString('latin1');
  const path = process.env['PATH'];
  const found = searchPath(latin1(name), path === undefined ? undefined : latin1(path));
  return found === undefined ? undefined : Buffer.from(found, 'latin1').toString();
}

/** Both texts are latin1, because paths have any encoding. The default is that of execvp(3). */
function searchPath(name: string, path = '/bin:/usr/bin'): string | undefined {
  const places = name.includes('/')
    ? [name]
    : path.split(':').map((folder) => `${folder === '' ? '.' : folder}/${name}`);
  return places.find((place) => {
    const bytes = Buffer.from(place, 'latin1');
    try {
      accessSync(bytes, constants.X_OK);
      return statSync(bytes).isFile();
    } catch {
      return false;
    }
  });
}
