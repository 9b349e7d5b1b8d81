import { chmodSync, copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { findPerl } from '../../src/oci/perl.ts';
import { requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';

const folder = mkdtempSync(join(tmpdir(), 'seccompc-perl-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const refusal = (...places: string[]) => {
  try {
    return findPerl(places);
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return error.message;
  }
};

describe.skipIf(skipWithout(requirements(['perl'])))('perl', () => {
  it('is taken from a folder that belongs to root', () => {
    expect(refusal('/nonexistent/perl', '/usr/bin/perl')).toBe('/usr/bin/perl');
  });

  it('is not taken where somebody else could replace it, nor through a link there', () => {
    // The folder for temporary files is everybody's.
    copyFileSync('/usr/bin/perl', join(folder, 'copy'));
    chmodSync(join(folder, 'copy'), 0o755);
    symlinkSync('/usr/bin/perl', join(folder, 'link'));
    for (const name of ['copy', 'link'])
      expect(refusal(join(folder, name))).toMatch(
        /does not belong to root|can be written by users other than root/,
      );
    expect(refusal(join(folder, 'copy'), '/usr/bin/perl')).toBe('/usr/bin/perl');
  });

  it('is named with the reason when there is none', () => {
    expect(refusal('/nonexistent/perl', '/usr/bin')).toMatch(/LOADER_MISSING/);
  });
});
