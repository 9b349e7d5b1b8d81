/**
 * Random OCI profiles for fast-check: few names and few constants, so that rules meet.
 */
import * as fc from 'fast-check';
import { ABIS } from './facts.ts';
import type { OciArg, OciEntry, OciProfile } from './oci.ts';

/**
 * Names by what they try: plain, different on x32, absent somewhere, multiplexed, private, new, no
 * name at all.
 */
const PLAIN = ['getpid', 'openat', 'personality', 'prctl', 'clone', 'kill', 'read', 'close', 'futex'];
const SPECIAL = [
  'ioctl',
  'execve',
  'ptrace',
  'rt_sigaction',
  'mmap',
  'mmap2',
  'clock_gettime64',
  '_llseek',
  'select',
];
const MULTIPLEXED = [
  'socket',
  'bind',
  'accept',
  'accept4',
  'send',
  'semop',
  'shmget',
  'msgctl',
  'socketcall',
  'ipc',
];
const RARE = [
  'breakpoint',
  'set_tls',
  'cacheflush',
  'arm_sync_file_range',
  'listns',
  'rseq_slice_yield',
  'memfd_secret',
];
const UNKNOWN = ['no_such_call', 'READ', 'sys_read'];

const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...PLAIN) },
  { weight: 3, arbitrary: fc.constantFrom(...SPECIAL) },
  { weight: 4, arbitrary: fc.constantFrom(...MULTIPLEXED) },
  { weight: 1, arbitrary: fc.constantFrom(...RARE) },
  { weight: 1, arbitrary: fc.constantFrom(...UNKNOWN) },
);

const WORD = 1n << 32n;
const small = fc.oneof(
  fc.bigInt({ min: 0n, max: 8n }),
  fc.constantFrom(15n, 16n, 255n, 0x7fffffffn, 0x80000000n, WORD - 2n, WORD - 1n),
  fc.bigInt({ min: 0n, max: WORD - 1n }),
);
const wide = fc.oneof(
  small,
  fc.constantFrom(
    WORD,
    WORD + 1n,
    WORD + 5n,
    2n * WORD,
    2n * WORD - 1n,
    1n << 63n,
    (1n << 64n) - 2n,
    (1n << 64n) - 1n,
  ),
  fc.tuple(fc.constantFrom(0n, 1n, 2n, WORD - 1n), small).map(([high, low]) => high * WORD + low),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);

const ALL_OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'];

interface ArgShape {
  operators: readonly string[];
  constants: fc.Arbitrary<bigint>;
  maxConditions: number;
  /** Whether an index may come twice in one entry. */
  repeats: boolean;
}

function argument(shape: ArgShape): fc.Arbitrary<OciArg> {
  return fc.record(
    {
      index: fc.oneof(
        { weight: 3, arbitrary: fc.bigInt(0n, 1n) },
        { weight: 1, arbitrary: fc.bigInt(2n, 5n) },
      ),
      value: shape.constants,
      valueTwo: shape.constants,
      op: fc.constantFrom(...shape.operators).map((op) => `SCMP_CMP_${op}`),
    },
    { requiredKeys: ['index', 'value', 'op'] },
  );
}

function argumentsOf(shape: ArgShape): fc.Arbitrary<OciArg[] | null> {
  const list = { maxLength: shape.maxConditions };
  const distinct = fc.uniqueArray(argument(shape), { ...list, selector: (arg) => arg.index });
  const any = shape.repeats
    ? fc.oneof({ weight: 4, arbitrary: distinct }, { weight: 1, arbitrary: fc.array(argument(shape), list) })
    : distinct;
  return fc.oneof({ weight: 9, arbitrary: any }, { weight: 1, arbitrary: fc.constant(null) });
}

type Outcome = Pick<OciEntry, 'action' | 'errnoRet'>;

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc
    .constantFrom('KILL', 'KILL_THREAD', 'KILL_PROCESS', 'TRAP', 'ERRNO', 'NOTIFY', 'TRACE', 'LOG', 'ALLOW')
    .map((action) => ({ action: `SCMP_ACT_${action}` })),
  fc
    .tuple(fc.constantFrom('ERRNO', 'TRACE'), fc.constantFrom(0n, 1n, 2n, 38n, 4094n, 65574n))
    .map(([action, errnoRet]) => ({ action: `SCMP_ACT_${action}`, errnoRet })),
);

