/** Running the command without root's rights, also where the tests run as root. */
import { spawnSync } from 'node:child_process';
import { MAIN } from './run.ts';

const NOBODY = 65534;

/** Options for spawn: another user where we are root. */
export function asOrdinaryUser(): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
}

/**
 * Whether such a user can run the command at all: not where the project stands in a folder that
 * only root may enter, as root's own. That is no fault of the machine, so it is told, and no more.
 */
export function isForOrdinaryUsers(): boolean {
  const { status } = spawnSync(process.execPath, [MAIN, '--version'], { cwd: '/', ...asOrdinaryUser() });
  if (status !== 0) console.warn(`NOT CHECKED as another user: only root can read ${MAIN}`);
  return status === 0;
}
