import { archOf, parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { multiplexed } from '../policy/multiplex.ts';
import type { SyscallArg } from '../profile/types.ts';
import { ALLOW, errno, errnoOf, localArches, namesOf, refuse } from './draft.ts';
import type { Answer, Draft, Place, Rule } from './draft.ts';

const KILL: Answer = { action: 'SCMP_ACT_KILL_THREAD' };

const LONGEST_LINE = 1000;

const OPERATORS: Record<string, SyscallArg['op']> = {
  '!=': 'SCMP_CMP_NE',
  '<': 'SCMP_CMP_LT',
  '<=': 'SCMP_CMP_LE',
  '==': 'SCMP_CMP_EQ',
  '>=': 'SCMP_CMP_GE',
  '>': 'SCMP_CMP_GT',
  '&=': 'SCMP_CMP_MASKED_EQ',
};

/**
 * LXC's second version: lxc.container.conf(5) and src/lxc/seccomp.c of LXC. A section only says for
 * which machines its rules are: LXC 5.0.2 gives them to all architectures of the machine.
 */
export function lxcDraft(
  text: string,
  file: string,
  arch: ArchName,
  architectures = localArches(arch),
): Draft & { notes: Diagnostic[] } {
  const [version = '', policy = '', ...lines] = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (version.trim() !== '2')
    refuse(
      { file, line: 1 },
      `version "${version.trim()}" is not read`,
      'write a policy of version 2, with names',
    );
  const { fallback, listed } = policyIn(policy, { file, line: 2 }, arch);
  const rules: Rule[] = [];
  const notes: Diagnostic[] = [];
  let counts = true;
  for (const [index, line] of lines.entries()) {
    const place = { file, line: index + 3 };
    if (line.length > LONGEST_LINE) refuse(place, 'the line is too long');
    if (line.trim() === '' || line.startsWith('#')) continue;
    const section = /^\[(\w+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      const named = section.toLowerCase() === 'all' ? undefined : parseArch(section);
      if (named === undefined && section.toLowerCase() !== 'all')
        refuse(place, `unknown architecture ${line}`);
      counts = named === undefined || localArches(arch).includes(named);
      if (named !== undefined && counts && architectures.length > 1)
        notes.push({ ...diagnostic('IMPORT_SECTION', { section: line }), ...place, column: 1 });
      continue;
    }
    const rule = ruleIn(line, listed, place, arch);
    if (!counts) continue;
    if (rule.action === fallback.action && rule.errno === fallback.errno)
      refuse(place, 'the rule has the default action, at which LXC fails', 'remove it');
    refuseMultiplexed(rule.name, architectures, place);
    rules.push(rule);
  }
  return { fallback, architectures, rules, notes };
}

/** LXC makes no rule where libseccomp has a call behind socketcall or ipc; a runtime makes one. */
function refuseMultiplexed(name: string, arches: ArchName[], place: Place): void {
  const arch = arches.find((each) => multiplexed(name, archOf(each)) !== undefined);
  if (arch !== undefined)
    refuse(
      place,
      `LXC has no rule for ${name} on ${arch}, where it is also reached through ${multiplexed(name, archOf(arch))!.by}`,
      `with --architectures ${arches[0]!.toLowerCase()} the profile has that architecture only, and kills others`,
    );
}

/**
 * `denylist`, `allowlist errno 1`: the action for calls without a rule, and that of rules without
 * an action.
 */
function policyIn(line: string, place: Place, arch: ArchName): { fallback: Answer; listed: Answer } {
  const [, kind, action] = /^(allowlist|whitelist|denylist|blacklist)(?: +(.+?))? *$/.exec(line) ?? [];
  if (kind === undefined)
    return refuse(place, 'the second line must be "allowlist" or "denylist", with an action or without');
  const [fallback, listed] = /^(allow|white)/.test(kind) ? [KILL, ALLOW] : [ALLOW, KILL];
  return { fallback: action === undefined ? fallback : answerIn(action, place, arch), listed };
}

/** MNT_FORCE of umount2, which LXC has a word of its own for. */
const NO_FORCE: SyscallArg[] = [{ index: 1, value: 1n, valueTwo: 1n, op: 'SCMP_CMP_MASKED_EQ' }];

function ruleIn(line: string, listed: Answer, place: Place, arch: ArchName): Rule {
  const text = line.replace(/ +#[^[\]]*$/, '').trimEnd();
  if (text === 'reject_force_umount')
    return { name: 'umount2', args: NO_FORCE, ...errno(errnoOf('EACCES', arch, place)) };
  const [, name, action, conditions = ''] =
    /^([a-z_]\w*)(?: +([^[\]]*?))?((?: *\[[^[\]]*\])*)$/.exec(text) ?? [];
  if (name === undefined)
    return refuse(place, 'this is no rule: write NAME ACTION [INDEX,VALUE,OPERATOR,MASK]...');
  if (conditions !== '' && !action) refuse(place, 'LXC takes conditions only after an action');
  const args = [...conditions.matchAll(/\[([^\]]*)\]/g)].map((match) => conditionIn(match[1]!, place));
  if (new Set(args.map(({ index }) => index)).size < args.length)
    refuse(place, 'two conditions on one argument', 'an OCI runtime takes them for alternatives: write one');
  return {
    name: namesOf(name, place)[0]!,
    ...(action ? answerIn(action, place, arch) : listed),
    ...(args.length > 0 && { args }),
  };
}

function answerIn(text: string, place: Place, arch: ArchName): Answer {
  const number = /^errno +(\d+)$/.exec(text)?.[1];
  if (number !== undefined) return errno(errnoOf(number, arch, place));
  if (text === 'kill') return KILL;
  if (text === 'allow') return ALLOW;
  if (text === 'trap') return { action: 'SCMP_ACT_TRAP' };
  if (text === 'notify')
    refuse(
      place,
      '"notify" needs a listener, which a policy does not name',
      'write the entry with SCMP_ACT_NOTIFY and a "listenerPath" yourself',
    );
  return refuse(place, `unknown action "${text}"`, 'LXC has kill, allow, trap, notify and errno NUMBER');
}

/** `INDEX,VALUE,OPERATOR` or `INDEX,VALUE,OPERATOR,MASK`. */
function conditionIn(text: string, place: Place): SyscallArg {
  const [index = '', value = '', operator = '', mask = '0', ...more] = text.split(',');
  const op = OPERATORS[operator] ?? Object.values(OPERATORS).find((name) => name === operator);
  if (!/^[0-5]$/.test(index) || op === undefined || more.length > 0)
    return refuse(place, `this is no condition: [${text}]`);
  const [wanted, bits] = [value, mask].map((number) => unsigned(number, place)) as [bigint, bigint];
  return op === 'SCMP_CMP_MASKED_EQ'
    ? { index: Number(index), value: bits, valueTwo: wanted, op }
    : { index: Number(index), value: wanted, valueTwo: 0n, op };
}

/** As strtoull(3) with base 0: decimal, 0x, or octal after a 0. */
function unsigned(text: string, place: Place): bigint {
  const octal = /^0([0-7]+)$/.exec(text)?.[1];
  if (octal === undefined && !/^(0|[1-9]\d*|0x[0-9a-f]+)$/i.test(text))
    refuse(place, `"${text}" is no number`);
  const value = BigInt(octal === undefined ? text : `0o${octal}`);
  if (value >= 1n << 64n) refuse(place, `"${text}" has more than 64 bits`);
  return value;
}
