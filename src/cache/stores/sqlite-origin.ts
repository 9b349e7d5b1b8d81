/**
 * Which databases seccompc itself has made, on this machine and in this place. A file that was
 * copied, unpacked or restored is another one, even if somebody has copied it over the old one.
 */
import { readSync, statSync } from 'node:fs';
import { replaceFile } from '../../fs/replace.ts';
import { readTrusted } from '../../fs/trust.ts';
import { withFile } from './trusted.ts';

/** Two random numbers in the header of a database (sqlite.org/fileformat2.html, 1.3). */
export type Nonce = readonly [userVersion: number, applicationId: number];

const HEADER = 100;
const USER_VERSION = 60;
const APPLICATION_ID = 68;

/** The note about a database is a file beside it. */
export const ORIGIN_SUFFIX = '-origin';

/** Whether a file is still to be made, or was made by seccompc here. */
export function isMadeHere(file: string): boolean {
  try {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0) return true;
    const noted = readTrusted(file + ORIGIN_SUFFIX)?.toString();
    const nonce = withFile(file, nonceIn);
    return noted !== undefined && nonce !== undefined && noted === identityOf(file, nonce);
  } catch {
    return false;
  }
}

/** Notes that a file was made here. If that fails, it is read like one from elsewhere. */
export function noteOrigin(file: string, nonce: Nonce): void {
  try {
    const identity = identityOf(file, nonce);
    if (identity !== undefined) replaceFile(file + ORIGIN_SUFFIX, identity, { mode: 0o600 });
  } catch {}
}

/** What a copy cannot have: the inode and the time of creation, which nobody can set. */
function identityOf(file: string, nonce: Nonce): string | undefined {
  const { ino, birthtimeNs } = statSync(file, { bigint: true });
  const isKnown = birthtimeNs !== 0n && !nonce.includes(0);
  return isKnown ? `${ino} ${birthtimeNs} ${nonce.join(' ')}\n` : undefined;
}

function nonceIn(fd: number): Nonce {
  const header = Buffer.alloc(HEADER);
  readSync(fd, header, 0, HEADER, 0);
  return [header.readInt32BE(USER_VERSION), header.readInt32BE(APPLICATION_ID)];
}
