import type { ProgramImage } from './program.ts';

/** Lower-case hexadecimal, one instruction (16 digits) a line. */
export function toHex({ bytes }: ProgramImage): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  let text = '';
  for (let at = 0; at < digits.length; at += 8) text += `${digits.slice(at, at + 8).join('')}\n`;
  return text;
}

/** Standard base64 with padding on one line: what crun's annotation and most APIs take. */
export function toBase64({ bytes }: Pick<ProgramImage, 'bytes'>): string {
  return `${encodeBase64(bytes)}\n`;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648 section 4. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b, c] = [bytes[at]!, bytes[at + 1], bytes[at + 2]];
    text += ALPHABET[a >> 2]! + ALPHABET[((a & 3) << 4) | ((b ?? 0) >> 4)]!;
    text += b === undefined ? '=' : ALPHABET[((b & 15) << 2) | ((c ?? 0) >> 6)]!;
    text += c === undefined ? '=' : ALPHABET[c & 63]!;
  }
  return text;
}

/**
 * Undefined when the text is not base64: another character, a length that leaves a remainder, padding in the
 * wrong place, or bits set behind the last byte. White space is skipped, as tools break the line anywhere.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const compact = text.replaceAll(/\s+/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined;
  const digits = compact.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    held = (held << 6) | ALPHABET.indexOf(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = held >> bits;
    held &= (1 << bits) - 1;
  }
  return held === 0 ? bytes : undefined;
}
