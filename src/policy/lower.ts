import { SECCOMP_RET_KILL_THREAD } from '../action.ts';
import { archOf, X32_SYSCALL_BIT } from '../arch.ts';
import type { Arch } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Seccomp } from '../profile/types.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Target } from '../target.ts';
import { makeCombiner } from './combine.ts';
import type { Combiner, PlaceOf } from './combine.ts';
import { decideCalls } from './decide.ts';
import { reportWithoutEffect } from './effect.ts';
import type { EnosysContext } from './enosys.ts';
import { beyondTable, callsAfter, enosysAction, enosysStub, givesEnosys } from './enosys.ts';
import { MAX_NR, overlay, rangesOf } from './number-ranges.ts';
import { effectiveEntries, reportLostBits, returnValue } from './rules.ts';
import type { EffectiveEntry } from './rules.ts';
import { RUNC_SINCE, runcHas } from './runc.ts';
import type { ArchPolicy, DecisionRange, Policy } from './types.ts';

/** For an architecture outside the filter, with any default action. docs/semantics.md section 3. */
const BAD_ARCH_ACTION = SECCOMP_RET_KILL_THREAD;

/** runc starts a container without a filter; crun refuses. docs/semantics.md section 1.7. */
export function asksForNoFilter(seccomp: Seccomp, target: Target): boolean {
  return target.semantics === 'runc' && seccomp.defaultAction === undefined && seccomp.syscalls.length === 0;
}

/**
 * Decides what a profile means on its architectures.
 *
 * @param arches those of `filterArches`; `tables` holds the table of each.
 * @returns the policy, or undefined if a reported error forbids a filter
 */
export function lowerPolicy(
  seccomp: Seccomp,
  arches: readonly Arch[],
  target: Target,
  tables: SyscallTables,
  report: (d: Diagnostic) => void,
  placeOf: PlaceOf = (place) => place,
): Policy | undefined {
  let failed = false;
  const note = (d: Diagnostic) => {
    failed ||= d.severity === 'error';
    report(d);
  };
  const { pointer } = seccomp;
  if (seccomp.defaultAction === undefined) note(diagnostic('MISSING_DEFAULT_ACTION', {}, { pointer }));
  const action = seccomp.defaultAction ?? 'SCMP_ACT_ERRNO';
  const member = 'defaultErrnoRet';
  const defaultAction = returnValue(action, seccomp.defaultErrnoRet, { pointer, member }, target, note);
  reportListener(seccomp, target, note);
  reportFlags(seccomp, target, note);

  const entries = effectiveEntries(seccomp, defaultAction, target, tables, note);
  reportLostBits(entries, arches, note);
  reportWithoutEffect(entries, arches, tables, defaultAction, note, placeOf);
  reportKill(seccomp, note);
  if (target.enosysAfter !== undefined && !givesEnosys(defaultAction))
    note(diagnostic('ENOSYS_AFTER_NEEDS_DENY', { action }, { pointer: `${pointer}/defaultAction` }));

  const combiner = makeCombiner(defaultAction, target.overlap, note, placeOf);
  const context = { seccomp, target, tables, combiner, entries, defaultAction };
  const policies = groupByAuditArch(arches).map((abis) => archPolicy(abis, context));
  if (failed) return undefined;
  return { endian: archOf(target.arch).endian, badArchAction: BAD_ARCH_ACTION, arches: policies };
}

interface LoweringContext extends EnosysContext {
  combiner: Combiner;
  entries: readonly EffectiveEntry[];
}

/** ABIs that the kernel reports under one `seccomp_data.arch`: X86_64 and X32, else each alone. */
function groupByAuditArch(arches: readonly Arch[]): Arch[][] {
  const groups = new Map<number, Arch[]>();
  for (const arch of arches) {
    const group = groups.get(arch.auditArch);
    if (group) group.push(arch);
    else groups.set(arch.auditArch, [arch]);
  }
  return [...groups.values()];
}

