/** What a link to the page carries, in its fragment: base64url of JSON, raw deflate. */

export interface Shared {
  text?: string;
  question?: string;
  assertions?: string[];
  target?: object;
  /** What it is compared with: its place in the list of the file, or a text. */
  other?: { index?: number; name?: string; text?: string; target?: object };
  /** The chosen tab. */
  tab?: string;
}

const MOST_BYTES = 4 << 20;
const PREFIX = '#s=';

export async function fragmentOf(shared: Shared): Promise<string> {
  if (Object.values(shared).every((value) => value === undefined)) return '';
  const bytes = await through(
    new TextEncoder().encode(JSON.stringify(shared)),
    new CompressionStream('deflate-raw'),
  );
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return PREFIX + btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Anybody can write a link: what is not of the right form is left out. */
export async function sharedIn(fragment: string): Promise<Shared> {
  if (!fragment.startsWith(PREFIX)) return {};
  try {
    const text = atob(fragment.slice(PREFIX.length).replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const json = new TextDecoder().decode(await through(bytes, new DecompressionStream('deflate-raw')));
    const {
      text: profile,
      question,
      assertions,
      target,
      other,
      tab,
    } = JSON.parse(json) as Record<string, unknown>;
    return {
      ...(typeof profile === 'string' && { text: profile }),
      ...(typeof question === 'string' && { question }),
      ...(Array.isArray(assertions) && {
        assertions: assertions.filter((each) => typeof each === 'string').slice(0, 200),
      }),
      ...(isObject(target) && { target }),
      ...(isObject(other) && { other: sharedOther(other as Record<string, unknown>) }),
      ...(typeof tab === 'string' && { tab }),
    };
  } catch {
    return {};
  }
}

function sharedOther({ index, name, text, target }: Record<string, unknown>): NonNullable<Shared['other']> {
  return {
    ...(typeof index === 'number' && { index }),
    ...(typeof name === 'string' && { name }),
    ...(typeof text === 'string' && { text }),
    ...(isObject(target) && { target }),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > MOST_BYTES) throw new RangeError('too long');
    parts.push(part.value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
