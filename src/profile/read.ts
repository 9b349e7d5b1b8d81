import { collector, diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { buildDocker, buildSeccomp } from './build.ts';
import { foreignBytes, foreignText } from './foreign.ts';
import type { Foreign } from './foreign.ts';
import { dockerProfileMembers, ociSeccompMembers } from './generated/members.ts';
import { dockerProfileValidator, ociSeccompValidator } from './generated/validators.ts';
import { MAX_BYTES, MAX_LENGTH, parseJson, valueOf } from './json.ts';
import type { JsonDocument, JsonNode } from './json.ts';
import { byPlace, decodeUtf8 } from './json-text.ts';
import { knownMembers } from './schema-members.ts';
import { find } from './pointer.ts';
import { recognise, strayKeys } from './recognise.ts';
import type { Profile } from './types.ts';
import { isAbsentAction, MAX_FAULTS, validate } from './validate.ts';

export interface ReadOptions {
  /** Name of the input for messages; `-` for stdin. */
  file: string;
  /** Whose reading of a config.json counts where keys differ only in case; crun's unless given. */
  semantics?: 'crun' | 'runc';
}

/**
 * Reads a profile of any form, and reports every fault with its place. Never throws for the input.
 * With faults the profile is partial and must not be compiled; it lets other stages find more
 * faults. It is undefined if the document is something else, or has no usable default action.
 */
export function parseProfile(
  input: string | Uint8Array,
  { file, semantics = 'crun' }: ReadOptions,
): { profile?: Profile; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const collect = collector(diagnostics);
  const report = (found: Diagnostic) => collect({ ...found, file });
  const profile = read(input, { file, semantics }, report);
  if (profile === undefined) return { diagnostics };
  const differs = diagnostics.some(({ code }) => code === 'KEY_CASE_IGNORED' || code === 'KEY_CASE_RUNC');
  const reader = differs ? { reader: semantics } : {};
  return { profile: { ...profile, ...reader, diagnostics: [...diagnostics] }, diagnostics };
}

/** Like {@link parseProfile}. @throws SeccompcError with all faults if one is an error */
export function readProfile(input: string | Uint8Array, options: ReadOptions): Profile {
  const { profile, diagnostics } = parseProfile(input, options);
  if (profile === undefined || diagnostics.some(({ severity }) => severity === 'error'))
    throw new SeccompcError(diagnostics);
  return profile;
}

type Report = (found: Diagnostic) => void;

function read(
  input: string | Uint8Array,
  options: Required<ReadOptions>,
  report: Report,
): Profile | undefined {
  const source = textOf(input, report);
  if (source === undefined) return undefined;
  const notJson = foreignText(source);
  if (notJson) return refuse(notJson, report);
  const document = parseJson(source);
  document.diagnostics.forEach(report);
  const { root } = document;
  return root && readDocument({ ...document, root }, options, report);
}

/** Decodes UTF-8 and takes a byte order mark off. */
function textOf(input: string | Uint8Array, report: Report): string | undefined {
  let text = input;
  if (typeof text !== 'string') {
    if (text.length > MAX_BYTES) {
      report(placed(diagnostic('JSON_TOO_LARGE', { limit: MAX_LENGTH }, { pointer: '' })));
      return undefined;
    }
    const binary = foreignBytes(text);
    if (binary) return refuse(binary, report);
    const decoded = decodeUtf8(text);
    if (decoded === undefined)
      return refuse({ what: 'a file in another encoding than UTF-8', hint: 'save it as UTF-8' }, report);
    text = decoded;
  }
  if (!text.startsWith('\uFEFF')) return text;
  report(placed(diagnostic('BYTE_ORDER_MARK', {}, { pointer: '' })));
  return text.slice(1);
}

function refuse({ what, hint, pointer = '' }: Foreign, report: Report, document?: JsonDocument): undefined {
  report(placed(diagnostic('NOT_A_PROFILE', { what }, { pointer, hint }), document));
}

/** Adds the position of the pointer, or the start of the text without a document. */
function placed(found: Diagnostic, document?: JsonDocument): Diagnostic {
  if (document?.root === undefined) return { ...found, line: 1, column: 1 };
  return { ...found, ...document.positionAt(find(document.root, found.pointer ?? '').node.offset) };
}

function readDocument(
  document: JsonDocument & { root: JsonNode },
  { file, semantics }: Required<ReadOptions>,
  report: Report,
): Profile | undefined {
  const recognised = recognise(document.root, semantics);
  if (recognised.form === 'foreign') return refuse(recognised.foreign, report, document);
  const { form } = recognised;
  if (form === 'config')
    strayKeys(document.root, semantics).forEach((found) => report(placed(found, document)));
  const locate = (pointer: string) => document.positionAt(find(document.root, pointer).node.offset);
  const common = { file, diagnostics: [], locate };
  const seccomp = form === 'config' ? recognised.seccomp : [{ node: recognised.seccomp, pointer: '' }];
  if (seccomp.length === 0) return { ...common, dialect: 'oci', form: 'config', seccomp: null };

  const prefix = form === 'config' ? '/linux/seccomp' : '';
  const rules =
    form === 'docker'
      ? { known: dockerProfileMembers, reader: 'engine' as const }
      : { known: ociSeccompMembers, reader: semantics, dialect: dockerProfileMembers };
  const { node, diagnostics } = knownMembers(seccomp, rules, document);
  const validator = form === 'docker' ? dockerProfileValidator : ociSeccompValidator;
  const faults = validate(node, validator, { document, prefix });
  byPlace([...diagnostics, ...faults.diagnostics]).forEach(report);
  // After so many faults the rest was not checked, so nothing of the profile can be used.
  if (faults.pointers.length === MAX_FAULTS || !hasUsableHead(node, faults.pointers)) return undefined;

  const validated = { node, prefix, faults: faults.pointers };
  return form === 'docker'
    ? { ...common, dialect: 'docker', form, docker: buildDocker(validated) }
    : { ...common, dialect: 'oci', form, seccomp: buildSeccomp(validated) };
}

/** With a wrong default action, later stages would report faults of another profile. */
function hasUsableHead(node: JsonNode, faults: readonly string[]): boolean {
  if (node.kind !== 'object') return false;
  const action = valueOf(node, 'defaultAction');
  return action === undefined || isAbsentAction(action) || !faults.includes('/defaultAction');
}