function archPolicy(abis: Arch[], context: LoweringContext): ArchPolicy {
  const { combiner, entries, tables, defaultAction } = context;
  const enosys = (abi: Arch) => combiner.constant(enosysAction(abi));
  const decided = abis.map((abi) => {
    const table = tables.of(abi.name);
    const decisions = decideCalls(entries, abi, table, combiner);
    for (const position of callsAfter(abi, context)) decisions[position] ??= enosys(abi);
    return { numbers: table.numbers, decisions };
  });
  const byDefault = combiner.constant(defaultAction);
  const refused = combiner.constant(BAD_ARCH_ACTION);
  // X32's numbers are all above X86_64's.
  decided.sort((a, b) => a.numbers[0]! - b.numbers[0]!);
  let ranges = rangesOf(decided, byDefault);
  for (const layer of foreignAbi(abis)) ranges = overlay(ranges, { ...layer, decision: refused });
  for (const numbersOf of [beyondTable, enosysStub])
    for (const abi of abis)
      for (const numbers of numbersOf(abi, context))
        ranges = overlay(ranges, { ...numbers, decision: enosys(abi) });
  return { auditArch: abis[0]!.auditArch, abis, ranges };
}

/**
 * The numbers of an ABI that shares the audit arch but is not in the filter, without 0xffffffff, by
 * which a tracer skips a call. docs/semantics.md section 3.
 */
function foreignAbi(abis: readonly Arch[]): Pick<DecisionRange, 'from' | 'to'>[] {
  const names = abis.map((abi) => abi.name);
  if (names.includes('X86_64') && !names.includes('X32')) return [{ from: X32_SYSCALL_BIT, to: MAX_NR - 1 }];
  if (names.includes('X32') && !names.includes('X86_64')) return [{ from: 0, to: X32_SYSCALL_BIT - 1 }];
  return [];
}

/** Flags that runtimes refuse, or that cost the others. docs/semantics.md section 10.1 and 10.2. */
function reportFlags(
  { flags = [], listenerPath, pointer }: Seccomp,
  target: Target,
  report: (d: Diagnostic) => void,
): void {
  for (const [index, flag] of flags.entries()) {
    const where = { pointer: `${pointer}/flags/${index}` };
    if (flag === 'SECCOMP_FILTER_FLAG_NEW_LISTENER' || flag === 'SECCOMP_FILTER_FLAG_TSYNC_ESRCH')
      report(diagnostic('FLAG_REFUSED', { flag }, where));
    const isWait = flag === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV';
    const feature = isWait ? 'WAIT_KILLABLE_RECV' : 'flags';
    const has = runcHas(target, feature);
    if (has === false || (isWait && has === undefined && target.semantics === 'runc')) {
      const values = { flag, release: RUNC_SINCE[feature] };
      report(
        diagnostic('FLAG_NEEDS_RELEASE', values, { ...where, severity: has === false ? 'error' : undefined }),
      );
    } else if (isWait && target.semantics === 'crun' && !listenerPath)
      report(diagnostic('FLAG_NEEDS_LISTENER', { flag }, where));
  }
}

/**
 * Said once: people take SCMP_ACT_KILL for the end of the process. docs/semantics.md section 4.1.
 */
function reportKill({ defaultAction, syscalls, pointer }: Seccomp, report: (d: Diagnostic) => void): void {
  const killer = syscalls.find(({ action }) => action === 'SCMP_ACT_KILL');
  const killing =
    defaultAction === 'SCMP_ACT_KILL' ? `${pointer}/defaultAction` : killer && `${killer.pointer}/action`;
  if (killing !== undefined) report(diagnostic('KILL_IS_THREAD', {}, { pointer: killing }));
}

/** NOTIFY and its listener. docs/semantics.md section 10.3. */
function reportListener(seccomp: Seccomp, target: Target, report: (d: Diagnostic) => void): void {
  const { pointer } = seccomp;
  if (seccomp.defaultAction === 'SCMP_ACT_NOTIFY' && !target.force)
    report(diagnostic('NOTIFY_DEFAULT', {}, { pointer: `${pointer}/defaultAction` }));
  const notifying = seccomp.syscalls.find((entry) => entry.action === 'SCMP_ACT_NOTIFY');
  if (notifying && !seccomp.listenerPath) {
    const isRunc = target.semantics === 'runc';
    const effect = isRunc
      ? 'runc refuses to start the container'
      : 'calls get ENOSYS unless the runtime has another receiver';
    const force = isRunc ? '; --force compiles the profile unchanged' : '';
    const severity = isRunc && !target.force ? 'error' : 'warning';
    const where = { pointer: `${notifying.pointer}/action`, severity } as const;
    report(diagnostic('NOTIFY_WITHOUT_LISTENER', { effect, force }, where));
  }
  if (seccomp.listenerMetadata !== undefined && !seccomp.listenerPath)
    report(diagnostic('LISTENER_METADATA_ALONE', {}, { pointer: `${pointer}/listenerMetadata` }));
}
