/**
 * The version in package.json, which a test compares. It is part of every key, and reading the file
 * would find that of another package once this module is bundled into a program.
 */
const VERSION = '0.1.0';

export function packageVersion(): string {
  return VERSION;
}
