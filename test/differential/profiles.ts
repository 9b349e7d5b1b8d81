/**
 * The profiles that the slow suites work on: this project's, and real ones where SECCOMPC_CORPUS
 * names a folder.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveProfile } from '../../src/profile/docker.ts';
import { parseProfile } from '../../src/profile/read.ts';
import type { Seccomp } from '../../src/profile/types.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { isDialect, seccompOf } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';

/** Name for the report, and the text. */
export type ProfileFile = readonly [name: string, text: string];

function jsonFiles(folder: string | undefined): ProfileFile[] {
  if (folder === undefined) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => [file, readFileSync(join(folder, file), 'utf8')]);
}

export const ownProfiles = jsonFiles(fileURLToPath(new URL('../../profiles/', import.meta.url)));
export const realProfiles = jsonFiles(process.env['SECCOMPC_CORPUS']);

/**
 * The plain object that a text means for a target: read here when it is plain, resolved when it is
 * a dialect.
 */
export function plainObject(text: string, native: string): OciProfile | undefined {
  if (!isDialect(text)) return seccompOf(text);
  const { profile, diagnostics } = parseProfile(text, { file: 'profile.json' });
  if (profile === undefined || diagnostics.some(({ severity }) => severity === 'error'))
    throw new Error('the reader refused it');
  const { seccomp } = resolveProfile(profile, targetOf({ native }));
  return seccomp === null ? undefined : written(seccomp);
}

/** A resolved profile as the plain object that a runtime would be given. */
function written(seccomp: Seccomp): OciProfile {
  const { defaultAction, defaultErrnoRet, architectures, syscalls } = seccomp;
  return {
    ...(defaultAction === undefined ? {} : { defaultAction }),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet: BigInt(defaultErrnoRet) }),
    architectures: architectures.map(({ name }) => name),
    syscalls: syscalls.map(({ names, action, errnoRet, args }) => ({
      ...(names === undefined ? {} : { names }),
      action,
      ...(errnoRet === undefined ? {} : { errnoRet: BigInt(errnoRet) }),
      args: args.map((arg) => ({ ...arg, index: BigInt(arg.index) })),
    })),
  };
}

/**
 * Nothing readable is in a text, or the evaluator refuses it; `alone`: for the native architecture
 * only.
 */
export function isRefusedByOracle(text: string, native: string, alone = false): boolean {
  try {
    const profile = plainObject(text, native);
    if (profile === undefined) return true;
    const architectures = alone ? { architectures: [] } : {};
    return 'refused' in evaluateProfile({ ...profile, ...architectures }, { native });
  } catch {
    return true;
  }
}
