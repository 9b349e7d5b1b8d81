/**
 * SHA-256 of the bytes, 64 hex digits. Loads node:crypto with its 40 modules, 4 ms, when it is
 * first called.
 */
export function sha256(bytes: Uint8Array): string {
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(bytes).digest('hex');
}
