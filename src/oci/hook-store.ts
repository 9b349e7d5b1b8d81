/**
 * The filters that the precreate hook has at hand, in plain files that awk can read: each is named by the length in
 * bytes of the profiles in it, and has two lines for each of them, the text of linux.seccomp and the filter in base64.
 * Only the owner may write there: whoever could put a pair in would decide what containers may do.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { secureFile } from '../cache/folder.ts';
import { COMPILER_REVISION } from '../cache/key.ts';
import { packageVersion } from '../cache/version.ts';
import { loadTables } from '../syscalls/load.ts';
import type { Target } from '../target.ts';
import { PRECREATE_AWK } from './precreate-awk.ts';
import { replaceWith } from './replace-file.ts';

const MADE_BY = 'made-by';
const AWK_PROGRAM = 'precreate.awk';
/** Profiles of one length are few; what a host no longer uses goes first. */
const PAIRS_PER_FILE = 8;
const LARGEST_COUNT = 256;

export interface HookStore {
  readonly folder: string;
  readonly awkProgram: string;
  /** Makes it, empties it of what another version has made, and writes the awk program. @throws Error, CacheFault */
  prepare(): Promise<void>;
  /** Keeps a pair; of a profile that was there, the new filter. @throws Error, CacheFault */
  add(profile: string, filter: string): Promise<void>;
  /** How many files of pairs, and whether this version made them. */
  state(): Promise<{ files: number; current: boolean }>;
  /** Removes everything that this module has put there, and the folder if nothing else is in it. */
  remove(): Promise<void>;
}

/** @param target What the filters in it are compiled for; needed to add one. */
export function hookStore(folder: string, target?: Target): HookStore {
  const madeBy = join(folder, MADE_BY);
  const files = async () => (await readdir(folder)).filter((name) => /^[0-9]+$/.test(name));
  const madeByNow = async () => (await readFile(madeBy, 'utf8').catch(() => '')).split('\n');

  /** Pairs of another version, or for other options, must not outlive the change. */
  async function renew(): Promise<void> {
    secureFile(madeBy);
    const lines = [await build(), settingsOf(target)];
    if ((await madeByNow()).slice(0, 2).join() === lines.join()) return;
    for (const name of await files()) await rm(join(folder, name));
    await put(MADE_BY, `${lines.join('\n')}\n`);
  }

  const put = (name: string, content: string) =>
    replaceWith(join(folder, name), Buffer.from(content, 'latin1'), 0o600);

  async function makeRoom(): Promise<void> {
    const names = await files();
    if (names.length < LARGEST_COUNT) return;
    const aged = await Promise.all(
      names.map(async (name) => ({ name, time: (await stat(join(folder, name))).mtimeMs })),
    );
    aged.sort((a, b) => a.time - b.time);
    for (const { name } of aged.slice(0, LARGEST_COUNT / 2)) await rm(join(folder, name), { force: true });
  }

  return {
    folder,
    awkProgram: join(folder, AWK_PROGRAM),
    async prepare() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await renew();
      await put(AWK_PROGRAM, PRECREATE_AWK);
    },
    async add(profile, filter) {
      // A line of awk's would end there.
      if (profile.includes('\n')) return;
      await renew();
      const name = String(profile.length);
      const lines = (await readFile(join(folder, name), 'latin1').catch(() => '')).split('\n');
      const pairs: string[] = [profile, filter];
      for (let at = 0; at + 1 < lines.length && pairs.length < 2 * PAIRS_PER_FILE; at += 2)
        if (lines[at] !== profile) pairs.push(lines[at]!, lines[at + 1]!);
      await makeRoom();
      await put(name, `${pairs.join('\n')}\n`);
    },
    async state() {
      return { files: (await files()).length, current: (await madeByNow())[0] === (await build()) };
    },
    async remove() {
      const names = await readdir(folder).catch(() => []);
      const ours = names.filter((name) =>
        /^(?:[0-9]+|made-by|precreate\.awk|\..+\.[0-9]+-[0-9a-f]{8})$/.test(name),
      );
      for (const name of ours) await rm(join(folder, name), { force: true });
      if (ours.length === names.length) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What of this program decides on the bytes of a filter. */
async function build(): Promise<string> {
  return `seccompc ${packageVersion()}, revision ${COMPILER_REVISION}, tables ${(await loadTables([])).digest}`;
}

/** What of a target bears on a linux.seccomp object. */
function settingsOf(target: Target | undefined): string {
  if (target === undefined) return '';
  const { capabilities: _, kernel: __, engine: ___, ...rest } = target;
  return JSON.stringify(rest);
}
