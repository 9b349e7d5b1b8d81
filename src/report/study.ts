/** What the page knows of one profile for one target: made anew after each change of its text. */
import type { Arch, ArchName } from '../arch.ts';
import { annotate } from '../bpf/annotate.ts';
import { formatInstruction } from '../bpf/disassemble.ts';
import { run } from '../bpf/interpreter.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import { tablesFor } from '../bpf/tested-arches.ts';
import { runPipeline } from '../compile.ts';
import type { Filter, LoweredProfile } from '../compile.ts';
import { readInput } from '../compile/findings.ts';
import type { FindProgram } from '../compile/lowered.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import { surveyOf } from '../explain/effects.ts';
import { decisionOn, defaultAnswer, explainCall } from '../explain/explain.ts';
import type { Explanation } from '../explain/explain.ts';
import { decisionText } from '../explain/overview.ts';
import { describeCondition, describePart, describeSource } from '../explain/text.ts';
import { parseArgument } from '../format/call.ts';
import { reachedBy } from '../graph/reach.ts';
import { parseJson } from '../profile/json.ts';
import { find } from '../profile/pointer.ts';
import type { Profile } from '../profile/types.ts';
import { describeAnswer } from '../prove/describe.ts';
import { isAlwaysAllowed } from '../prove/program/bitmap.ts';
import { loadCallFacts } from '../syscalls/constants.ts';
import { nameId } from '../syscalls/load.ts';
import { firstRelease } from '../syscalls/since.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Target } from '../target.ts';

/** A call on one architecture. */
export interface Place {
  abi: Arch;
  nr: number;
  isInBitmap: boolean;
  since: string;
  /** Between instructions, as stepBetween writes them. */
  steps: ReadonlySet<number>;
}

/** One call on the architectures that decide it alike. */
export interface Row {
  call: string;
  places: Place[];
  /** The answer (u32) if no condition holds. */
  otherwise: number;
  /** In the order in which they are tried. */
  rules: { action: number; text: string }[];
  /**
   * Pointers of the entries whose rules these are, or of the default action; none if the ENOSYS
   * stub answers.
   */
  entries: string[];
  /** Instructions that its calls can run. */
  reached: Set<number>;
}

/** An entry of `syscalls` in the text, or the default action. */
export interface Entry {
  pointer: string;
  /** UTF-16 offsets. */
  from: number;
  to: number;
  /** 1-based. */
  firstLine: number;
  lastLine: number;
}

export interface Study {
  text: string;
  target: Target;
  profile: Profile;
  lowered: LoweredProfile & { confined: true };
  filter: Filter;
  tables: SyscallTables;
  /** Of each instruction. */
  listing: { text: string; comment: string | undefined }[];
  rows: Row[];
  entries: Entry[];
  /** Pointer of the default action. */
  fallback: string;
}

/** A profile for a target, with its filter. */
export type Compiled = Pick<Study, 'profile' | 'lowered' | 'filter'>;

/** @throws SeccompcError with all faults of the profile, also when it asks for no filter */
export async function compiledFrom(
  text: string,
  { file, target }: { file: string; target: Target },
): Promise<Compiled> {
  await loadCallFacts();
  const { profile, findings } = readInput(text, { file, semantics: target.semantics });
  findings.refuseErrors();
  let lowered: Study['lowered'] | undefined;
  const keep: FindProgram = async (found) => {
    lowered = found;
    return undefined;
  };
  const filter = await runPipeline(profile, { target, file }, { find: keep });
  if (lowered === undefined)
    throw new SeccompcError([...filter.diagnostics, { ...diagnostic('NOT_CONFINED'), file }]);
  return { profile, lowered, filter };
}

/** @throws SeccompcError as {@link compiledFrom} */
export async function studyOf(text: string, options: { file: string; target: Target }): Promise<Study> {
  const { target } = options;
  const { profile, lowered, filter } = await compiledFrom(text, options);
  const root = parseJson(text).root!;
  const fallback = ['/defaultAction', '/linux/seccomp/defaultAction']
    .map((pointer) => find(root, pointer).pointer)
    .find((pointer) => /defaultAction$/i.test(pointer))!;
  const tables = await tablesFor(filter.instructions, target.arch);
  const { instructions, endian } = filter;
  const comments = annotate(instructions, { endian, tables });
  return {
    text,
    target,
    profile,
    lowered,
    filter,
    tables,
    listing: instructions.map((each, index) => ({
      text: formatInstruction(each, index),
      comment: comments[index],
    })),
    rows: rowsOf(lowered, filter, fallback),
    entries: entriesOf(text, profile, fallback),
    fallback,
  };
}

