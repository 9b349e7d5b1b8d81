/**
 * Assertions about a filter as people write them: `deny socket(AF_ALG)`,
 * `errno ENOSYS clone3 on x86_64`.
 */
import { parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { diagnostic, SeccompcError } from '../errors.ts';

/** What every call must get. */
export const VERBS = ['allow', 'deny', 'kill', 'trap', 'notify', 'trace', 'log', 'errno'] as const;
export type Verb = (typeof VERBS)[number];

/** How the filter must relate to another one. */
const RELATIONS = ['at-most', 'at-least', 'same-as'] as const;
export type RelationName = (typeof RELATIONS)[number];

/** A test of one argument, with constants as written. */
export interface ArgumentPattern {
  /** By name (`flags`, `arg0`); otherwise the place in the list counts. */
  name?: string;
  comparator: '==' | '!=' | '<' | '<=' | '>' | '>=' | '&';
  mask?: string;
  value: string;
}

export interface CallPattern {
  name: string;
  /** Undefined for `_`, which is any value. */
  args: (ArgumentPattern | undefined)[];
}

export type Claim =
  | { kind: 'answer'; verb: Verb; errno?: string; calls: CallPattern[]; on?: ArchName[] }
  | { kind: 'relation'; relation: RelationName; file: string; except: CallPattern[] }
  /** No call of the architecture is executed. */
  | { kind: 'no-effect-on'; arches: ArchName[] };

export interface Assertion {
  /** As written, without a comment. */
  text: string;
  /** Undefined for one that was not read from a file. */
  file: string | undefined;
  /** 1-based. */
  line: number;
  claim: Claim;
}

/** One assertion a line; `#` starts a comment. @throws SeccompcError ASSERTION_INVALID */
export function parseAssertions(text: string, file?: string): Assertion[] {
  return text.split(/\r?\n/).flatMap((whole, index) => {
    const line = index + 1;
    const written = whole.replace(/(^|\s)#.*/, '').trim();
    if (written === '') return [];
    const place = { text: written, file, line };
    return [{ ...place, claim: parseClaim(written, (reason) => refuseAssertion(place, reason)) }];
  });
}

/** @throws SeccompcError ASSERTION_INVALID */
export function refuseAssertion({ text, file, line }: Omit<Assertion, 'claim'>, reason: string): never {
  const found = diagnostic('ASSERTION_INVALID', { text, reason });
  throw new SeccompcError([{ ...found, ...(file !== undefined && { file, line }) }]);
}

type Refuse = (reason: string) => never;

function parseClaim(text: string, refuse: Refuse): Claim {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  if (word === 'no-effect-on') return { kind: 'no-effect-on', arches: archList(rest, refuse) };
  const relation = RELATIONS.find((each) => each === word);
  if (relation !== undefined) {
    const [file = '', except] = rest.split(/\s+except\s+/);
    if (file === '') refuse(`a file must follow "${word}"`);
    return { kind: 'relation', relation, file, except: except === undefined ? [] : callList(except, refuse) };
  }
  const verb = VERBS.find((each) => each === word);
  if (verb === undefined)
    return refuse(`it starts with none of ${[...VERBS, ...RELATIONS, 'no-effect-on'].join(', ')}`);
  const [what = '', on] = rest.split(/\s+on\s+/);
  const [errno, calls] = verb === 'errno' ? splitErrno(what, refuse) : [undefined, what];
  return {
    kind: 'answer',
    verb,
    ...(errno !== undefined && { errno }),
    calls: callList(calls, refuse),
    ...(on !== undefined && { on: archList(on, refuse) }),
  };
}

function splitErrno(text: string, refuse: Refuse): [string, string] {
  const found = /^(E[A-Z0-9]+|\d+)\s+(.+)$/s.exec(text);
  return found ? [found[1]!, found[2]!] : refuse('an errno and calls must follow "errno"');
}

function archList(text: string, refuse: Refuse): ArchName[] {
  return text.split(',').map((each) => {
    const name = each.trim();
    return parseArch(name) ?? refuse(`there is no architecture "${name}"`);
  });
}

function callList(text: string, refuse: Refuse): CallPattern[] {
  return splitOutside(text).map((each) => {
    const [, name, args] = /^(\w+)\s*(?:\((.*)\))?$/s.exec(each) ?? [];
    if (name === undefined) return refuse(`"${each}" is no call`);
    const patterns = args === undefined || args.trim() === '' ? [] : splitOutside(args);
    return { name, args: patterns.map((pattern) => parsePattern(pattern, refuse)) };
  });
}

/** At commas outside parentheses. */
function splitOutside(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}

function parsePattern(text: string, refuse: Refuse): ArgumentPattern | undefined {
  if (text === '_') return undefined;
  const masked = /^\(?\s*([a-z]\w*)\s*&\s*([^=!<>()]+?)\s*\)?\s*(?:(==|!=)\s*(\S+))?$/.exec(text);
  if (masked) {
    const [, name, mask, comparator, value] = masked;
    if (value === undefined) return { name: name!, comparator: '&', mask: mask!, value: '0' };
    return { name: name!, comparator: comparator as '==' | '!=', mask: mask!, value };
  }
  const compared = /^(?:([a-z]\w*)\s*)?(==|!=|<=|>=|<|>)\s*(\S+)$/.exec(text);
  if (compared) {
    const [, name, comparator, value] = compared;
    return { ...(name !== undefined && { name }), comparator: comparator as '==', value: value! };
  }
  if (/^-?\w+(\s*\|\s*\w+)*$/.test(text)) return { comparator: '==', value: text };
  return refuse(`"${text}" is no argument: write a value, _, or a comparison such as flags & CLONE_NEWUSER`);
}
