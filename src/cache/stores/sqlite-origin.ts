/**
 * Which databases seccompc itself has made, on this machine and in this place. A file that was copied, unpacked or restored
 * is another one, even if somebody has copied it over the old one.
 */
import { closeSync, readSync, statSync } from 'node:fs';
import { replaceFile } from '../../fs/replace.ts';
import { openTrusted, readTrusted } from '../../fs/trust.ts';

/** Two numbers in the header of a database, set at random when it is made (sqlite.org/fileformat2.html, 1.3). */
export interface Nonce {
  userVersion: number;
  applicationId: number;
}

const HEADER = 100;
const USER_VERSION = 60;
const APPLICATION_ID = 68;

/** Where it is noted, beside the database. */
export const ORIGIN_SUFFIX = '-origin';

/** Whether a file is still to be made, or was made by seccompc here. */
export function isMadeHere(file: string): boolean {
  try {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0) return true;
    const noted = readTrusted(file + ORIGIN_SUFFIX)?.toString();
    return noted !== undefined && noted === identityOf(file, nonceIn(file));
  } catch {
    return false;
  }
}

/** Notes that a file was made here. Where that fails, it is read like one from elsewhere. */
export function noteOrigin(file: string, nonce: Nonce): void {
  try {
    const identity = identityOf(file, nonce);
    if (identity !== undefined) replaceFile(file + ORIGIN_SUFFIX, identity, { mode: 0o600 });
  } catch {}
}

/** What a copy cannot have: the inode and the time when it was made, which nobody can set. */
function identityOf(file: string, { userVersion, applicationId }: Nonce): string | undefined {
  const { ino, birthtimeNs } = statSync(file, { bigint: true });
  const isKnown = birthtimeNs !== 0n && userVersion !== 0 && applicationId !== 0;
  return isKnown ? `${ino} ${birthtimeNs} ${userVersion} ${applicationId}\n` : undefined;
}

function nonceIn(file: string): Nonce {
  const header = Buffer.alloc(HEADER);
  const fd = openTrusted(file);
  try {
    readSync(fd, header, 0, HEADER, 0);
  } finally {
    closeSync(fd);
  }
  return { userVersion: header.readInt32BE(USER_VERSION), applicationId: header.readInt32BE(APPLICATION_ID) };
}