function rowsOf(lowered: Study['lowered'], { instructions, endian }: Filter, fallback: string): Row[] {
  const { arches, policy, reference } = lowered;
  const usual = defaultAnswer(lowered);
  const deciding = new Map(
    surveyOf(lowered).places.map(({ abi, nr, rules, stubbed }) => {
      const always = rules.find(({ conditions }) => conditions.length === 0);
      const used = stubbed ? [] : always === undefined ? rules : [always];
      return [`${abi.name} ${nr}`, [...new Set(used.map(({ entry }) => entry.pointer))]];
    }),
  );
  const rows = new Map<string, Row>();
  for (const abi of arches)
    for (const [nr, call] of reference.tables.of(abi.name).entries()) {
      const decision = decisionOn(policy, { arch: abi.auditArch, nr })!;
      const decided = deciding.get(`${abi.name} ${nr}`) ?? [];
      const isUsual = decided.length === 0 && decision.otherwise === usual;
      const entries = isUsual ? [fallback] : decided;
      const key = JSON.stringify([call, decisionText(decision), entries]);
      const row = rows.get(key) ?? {
        call,
        places: [],
        otherwise: decision.otherwise,
        rules: decision.rules.map(({ conditions, action }) => ({
          action,
          text: conditions.map((each) => describeCondition(each, abi.name, call)).join(' && '),
        })),
        entries,
        reached: new Set(),
      };
      const isInBitmap = isAlwaysAllowed({ program: instructions, endian }, abi.name, {
        arch: abi.auditArch,
        nr,
      });
      const { instructions: reached, steps } = reachedBy(instructions, abi.auditArch, nr);
      row.places.push({ abi, nr, isInBitmap, since: firstRelease(nameId(call), call, abi.table), steps });
      for (const at of reached) row.reached.add(at);
      rows.set(key, row);
    }
  return [...rows.values()].toSorted((a, b) => (a.call < b.call ? -1 : a.call > b.call ? 1 : 0));
}

function entriesOf(text: string, profile: Profile, fallback: string): Entry[] {
  const { root, positionAt } = parseJson(text);
  const seccomp = profile.dialect === 'docker' ? profile.docker : profile.seccomp;
  const entries = (seccomp?.syscalls ?? []).map(({ pointer }) => pointer);
  return [fallback, ...entries].map((pointer) => {
    const { offset: from, end: to } = find(root!, pointer).node;
    return { pointer, from, to, firstLine: positionAt(from).line, lastLine: positionAt(to).line };
  });
}

/** A call as it is asked about: `socket(AF_VSOCK, SOCK_STREAM)`, `clone3`, `read on X86`. */
export interface Question {
  call: string;
  args: string[];
  arch: ArchName | undefined;
}

export interface Answer {
  abi: Arch;
  name: string | undefined;
  data: SeccompData;
  value: number;
  /** `ERRNO EPERM (1)` */
  text: string;
  explanation: Explanation;
  /** What decides, as a sentence. */
  decided: string;
  /** Other entries that name the call, and why they do not decide. */
  others: { pointer: string; why: string }[];
  /** Instructions that ran. */
  path: number[];
  isInBitmap: boolean;
}

/**
 * The answer on one architecture of the filter; undefined if it has no such call.
 * @throws ArgumentError
 */
export function answerTo(study: Study, { call, args }: Question, abi: Arch): Answer | undefined {
  const { profile, lowered, filter } = study;
  const table = lowered.reference.tables.of(abi.name);
  const isNumber = /^(?:\d{1,10}|0x[\da-f]{1,8})$/i.test(call) && Number(call) <= 0xffffffff;
  const nr = isNumber ? Number(call) : table.numberOf(call);
  if (nr === undefined) return undefined;
  const name = table.nameOf(nr);
  const values = args.map((text, index) => parseArgument(abi, name ?? call, index, text));
  const data = {
    arch: abi.auditArch,
    nr,
    ip: 0n,
    args: [0, 1, 2, 3, 4, 5].map((index) => values[index] ?? 0n),
  };
  const explanation = explainCall(profile, lowered, data);
  const { value, path } = run(filter.instructions, data, filter.endian);
  if (value !== explanation.answer) throw new Error('the program and the rules answer differently');
  const { source, entry, considered } = explanation;
  const placeOf = (pointer: string) => `line ${profile.locate(pointer)?.line ?? '?'}`;
  return {
    abi,
    name,
    data,
    value,
    text: describeAnswer(value, abi.name),
    explanation,
    decided: entry === undefined ? describeSource(source, abi.name, true) : `the entry at ${placeOf(entry)}`,
    others: considered
      .filter(({ part }) => part !== 'decides')
      .map((each) => ({
        pointer: each.pointer,
        why: describePart(each, { data, name, arch: abi.name }, placeOf),
      })),
    path,
    isInBitmap: isAlwaysAllowed({ program: filter.instructions, endian: filter.endian }, abi.name, data),
  };
}
