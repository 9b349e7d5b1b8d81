import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { findPerl } from '../../src/oci/process/perl.ts';
import { requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';

const PERL = '/usr/bin/perl';
const folder = mkdtempSync(join(tmpdir(), 'seccompc-perl-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** The path that was found, or the message. */
const found = (...places: string[]) => {
  try {
    return findPerl(places);
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return error.message;
  }
};

describe.skipIf(skipWithout(requirements(['perl'])))('perl', () => {
  it('is the first one that only the caller and root can change', () => {
    expect(found('/nonexistent/perl', PERL)).toBe(realpathSync(PERL));
  });

  it('is not taken where others could replace it, nor by a link there', () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    copyFileSync(PERL, join(open, 'perl'));
    symlinkSync(PERL, join(open, 'link'));
    chmodSync(open, 0o777);
    const writable = join(folder, 'writable');
    copyFileSync(PERL, writable);
    chmodSync(writable, 0o775);
    for (const place of [join(open, 'perl'), join(open, 'link'), writable]) {
      expect(found(place)).toMatch(/can write to it \[LOADER_MISSING\]/);
      expect(found(place, PERL)).toBe(realpathSync(PERL));
    }
  });

  it('is missing with the reason', () => {
    expect(found('/nonexistent/perl')).toMatch(/perl is not at \/nonexistent\/perl \[LOADER_MISSING\]/);
    expect(found(folder)).toMatch(/not a regular file \[LOADER_MISSING\]/);
  });
});
