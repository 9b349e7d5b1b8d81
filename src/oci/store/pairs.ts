/**
 * The filters of the precreate hook and the runtime, in plain files that awk can read. The store
 * has a directory for each version of the compiler and each target, so a new installation never
 * changes what a running hook reads. The name of a file is the length in bytes of the profiles in
 * it. Each profile has two lines: the text of linux.seccomp, and the filter in base64.
 *
 * A pair decides what containers may do, so the store is a trusted directory (src/fs/trust.ts).
 */
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { COMPILER_REVISION } from '../../cache/key.ts';
import { sha256 } from '../../cache/records/sha256.ts';
import { packageVersion } from '../../cache/version.ts';
import { isTemporaryName, replaceFile } from '../../fs/replace.ts';
import { readTrusted, trustedDirectory } from '../../fs/trust.ts';
import { loadTables } from '../../syscalls/load.ts';
import type { Target } from '../../target.ts';

/** Profiles of one length are few; the oldest pair goes first. */
const PAIRS_PER_FILE = 8;
const MOST_FILES = 256;

const PAIR_FILE = /^[0-9]+$/;
const PAIRS_DIRECTORY = /^pairs-[0-9a-f]{16}-[0-9a-f]{16}$/;

/** The directory of this version for a target, below a store. */
export async function pairsDirectory(store: string, target: Target): Promise<string> {
  // Only the other members of a target matter to a linux.seccomp object.
  const { capabilities: _, kernel: __, engine: ___, ...settings } = target;
  return join(store, `${await versionPrefix()}${shortDigest(settings)}`);
}

/** Whether a directory of {@link pairsDirectory} belongs to this version of the compiler. */
export async function isOfThisVersion(pairs: string): Promise<boolean> {
  return basename(pairs).startsWith(await versionPrefix());
}

async function versionPrefix(): Promise<string> {
  const { digest } = await loadTables([]);
  return `pairs-${shortDigest([packageVersion(), COMPILER_REVISION, digest])}-`;
}

function shortDigest(value: unknown): string {
  return sha256(Buffer.from(JSON.stringify(value))).slice(0, 16);
}

/**
 * Keeps a pair, in place of an older one of the profile.
 * @throws UntrustedPath; the system's error
 */
export async function addPair(pairs: string, profile: string, filter: string): Promise<void> {
  const directory = trustedDirectory(pairs, { make: true });
  const name = String(profile.length);
  // awk reads lines. No JSON has the other character.
  const text = profile.replaceAll('\n', '\u0001');
  const lines = (readTrusted(join(directory, name))?.toString('latin1') ?? '').split('\n');
  const kept: string[] = [text, filter];
  for (let at = 0; at + 1 < lines.length && kept.length < 2 * PAIRS_PER_FILE; at += 2)
    if (lines[at] !== text) kept.push(lines[at]!, lines[at + 1]!);
  await makeRoom(directory);
  replaceFile(join(directory, name), Buffer.from(`${kept.join('\n')}\n`, 'latin1'), { mode: 0o600 });
}

/** Counts the files of pairs in a trusted directory. @throws UntrustedPath; the system's error */
export async function countPairFiles(pairs: string): Promise<number> {
  return (await pairFiles(trustedDirectory(pairs))).length;
}

/**
 * Removes what this module has put into a store, and the store if nothing else is in it. Gives what
 * is left.
 */
export async function removeStore(store: string): Promise<string[]> {
  for (const name of await readdir(store).catch(() => [])) {
    if (!PAIRS_DIRECTORY.test(name)) continue;
    const directory = join(store, name);
    for (const file of await readdir(directory))
      if (PAIR_FILE.test(file) || isTemporaryName(file)) await rm(join(directory, file), { force: true });
    await rmdir(directory).catch(() => {});
  }
  await rmdir(store).catch(() => {});
  return readdir(store).catch(() => []);
}

async function pairFiles(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => PAIR_FILE.test(name));
}

async function makeRoom(directory: string): Promise<void> {
  const names = await pairFiles(directory);
  if (names.length < MOST_FILES) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(join(directory, name))).mtimeMs })),
  );
  aged.sort((a, b) => a.time - b.time);
  for (const { name } of aged.slice(0, MOST_FILES / 2)) await rm(join(directory, name), { force: true });
}
