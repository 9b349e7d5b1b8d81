import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { decodeBase64 } from '../format/text.ts';
import { foreignText } from '../profile/foreign.ts';
import { decodeUtf8 } from '../profile/json-text.ts';
import { MAX_BYTES, parseJson } from '../profile/json.ts';
import { blankComments } from './jsonc.ts';
import { refuse } from './layer.ts';
import type { Layer } from './layer.ts';
import { profileInside } from './places.ts';

/**
 * Profiles as people have them: in the output of a command that shows a container, in base64, in
 * YAML. Only for commands whose result stands alone. Where a runtime reads the same file, only what
 * the runtime reads is accepted.
 */
export interface ProfileText {
  bytes: Uint8Array;
  /** The name of the input for messages; it tells if positions are those of a decoded text. */
  file: string;
  /** Where the profile was found, one note for each layer. */
  notes: Diagnostic[];
}

/** Base64 in a data: URL in a JSON string, and one more. */
const MAX_LAYERS = 4;

/** @throws SeccompcError for a layer that cannot be taken off, or that holds several profiles */
export async function openProfileText(
  bytes: Uint8Array,
  { file, jsonc = false }: { file: string; jsonc?: boolean },
): Promise<ProfileText> {
  const text = bytes.length > MAX_BYTES ? undefined : decodeUtf8(bytes)?.replace(/^\uFEFF/, '');
  if (text === undefined) return { bytes, file, notes: [] };
  const name = file === '-' ? '<stdin>' : file;
  const found = { text, file, notes: [] as Diagnostic[] };
  for (let count = 0; count < MAX_LAYERS; count += 1) {
    if (jsonc) found.text = blankComments(found.text);
    const layer = await layerOf(found.text, found.file);
    if (layer === undefined) break;
    const { where, pointer, hint } = layer;
    found.notes.push({ ...diagnostic('PROFILE_FOUND', { where }, { pointer, hint }), file: found.file });
    found.text = layer.text;
    if (layer.moved) found.file = `${name} (decoded)`;
  }
  const changed = found.text !== text || found.notes.length > 0;
  return { ...found, bytes: changed ? new TextEncoder().encode(found.text) : bytes };
}

async function layerOf(text: string, file: string): Promise<Layer | undefined> {
  if (/^\s*[{[]/.test(text)) return profileInside(text, file);
  if (/^\s*"/.test(text)) return stringLayer(text);
  switch (foreignText(text)?.coded) {
    case 'base64':
      return base64Layer(text, file);
    case 'data':
      return dataLayer(text, file);
    case 'yaml':
      return { text: (await import('./yaml.ts')).yamlToJson(text, file), where: 'YAML', moved: false };
    case undefined:
      return undefined;
  }
}

function stringLayer(text: string): Layer | undefined {
  const { root, diagnostics } = parseJson(text);
  if (root?.kind !== 'string' || diagnostics.length > 0) return undefined;
  // Any other text is no profile in a string.
  if (!/^\s*[{["]/.test(root.value) && foreignText(root.value)?.coded === undefined) return undefined;
  return { text: root.value, where: 'JSON in a JSON string', moved: true };
}

function base64Layer(text: string, file: string): Layer {
  const bytes = decodeBase64(text);
  const decoded = bytes && decodeUtf8(bytes);
  if (decoded === undefined) refuse(file, 'something like base64 that cannot be decoded to text', CUT);
  return { text: decoded, where: 'base64', moved: true };
}

const CUT = { hint: 'it may be cut off: base64 has a multiple of four characters' };

/** RFC 2397. */
function dataLayer(text: string, file: string): Layer {
  const [, type = '', data = ''] = /^\s*data:([^,]*),(.*?)\s*$/is.exec(text) ?? [];
  const charset = /;charset="?([^;"]*)/i.exec(type)?.[1] ?? 'utf-8';
  if (!/^(utf-?8|us-ascii)$/i.test(charset)) refuse(file, `a data: URL in ${charset}`);
  let decoded: string | undefined;
  try {
    decoded = decodeURIComponent(data);
  } catch {
    refuse(file, 'a data: URL with a wrong % escape');
  }
  if (/;\s*base64$/i.test(type)) return { ...base64Layer(decoded, file), where: 'base64 in a data: URL' };
  return { text: decoded, where: 'in a data: URL', moved: true };
}
