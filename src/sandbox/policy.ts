import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { archOf, compatibleArches, parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { compileNow } from '../compile.ts';
import type { Filter } from '../compile/filter.ts';
import type { CompileMode } from '../compile/settings.ts';
import { fail } from '../errors.ts';
import { hostArch } from '../host.ts';
import { makeLauncher } from '../launcher/launcher.ts';
import { formatOci } from '../profile/oci-text.ts';
import { makeTarget } from '../target.ts';
import type { CallName } from '../syscalls/generated/call-name.ts';
import type { Condition } from './condition.ts';
import { profileOf } from './profile.ts';
import type { Answer, Rule } from './profile.ts';
import { bwrapFilter, spawnLauncher } from './start.ts';
import type { BwrapFilter } from './start.ts';

/** A name, or several that get the same rule. */
export type Calls = CallName | readonly CallName[];

export interface PolicyOptions {
  /** What calls get that no rule matches; `deny` refuses them with `errno`. */
  default: Exclude<Answer, 'errno'> | 'deny';
  /** Of `deny`: a name, or a number from 1 to 4094. EPERM unless given. */
  errno?: string | number;
}

export interface SandboxOptions extends Pick<CompileMode, 'optimize'> {
  /** The native architecture, in any spelling; that of this machine unless given. */
  arch?: string;
  /**
   * The other architectures of the filter; calls of any that is not in it end the thread. Unless
   * given, all that a kernel of the native one runs, but x32; `native`: none.
   */
  architectures?: readonly string[] | 'native';
}

/** Rules with a name, for {@link Policy.use}. */
export interface Preset {
  readonly name: string;
  readonly reason: string;
  /** What stays possible. */
  readonly leaves: string;
  readonly rules: readonly Rule[];
}

/**
 * What a sandbox may call. A policy does not change: each method gives a new one. Every rule holds
 * for every call that it matches; two rules with different answers for one call are refused.
 */
export class Policy {
  readonly #options: Required<PolicyOptions>;
  readonly rules: readonly Rule[];
  readonly #filters = new Map<string, Filter>();

  /** Use {@link policy}. */
  constructor(options: Required<PolicyOptions>, rules: readonly Rule[]) {
    this.#options = options;
    this.rules = rules;
  }

  /** Allows calls whose arguments meet all conditions. */
  allow(calls: Calls, ...conditions: Condition[]): Policy {
    return this.#with({ answer: 'allow' }, calls, conditions);
  }

  /** Refuses them with the errno of the policy. */
  deny(calls: Calls, ...conditions: Condition[]): Policy {
    return this.#with({ answer: 'errno' }, calls, conditions);
  }

  /**
   * Refuses them with an errno: `'ENOSYS'`, as if the kernel did not have them, or a number from 1
   * to 4094.
   */
  errno(errno: string | number, calls: Calls, ...conditions: Condition[]): Policy {
    return this.#with({ answer: 'errno', errno }, calls, conditions);
  }

  /** Allows them, and the kernel writes each into its log. */
  log(calls: Calls, ...conditions: Condition[]): Policy {
    return this.#with({ answer: 'log' }, calls, conditions);
  }

  /** Sends the process SIGSYS, which it can handle. */
  trap(calls: Calls, ...conditions: Condition[]): Policy {
    return this.#with({ answer: 'trap' }, calls, conditions);
  }

  /** Ends the process. */
  kill(calls: Calls, ...conditions: Condition[]): Policy {
    return this.#with({ answer: 'kill' }, calls, conditions);
  }

  /** Adds the rules of presets or other policies. */
  use(...parts: readonly Pick<Preset, 'rules'>[]): Policy {
    if (!parts.every((part) => Array.isArray(part?.rules)))
      fail('POLICY_RULE', { rule: 'use', reason: 'it takes presets and policies, one after the other' });
    return new Policy(this.#options, [...this.rules, ...parts.flatMap(({ rules }) => rules)]);
  }

  /**
   * The OCI `linux.seccomp` object as JSON, for any runtime. It is for one architecture and those
   * beside it, because the positions and constants of arguments differ.
   *
   * @throws SeccompcError POLICY_RULE, POLICY_CONFLICT, TARGET_INVALID
   */
  toProfile(options: SandboxOptions = {}): string {
    const { default: otherwise, errno } = this.#options;
    const answer = otherwise === 'deny' ? 'errno' : otherwise;
    return formatOci(
      profileOf({ otherwise: answer, errno, rules: this.rules }, archesOf(options).map(archOf)),
    );
  }

  /**
   * The filter of that profile, from the compiler for all profiles, and proved to be it.
   *
   * @throws SeccompcError as {@link toProfile}; NOT_PROVED
   */
  compile(options: SandboxOptions = {}): Filter {
    const { optimize } = options;
    const [arch] = archesOf(options);
    const key = JSON.stringify([archesOf(options), optimize]);
    let filter = this.#filters.get(key);
    if (filter === undefined) {
      const target = makeTarget({ arch: arch!, overlap: 'error' });
      filter = compileNow(this.toProfile(options), { target, optimize, prove: 'require', file: 'policy' });
      // What it warns of has a rule of its own.
      const diagnostics = filter.diagnostics.filter(({ code }) => code !== 'MULTIPLEXED_ARGS');
      filter = { ...filter, diagnostics };
      this.#filters.set(key, filter);
    }
    return { ...filter, bytes: filter.bytes.slice() };
  }

  /**
   * The filter for bubblewrap on this machine: `args` for its command line, `descriptor` for
   * `stdio` of its process.
   *
   * @throws SeccompcError as {@link compile}
   */
  toBwrap({ fd, ...options }: Omit<SandboxOptions, 'arch'> & { fd?: number } = {}): BwrapFilter {
    return bwrapFilter(this.compile(options).bytes, fd);
  }

  /**
   * An executable that runs a command under the filter:
   * `./sandboxed [--keep-fd N]... [--] COMMAND [ARG...]`.
   *
   * @throws SeccompcError as {@link compile}; LAUNCHER_ARCHITECTURE
   */
  toLauncher(options: string | SandboxOptions = {}): Uint8Array {
    const { target, bytes, flags } = this.compile(typeof options === 'string' ? { arch: options } : options);
    return makeLauncher(target.arch, bytes, { flags });
  }

  #with(answer: Pick<Rule, 'answer' | 'errno'>, calls: Calls, conditions: readonly Condition[]): Policy {
    const names = typeof calls === 'string' ? [calls] : [...calls];
    if (names.length === 0) fail('POLICY_RULE', { rule: answer.answer, reason: 'there is no call' });
    return new Policy(this.#options, [...this.rules, { ...answer, calls: names, conditions }]);
  }
}

/** Starts a policy: `policy({ default: 'allow' }).deny('ptrace')`. */
export function policy(options: PolicyOptions): Policy {
  const { default: otherwise, errno = 'EPERM' } = options;
  refuseOptions(options, 'default', 'errno');
  if (!['allow', 'log', 'deny', 'trap', 'kill'].includes(otherwise))
    fail('POLICY_RULE', {
      rule: 'policy',
      reason: `default is allow, log, deny, trap or kill, not "${otherwise}"`,
    });
  return new Policy({ default: otherwise, errno }, []);
}

/**
 * Starts a command under a policy, as `spawn` of node:child_process does. If that is not possible,
 * nothing starts.
 *
 * @throws SeccompcError as {@link Policy.toLauncher}
 */
export function wrapSpawn(
  sandbox: Policy,
  command: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): ChildProcess {
  return spawnLauncher(sandbox.toLauncher(), command, args, options);
}

/** Of the filter, the native one first. */
function archesOf(options: SandboxOptions): ArchName[] {
  const { arch = hostArch(), architectures } = options;
  refuseOptions(options, 'arch', 'architectures', 'optimize');
  if (architectures !== undefined && architectures !== 'native' && !Array.isArray(architectures))
    fail('TARGET_INVALID', { reason: `architectures is a list or "native", not "${String(architectures)}"` });
  const read = (text: string) =>
    parseArch(text) ?? fail('TARGET_INVALID', { reason: `there is no architecture "${text}"` });
  const native = read(arch);
  // Distributions switch x32 off, and a filter that leaves it out ends its calls.
  const beside = () => compatibleArches(native).filter((name) => name !== 'X32');
  return [
    ...new Set([native, ...(architectures === 'native' ? [] : (architectures?.map(read) ?? beside()))]),
  ];
}

/** A misspelled option that is ignored could give a weaker filter. */
function refuseOptions(options: object, ...known: string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined)
    fail('POLICY_RULE', { rule: 'policy', reason: `there is no option "${unknown}"` });
}
