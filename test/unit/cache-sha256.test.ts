import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';

const openssl = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A process that has hashed nothing yet. */
async function freshSha256() {
  vi.resetModules();
  return (await import('../../src/cache/sha256.ts')).sha256;
}

describe('SHA-256', () => {
  const loads = vi.spyOn(process, 'getBuiltinModule');
  beforeEach(() => void loads.mockClear());

  // FIPS 180-4 pads to whole blocks: every length around their borders.
  test('of every length up to five blocks is that of OpenSSL, without loading it', async () => {
    for (let begin = 0; begin <= 320; begin += 40) {
      const sha256 = await freshSha256();
      for (let length = begin; length < begin + 40; length++) {
        const bytes = Uint8Array.from({ length }, (_, at) => at * 7 + length);
        expect(sha256(bytes)).toBe(openssl(bytes));
      }
    }
    expect(loads).not.toHaveBeenCalled();
  });

  test('of any bytes is that of OpenSSL, whatever was hashed before', async () => {
    let sha256 = await freshSha256();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ size: '+2', maxLength: 9000 }), { minLength: 1, maxLength: 8 }),
        async (parts) => {
          sha256 = await freshSha256();
          for (const part of parts) expect(sha256(part)).toBe(openssl(part));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('is left to OpenSSL when a process hashes much', async () => {
    const sha256 = await freshSha256();
    const part = Buffer.alloc(6000, 'x');
    for (let count = 0; count < 6; count++) expect(sha256(part)).toBe(openssl(part));
    expect(loads).not.toHaveBeenCalled();
    expect(sha256(part)).toBe(openssl(part));
    expect(loads).toHaveBeenCalledWith('node:crypto');
  });

  test('of a large input is left to OpenSSL at once', async () => {
    const sha256 = await freshSha256();
    const large = Buffer.alloc(100_000, 'large');
    expect(sha256(large)).toBe(openssl(large));
    expect(loads).toHaveBeenCalledWith('node:crypto');
  });

  test('is left to OpenSSL where there is no WebAssembly', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    try {
      const sha256 = await freshSha256();
      expect(sha256(Buffer.from('abc'))).toBe(openssl(Buffer.from('abc')));
      expect(loads).toHaveBeenCalledWith('node:crypto');
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
