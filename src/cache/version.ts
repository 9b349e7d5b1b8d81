import { readFileSync } from 'node:fs';
import { membersOf } from './members.ts';

let version: string | undefined;

/** The version in package.json, which stands two folders above this module in the sources and in the build. */
export function packageVersion(): string {
  if (version === undefined) {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    version = String(membersOf(JSON.parse(text))?.get('version'));
  }
  return version;
}
