import type { Seccomp, Profile } from './types.ts';
import type { Diagnostic } from '../errors.ts';
import type { Target } from '../target.ts';
export function resolveProfile(
  profile: Profile,
  _target: Target,
): { seccomp: Seccomp | null; diagnostics: Diagnostic[] } {
  if (profile.dialect === 'oci') return { seccomp: profile.seccomp, diagnostics: [] };
  throw new Error('next step');
}
