import { readFileSync } from 'node:fs';
import { BUILD } from './hot/build.ts';
import { membersOf } from './members.ts';

let version: string | undefined;

/** The version in package.json, which stands two folders above this module; the command has it from its build. */
export function packageVersion(): string {
  if (BUILD !== undefined) return BUILD.split(' ', 1)[0]!;
  if (version === undefined) {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    version = String(membersOf(JSON.parse(text))?.get('version'));
  }
  return version;
}
