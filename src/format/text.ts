/** Lower-case hexadecimal, one instruction (16 digits) a line. */
export function toHex(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replaceAll(/.{16}/g, '$&\n');
}

/** Base64 with padding on one line (RFC 4648 section 4), for crun's annotation and most APIs. */
export function encodeBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/**
 * Undefined if the text is not base64: another character, a wrong length, misplaced padding, or
 * bits after the last byte. White space is skipped, because tools break lines anywhere.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const compact = text.replaceAll(/\s+/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined;
  const bytes = Uint8Array.from(atob(compact), (character) => character.charCodeAt(0));
  return encodeBase64(bytes) === compact ? bytes : undefined;
}
