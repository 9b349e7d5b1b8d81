import { collector, diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { buildDocker, buildSeccomp } from './build.ts';
import { foreignBytes, foreignText } from './foreign.ts';
import type { Foreign } from './foreign.ts';
import { dockerProfileMembers, ociSeccompMembers } from './generated/members.ts';
import { dockerProfileValidator, ociSeccompValidator } from './generated/validators.ts';
import { MAX_LENGTH, parseJson } from './json.ts';
import type { JsonDocument, JsonNode } from './json.ts';
import { byPlace, JsonText } from './json-text.ts';
import { knownMembers } from './members.ts';
import { offsetOf } from './place.ts';
import { plainProfile } from './plain.ts';
import type { PlainProfile } from './plain.ts';
import { find } from './pointer.ts';
import { recognise, strayKeys } from './recognise.ts';
import type { Profile } from './types.ts';
import { exactValue, isAbsentAction, MAX_FAULTS, validate } from './validate.ts';

export interface ReadOptions {
  /** Name of the input for messages; `-` for stdin. */
  file: string;
}

/**
 * Reads a profile of any form and says everything that is wrong with it, each fault with its place. Never throws
 * for what it reads. With faults the profile is partial, for other stages to look for more; it must not be compiled.
 * It is undefined when the document is none, is something else, or has no usable default action.
 */
export function parseProfile(
  input: string | Uint8Array,
  { file }: ReadOptions,
): { profile?: Profile; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  const collect = collector(diagnostics);
  const profile = read(input, file, (found) => collect({ ...found, file }));
  if (profile === undefined) return { diagnostics };
  return { profile: { ...profile, diagnostics: [...diagnostics] }, diagnostics };
}

/** Like {@link parseProfile}. @throws SeccompcError with all faults when there is an error among them. */
export function readProfile(input: string | Uint8Array, options: ReadOptions): Profile {
  const { profile, diagnostics } = parseProfile(input, options);
  if (profile === undefined || diagnostics.some(({ severity }) => severity === 'error'))
    throw new SeccompcError(diagnostics);
  return profile;
}

type Report = (found: Diagnostic) => void;

function read(input: string | Uint8Array, file: string, report: Report): Profile | undefined {
  const source = textOf(input, report);
  if (source === undefined) return undefined;
  const plain = plainProfile(source);
  if (plain) return readPlain(plain, source, file);
  const notJson = foreignText(source);
  if (notJson) {
    refuse(notJson, report);
    return undefined;
  }
  const document = parseJson(source);
  document.diagnostics.forEach(report);
  const { root } = document;
  return root && readDocument({ ...document, root }, file, report);
}

/** A profile of which there is nothing to report. */
function readPlain({ form, value }: PlainProfile, source: string, file: string): Profile {
  const common = { file, diagnostics: [], locate: makeLocator(source) };
  const sound = { value, prefix: form === 'config' ? '/linux/seccomp' : '', faults: [] };
  return form === 'docker'
    ? { ...common, dialect: 'docker', form, docker: buildDocker(sound) }
    : { ...common, dialect: 'oci', form, seccomp: buildSeccomp(sound) };
}

/** So many places are looked for one by one; for whoever wants more, the tree with all places is made. */
const FEW_PLACES = 4;

/** Places in a text that is known to be right. */
function makeLocator(source: string): Profile['locate'] {
  const text = new JsonText(source);
  let asked = 0;
  let document: JsonDocument | undefined;
  return (pointer) => {
    if (++asked <= FEW_PLACES) return text.positionAt(offsetOf(source, pointer));
    document ??= parseJson(source);
    return document.positionAt(find(document.root!, pointer).node.offset);
  };
}

/** Decodes UTF-8 and takes a byte order mark off. */
function textOf(input: string | Uint8Array, report: Report): string | undefined {
  let text = input;
  if (typeof text !== 'string') {
    // The decoder makes at least one unit of three bytes.
    if (text.length > 3 * MAX_LENGTH) return tooLarge(report);
    const binary = foreignBytes(text);
    if (binary) return refuse(binary, report);
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
    } catch {
      return refuse({ what: 'a file in another encoding than UTF-8', hint: 'save it as UTF-8' }, report);
    }
  }
  if (!text.startsWith('\uFEFF')) return text;
  report({ ...diagnostic('BYTE_ORDER_MARK', {}, { pointer: '' }), line: 1, column: 1 });
  return text.slice(1);
}

function tooLarge(report: Report): undefined {
  report({ ...diagnostic('JSON_TOO_LARGE', { limit: MAX_LENGTH }, { pointer: '' }), line: 1, column: 1 });
}

function refuse({ what, hint, pointer = '' }: Foreign, report: Report, document?: JsonDocument): undefined {
  const found = diagnostic('NOT_A_PROFILE', { what }, { pointer, ...(hint === undefined ? {} : { hint }) });
  report(document ? placed(found, document) : { ...found, line: 1, column: 1 });
}

function placed(found: Diagnostic, document: JsonDocument): Diagnostic {
  const { root } = document;
  return { ...found, ...(root && document.positionAt(find(root, found.pointer ?? '').node.offset)) };
}

function readDocument(
  document: JsonDocument & { root: JsonNode },
  file: string,
  report: Report,
): Profile | undefined {
  const recognised = recognise(document.root);
  if (recognised.form === 'foreign') return refuse(recognised.foreign, report, document);
  const { form, seccomp } = recognised;
  if (form === 'config') strayKeys(document.root).forEach((found) => report(placed(found, document)));
  const locate = (pointer: string) => document.positionAt(find(document.root, pointer).node.offset);
  const common = { file, diagnostics: [], locate };
  if (seccomp === null) return { ...common, dialect: 'oci', form: 'config', seccomp };

  const prefix = form === 'config' ? '/linux/seccomp' : '';
  const rules =
    form === 'docker'
      ? { known: dockerProfileMembers, reader: 'engine' as const }
      : { known: ociSeccompMembers, reader: 'runtime' as const, dialect: dockerProfileMembers };
  const known = knownMembers(seccomp, rules, { document, pointer: prefix });
  const validator = form === 'docker' ? dockerProfileValidator : ociSeccompValidator;
  const faults = validate(known.node, validator, { document, prefix });
  // Not every fault is known then, so it is not known what of the profile can be used.
  const isHopeless = faults.length === MAX_FAULTS;
  byPlace([...known.diagnostics, ...faults.map((fault) => fault.diagnostic)]).forEach(report);
  if (
    isHopeless ||
    !hasUsableHead(
      known.node,
      faults.map(({ pointer }) => pointer),
    )
  )
    return undefined;

  const sound = { value: exactValue(known.node), prefix, faults: faults.map(({ pointer }) => pointer) };
  return form === 'docker'
    ? { ...common, dialect: 'docker', form, docker: buildDocker(sound) }
    : { ...common, dialect: 'oci', form, seccomp: buildSeccomp(sound) };
}

/** Without a default action that is right or absent, what later stages find would be about another profile. */
function hasUsableHead(tree: JsonNode, faults: readonly string[]): boolean {
  if (tree.kind !== 'object') return false;
  const action = tree.members.find(({ key }) => key === 'defaultAction')?.value;
  return action === undefined || isAbsentAction(action) || !faults.includes('/defaultAction');
}
