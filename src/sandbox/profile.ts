import { actionValue, compareSeverity, compareStrictness, SECCOMP_RET_ERRNO } from '../action.ts';
import type { ActionName } from '../action.ts';
import { ociArchName } from '../arch.ts';
import type { Arch } from '../arch.ts';
import { errnoNumber } from '../errno.ts';
import { fail } from '../errors.ts';
import { multiplexed } from '../policy/multiplex.ts';
import type { Seccomp, SyscallArg } from '../profile/types.ts';
import { nearestNames } from '../syscalls/lookup.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import { argsFor, HALF_HINT, halfOf, overlap, testsOn } from './argument-tests.ts';
import type { Tests } from './argument-tests.ts';
import { arg } from './condition.ts';
import type { Condition } from './condition.ts';
import { tablesFor } from './tables.ts';

/** What a call gets. `errno` refuses it, `trap` sends SIGSYS, `kill` ends the process. */
export type Answer = 'allow' | 'log' | 'errno' | 'trap' | 'kill';

export interface Rule {
  readonly answer: Answer;
  /** Of `errno`; that of the policy unless given. */
  readonly errno?: number | string;
  readonly calls: readonly string[];
  /** All of them must hold. */
  readonly conditions: readonly Condition[];
}

export interface Rules {
  readonly otherwise: Answer;
  readonly errno: number | string;
  readonly rules: readonly Rule[];
}

const ACTIONS: Record<Answer, ActionName> = {
  allow: 'SCMP_ACT_ALLOW',
  log: 'SCMP_ACT_LOG',
  errno: 'SCMP_ACT_ERRNO',
  trap: 'SCMP_ACT_TRAP',
  kill: 'SCMP_ACT_KILL_PROCESS',
};
interface Action {
  action: ActionName;
  errnoRet?: number;
  /** As a filter returns it. */
  value: number;
}

/** A rule for one of its calls. */
interface Line {
  text: string;
  call: string;
  action: Action;
  conditional: boolean;
  /** On the architectures that have the call. */
  on: ReadonlyMap<Arch, Tests>;
  /** One for each entry of the profile; undefined if no architecture has the call itself. */
  args: SyscallArg[][] | undefined;
  /** Not written by the author. */
  implied?: true;
}

/**
 * The profile that rules are, for architectures of one filter: every call that a rule matches gets
 * its answer, on each of them.
 * @throws SeccompcError POLICY_RULE, POLICY_CONFLICT for what a profile cannot say
 */
export function profileOf({ otherwise, errno, rules }: Rules, arches: readonly Arch[]): Seccomp {
  const tables = tablesFor(arches.map(({ name }) => name));
  const actionOf = ({ answer, errno: own = errno }: Pick<Rule, 'answer' | 'errno'>, text: string): Action => {
    const action = ACTIONS[answer];
    if (answer !== 'errno') return { action, value: actionValue(action) };
    const [errnoRet, other] = new Set(
      arches.map(({ errnos }) => (typeof own === 'number' ? own : errnoNumber(own, errnos))),
    );
    if (other !== undefined)
      fail('POLICY_RULE', { rule: text, reason: `the architectures have several numbers for ${own}` });
    if (errnoRet === undefined || !Number.isInteger(errnoRet) || errnoRet < 1 || errnoRet > 4094)
      fail('POLICY_RULE', {
        rule: text,
        reason: `${own} is no errno: give a name such as EPERM, or 1 to 4094`,
      });
    return { action, errnoRet, value: actionValue(action, errnoRet) };
  };
  const usual = actionOf({ answer: otherwise }, 'the default');
  const lineOf = (rule: Rule, call: string): Line => {
    const text = ruleText(rule, call);
    const on = new Map(
      arches
        .filter(({ name }) => tables.of(name).numberOf(call) !== undefined)
        .map((arch) => [arch, testsOn(arch, call, rule.conditions, text)]),
    );
    const args = on.size > 0 ? argsFor(on, text) : undefined;
    const action = actionOf(rule, text);
    const wide = [...on].find(([, tests]) => [...tests.values()].some(({ wider }) => wider))?.[0];
    if (wide !== undefined && compareStrictness(action.value, usual.value) > 0)
      fail('POLICY_RULE', { rule: text, reason: halfOf(wide) }, { hint: HALF_HINT });
    return { text, call, action, conditional: rule.conditions.length > 0, on, args };
  };

  for (const rule of rules) for (const call of rule.calls) refuseUnknown(call, rule, tables);
  const written = rules.flatMap((rule) => rule.calls.map((call) => lineOf(rule, call)));
  const implied = impliedBy(written, usual, arches).map((rule): Line => ({
    ...lineOf(rule, rule.calls[0]!),
    implied: true,
  }));
  // libseccomp takes a rule without conditions as the one that decides only if it comes first.
  const lines = [...implied, ...written].toSorted((a, b) => Number(a.conditional) - Number(b.conditional));
  refuseConflicts(lines);

  const syscalls = lines
    // The default, which every runtime leaves out.
    .filter(({ action }) => action.value !== usual.value)
    .filter(({ call, args, conditional }) =>
      args === undefined ? !conditional && arches.some((arch) => multiplexed(call, arch)) : true,
    )
    .flatMap(({ call, action: { action, errnoRet }, args }) =>
      (args ?? [[]]).map((list) => ({
        names: [call],
        action,
        ...(errnoRet === undefined ? {} : { errnoRet }),
        args: list,
        pointer: '',
      })),
    );
  return {
    defaultAction: usual.action,
    ...(usual.errnoRet === undefined ? {} : { defaultErrnoRet: usual.errnoRet }),
    architectures: arches.map(({ name }) => ({ name: ociArchName(name), pointer: '' })),
    flags: undefined,
    syscalls: joined(syscalls),
    pointer: '',
  };
}

