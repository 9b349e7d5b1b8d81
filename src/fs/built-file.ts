import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A file of the build, by its path in `dist`: in the nearest directory above this module that has
 * it, because this module can be a source, a module of the library or a part of a bundle.
 */
export function builtFile(path: string): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    for (const file of [join(directory, path), join(directory, 'dist', path)])
      if (existsSync(file)) return file;
    if (directory === dirname(directory))
      throw new Error(`${path} is missing from the package: build it first`);
  }
}