/** Only a few outcomes in one profile, so that entries agree and clash often. */
function entries(
  shape: ArgShape,
  names: readonly string[],
  outcomes: readonly Outcome[],
): fc.Arbitrary<OciEntry[]> {
  const entry = fc
    .tuple(
      fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...outcomes),
      argumentsOf(shape),
      fc.boolean(),
    )
    .map(([list, action, args, leaveOut]) => ({
      names: action.action === 'SCMP_ACT_NOTIFY' ? list.filter((n) => n !== 'write') : list,
      ...action,
      ...(leaveOut && (args ?? []).length === 0 ? {} : { args }),
    }));
  return fc.array(entry, { maxLength: 8 });
}

export interface Sample {
  profile: OciProfile;
  /** OCI name without prefix. */
  native: string;
}

/** A native architecture of `natives` and up to three more of its byte order. */
function architectures(natives: readonly string[]): fc.Arbitrary<{ native: string; list: string[] }> {
  return fc.constantFrom(...natives).chain((native) => {
    const big = ABIS.find((a) => a.oci === native)?.big;
    const mates = ABIS.filter((a) => a.big === big && natives.includes(a.oci)).map((a) => a.oci);
    const family = mates.filter((oci) => related(oci, native));
    const list = fc.oneof(
      fc.subarray(family),
      fc.array(fc.constantFrom(...mates), { maxLength: 3 }),
      fc.constant<string[]>([]),
    );
    return list.map((l) => ({ native, list: l }));
  });
}

const FAMILIES = ['X', 'A', 'MIPS', 'PPC', 'S390', 'PARISC', 'SH'];
const related = (a: string, b: string) => FAMILIES.some((f) => a.startsWith(f) && b.startsWith(f));

export interface SampleOptions {
  /** OCI names without prefix; all 23 when absent. */
  natives?: readonly string[];
  /** Instead of the usual mixture. */
  names?: readonly string[];
}

const EVERY = ABIS.map((a) => a.oci);

function sampleOf(
  shape: ArgShape,
  { natives = EVERY, names }: SampleOptions,
  outcomes: fc.Arbitrary<Outcome> = outcome,
): fc.Arbitrary<Sample> {
  const standard = outcomes.filter((o) => o.action !== 'SCMP_ACT_NOTIFY');
  const pick = names === undefined ? name : fc.constantFrom(...names);
  return fc
    .tuple(
      architectures(natives),
      fc.uniqueArray(pick, { minLength: 1, maxLength: 5 }),
      standard,
      fc.array(outcomes, { minLength: 1, maxLength: 3 }),
    )
    .chain(([{ native, list }, chosen, first, others]) => {
      // Sometimes an entry repeats the default action, and is dropped.
      const all = others.length > 2 ? [...others, first] : others;
      return entries(shape, chosen, all).map((syscalls) => ({
        native,
        profile: {
          defaultAction: first.action,
          // runc does not start SCMP_ACT_NOTIFY without one.
          listenerPath: '/run/agent.sock',
          ...(first.errnoRet === undefined ? {} : { defaultErrnoRet: first.errnoRet }),
          ...(list.length === 0 ? {} : { architectures: list.map((oci) => `SCMP_ARCH_${oci}`) }),
          syscalls,
        },
      }));
    });
}

const ANYTHING: ArgShape = { operators: ALL_OPERATORS, constants: wide, maxConditions: 3, repeats: true };

/** Everything at once: all operators, 64-bit constants, repeated indexes, clashes. */
export function anySample(options: SampleOptions = {}): fc.Arbitrary<Sample> {
  return sampleOf(ANYTHING, options);
}

/** Up to nine conditions in an entry: the runtimes disagree on what comes after the sixth. */
export function crowdedSample(options: SampleOptions = {}): fc.Arbitrary<Sample> {
  return sampleOf({ ...ANYTHING, constants: small, maxConditions: 9 }, options);
}

/**
 * Shapes that libseccomp compiles rightly: equality only, or one condition with a 32-bit constant.
 */
export function plainSample(options: SampleOptions = {}): fc.Arbitrary<Sample> {
  const equality: ArgShape = { ...ANYTHING, operators: ['EQ', 'MASKED_EQ'], repeats: false };
  const single: ArgShape = { ...ANYTHING, constants: small, maxConditions: 1, repeats: false };
  return outcome.chain((o) => {
    // One action beside the default: nothing can clash, so more samples count.
    const two = fc.constantFrom(o, { action: 'SCMP_ACT_LOG' });
    return fc.oneof(
      sampleOf(equality, options),
      sampleOf(single, options),
      sampleOf(equality, options, two),
      sampleOf(single, options, two),
    );
  });
}