function ruleText({ answer, errno, conditions }: Rule, call: string): string {
  const [word, ...first] =
    answer === 'errno' ? (errno === undefined ? ['deny'] : ['errno', `"${errno}"`]) : [answer];
  return `${word}(${[...first, `"${call}"`, ...conditions.map(({ text }) => text)].join(', ')})`;
}

function refuseUnknown(call: string, rule: Rule, tables: SyscallTables): void {
  if (tables.isKnown(call)) return;
  const [near] = nearestNames(call, 1);
  const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` };
  fail('POLICY_RULE', { rule: ruleText(rule, call), reason: 'there is no such system call' }, hint);
}

/**
 * What a profile does not say of calls that also go through socketcall or ipc, whose arguments a
 * filter cannot read: what is refused by its arguments is refused outright there; if a call is
 * allowed by its arguments, all of socketcall or ipc is refused, because runtimes would allow that
 * call whatever its arguments are.
 */
function impliedBy(written: readonly Line[], usual: Action, arches: readonly Arch[]): Rule[] {
  const rules: Rule[] = [];
  const whole = new Set<string>();
  const refused = new Map<string, number>();
  for (const { call, action, conditional, text } of written) {
    const through = arches.map((arch) => multiplexed(call, arch)).find((found) => found !== undefined);
    if (through === undefined || action.value === usual.value) continue;
    const { by, call: number } = through;
    const isOutright = (line: Line) =>
      line.call === by && !line.conditional && isRefusal(line.action) && line.action.value !== usual.value;
    if (written.some(isOutright)) continue;
    if (compareStrictness(action.value, usual.value) > 0) {
      if (conditional) whole.add(by);
      continue;
    }
    const other = refused.get(call);
    if (other !== undefined && other !== action.value) whole.add(by);
    if (other === undefined) {
      const answer = (Object.keys(ACTIONS) as Answer[]).find((each) => ACTIONS[each] === action.action)!;
      const errno = action.errnoRet === undefined ? {} : { errno: action.errnoRet };
      rules.push({ answer, ...errno, calls: [by], conditions: [{ ...arg(0).is(number), text }] });
    }
    refused.set(call, action.value);
  }
  const kept = rules.filter(({ calls: [by] }) => !whole.has(by!));
  // A rule with the answer of the default would be left out.
  const errno =
    usual.value === actionValue('SCMP_ACT_ERRNO', errnoNumber('ENOSYS', arches[0]!.errnos))
      ? 'EPERM'
      : 'ENOSYS';
  return [
    ...kept,
    ...[...whole].map((by): Rule => ({ answer: 'errno', errno, calls: [by], conditions: [] })),
  ];
}

function isRefusal({ value }: Action): boolean {
  return compareSeverity(value, SECCOMP_RET_ERRNO) <= 0;
}

/** Runtimes do not agree on what two rules with different answers for one call mean. */
function refuseConflicts(lines: readonly Line[]): void {
  for (const [at, first] of lines.entries())
    for (const second of lines.slice(at + 1)) {
      if (first.call !== second.call || first.action.value === second.action.value) continue;
      if ((first.implied || second.implied) && isRefusal(first.action) && isRefusal(second.action)) continue;
      const arch = [...first.on.keys()].find((each) => overlap(first.on.get(each)!, second.on.get(each)));
      if (arch === undefined) continue;
      fail('POLICY_CONFLICT', { first: first.text, second: second.text, arch: arch.name });
    }
}

/** Neighbours that differ in their names only become one entry. */
function joined(
  entries: readonly (Seccomp['syscalls'][number] & { names: string[] })[],
): Seccomp['syscalls'] {
  const result: (Seccomp['syscalls'][number] & { names: string[] })[] = [];
  for (const entry of entries) {
    const last = result.at(-1);
    const isSame =
      last !== undefined &&
      entry.args.length + last.args.length === 0 &&
      last.action === entry.action &&
      last.errnoRet === entry.errnoRet;
    if (!isSame) result.push(entry);
    else if (!last.names.includes(entry.names[0]!)) last.names.push(entry.names[0]!);
  }
  return result;
}
