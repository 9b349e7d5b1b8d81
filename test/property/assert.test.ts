import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { archOf, parseArch } from '../../src/arch.ts';
import { judge } from '../../src/assert/judge.ts';
import { parseAssertions } from '../../src/assert/parse.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { PropertyProver } from '../../src/prove/property.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { anySample } from '../oracle/arbitrary.ts';
import { ABIS, ACTIONS, subcall, tableOf } from '../oracle/facts.ts';
import type { Abi } from '../oracle/facts.ts';
import { edgeArguments } from '../oracle/inputs.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';

interface Pattern {
  arg: number;
  comparator: string;
  mask: bigint;
  value: bigint;
  bits: number;
  signed: boolean;
}

const constants = fc.constantFrom(
  0n,
  1n,
  2n,
  5n,
  8n,
  16n,
  255n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000005n,
);
const pattern: fc.Arbitrary<Pattern> = fc.record({
  arg: fc.nat(2),
  comparator: fc.constantFrom('==', '!=', '<', '<=', '>', '>=', '&', '&=='),
  mask: fc.constantFrom(1n, 6n, 0xffn, 0xffffffffn, 0x8000_0000n),
  value: constants,
  bits: fc.constantFrom(16, 32, 64),
  signed: fc.boolean(),
});
const ANSWERS: Record<string, string[]> = {
  allow: ['ALLOW', 'LOG'],
  deny: ['KILL_PROCESS', 'KILL', 'TRAP', 'ERRNO'],
  kill: ['KILL_PROCESS', 'KILL'],
  trap: ['TRAP'],
  trace: ['TRACE'],
  log: ['LOG'],
};
const VALUES = new Map(ACTIONS.map(([name, value]) => [name.replace('SCMP_ACT_', ''), value]));

function textOf({ arg, comparator, mask, value }: Pattern): string {
  if (comparator === '&') return `arg${arg} & ${mask}`;
  if (comparator === '&==') return `(arg${arg} & ${mask}) == ${value}`;
  return `arg${arg} ${comparator} ${value}`;
}

/** Whether the kernel takes an argument for one that the pattern is about. */
function matches(p: Pattern, bits: number, args: readonly bigint[]): boolean {
  const read = (x: bigint) => (p.signed ? BigInt.asIntN(bits, x) : BigInt.asUintN(bits, x));
  const [x, value] = [read(args[p.arg]!), read(p.value)];
  const masked = BigInt.asUintN(bits, args[p.arg]! & p.mask);
  switch (p.comparator) {
    case '==':
      return x === value;
    case '!=':
      return x !== value;
    case '<':
      return x < value;
    case '<=':
      return x <= value;
    case '>':
      return x > value;
    case '>=':
      return x >= value;
    case '&':
      return masked !== 0n;
    default:
      return masked === BigInt.asUintN(bits, p.value & p.mask);
  }
}

/** Whether the bits that the kernel ignores are as a program passes them. */
function isPassed(p: Pattern, bits: number, abi: Abi, args: readonly bigint[]): boolean {
  if (bits >= Number(abi.bits)) return true;
  const x = args[p.arg]!;
  return x === BigInt.asUintN(64, p.signed ? BigInt.asIntN(bits, x) : BigInt.asUintN(bits, x));
}

const HIGH = [0n, 1n << 16n, 1n << 32n, 0xffffffff_00000000n, 0xffffffff_ffff0000n];

describe('an assertion', () => {
  it('is judged as by trying all arguments at and around every constant', async () => {
    const verdicts = { holds: 0, fails: 0 };
    await fc.assert(
      fc.asyncProperty(
        anySample(),
        fc.uniqueArray(pattern, { maxLength: 2, selector: ({ arg }) => arg }),
        fc.constantFrom(...Object.keys(ANSWERS)),
        fc.nat(),
        fc.boolean(),
        async ({ profile, native }, patterns, verb, pick, asFilter) => {
          const meaning = evaluateProfile(profile, { native, enosysStub: false });
          fc.pre('abis' in meaning);
          const names = profile.syscalls!.flatMap((entry) => entry.names!).filter((n) => /^[a-z]/.test(n));
          const call = [...names, 'close'][pick % (names.length + 1)]!;
          fc.pre(ABIS.some((abi) => tableOf(abi.table).numbers.has(call)));
          const target = targetOf({ native, enosysStub: false });
          const text = toJson(profile);
          const lowered = await lowerProfile(text, { target });
          if (!lowered.confined) throw new Error('a profile with rules is a filter');
          const filter = await compile(text, { target });
          const side = asFilter ? { program: filter.instructions, endian: filter.endian } : lowered.reference;
          const tables = await loadTables(lowered.arches.map(({ table }) => table));
          const calls = lowered.arches.map((abi) => ({ abi, table: tables.of(abi.name) }));
          const widthIn = (abiBits: number, { bits }: Pattern) => Math.min(abiBits, bits);
          const refuse = (reason: string): never => {
            throw new Error(reason);
          };
          const [assertion] = parseAssertions(`${verb} ${call}(${patterns.map(textOf).join(', ')})`);
          const result = await judge(assertion!, {
            prover: new PropertyProver(side, calls),
            calls,
            facts: {
              refuse,
              checkCall: () => {},
              argument: (abi, _, which) => {
                const found = patterns.find(({ arg }) => which === `arg${arg}`)!;
                return { index: found.arg, bits: widthIn(abi.wordBits, found), signed: found.signed };
              },
              value: (_abi, _call, _index, written) => BigInt(written),
              field: () => undefined,
            },
            other: () => refuse('no file is named'),
          });
          const accepted = ANSWERS[verb]!.map((name) => VALUES.get(name)! & 0xffff0000);
          const isWrong = (answer: number) => !accepted.includes(answer & 0xffff0000);
          const isAsked = (abi: Abi, args: readonly bigint[]) =>
            patterns.every((p) => {
              const bits = widthIn(Number(abi.bits), p);
              return matches(p, bits, args) && (verb !== 'allow' || isPassed(p, bits, abi, args));
            });
          const isAskedThrough = (abi: Abi, selector: bigint, args: readonly bigint[]) => {
            const [kept, width] = abi.ipc === subcall(abi, call)!.nr ? [0xffffn, 32] : [0xffffffffn, 32];
            if ((args[0]! & kept) !== selector) return false;
            return verb !== 'allow' || abi.bits === 32n || args[0]! < 1n << BigInt(width);
          };

          if (result.verdict === 'fails') {
            verdicts.fails += 1;
            const { data, answer } = result.call;
            expect(meaning.evaluate(data.arch, data.nr, data.args)).toBe(answer);
            expect(isWrong(answer)).toBe(true);
            const abi = meaning.abis.find(({ oci }) => oci === result.call.abi)!;
            const mux = subcall(abi, call);
            if (tableOf(abi.table).numbers.get(call) === data.nr) expect(isAsked(abi, data.args)).toBe(true);
            else expect(data.nr === mux?.nr && isAskedThrough(abi, mux.call, data.args)).toBe(true);
            return;
          }
          expect(result.verdict).toBe('holds');
          verdicts.holds += 1;
          for (const abi of meaning.abis) {
            const direct = tableOf(abi.table).numbers.get(call);
            const mux = subcall(abi, call);
            for (const [nr, asked] of [
              [direct, (args: bigint[]) => isAsked(abi, args)],
              [mux?.nr, (args: bigint[]) => isAskedThrough(abi, mux!.call, args)],
            ] as const) {
              if (nr === undefined) continue;
              const own = patterns.flatMap(({ value, mask }) => [
                value,
                value + 1n,
                value - 1n,
                mask,
                value ^ mask,
              ]);
              const edges = edgeArguments(profile, meaning.rules(abi, nr));
              for (const base of [[0n, 0n, 0n, 0n, 0n, 0n], ...edges.filter((_, index) => index % 5 === 0)])
                for (const value of [...own, ...(mux === undefined ? [] : [mux.call])])
                  for (const high of HIGH)
                    for (const arg of [0, 1, 2]) {
                      const args = base.with(arg, BigInt.asUintN(64, value | high));
                      if (asked(args)) expect(isWrong(meaning.evaluate(abi.audit, nr, args))).toBe(false);
                    }
            }
          }
        },
      ),
      { numRuns: runs(60, 1500) },
    );
    expect(verdicts.fails).toBeGreaterThan(5);
    expect(verdicts.holds).toBeGreaterThan(5);
  });

  it.each([
    ['allow read, write # the least', 'allow read, write'],
    ['  deny clone(flags & CLONE_NEWUSER) on x86_64,x86', 'deny clone(flags & CLONE_NEWUSER) on x86_64,x86'],
    ['errno ENOSYS clone3', 'errno ENOSYS clone3'],
    ['same-as ../base.json except socket(AF_ALG), bind', 'same-as ../base.json except socket(AF_ALG), bind'],
  ])('is read from a line with a comment or spaces: %s', (written, text) => {
    expect(parseAssertions(`# first\n\n${written}\n`)).toMatchObject([{ text, line: 3 }]);
  });

  it.each([
    'permit read',
    'deny',
    'errno read',
    'deny socket(',
    'deny f(a b c)',
    'no-effect-on vax',
    'at-most',
  ])('that has no meaning is refused: %s', (text) => {
    expect(() => parseAssertions(text, 'x.assert')).toThrow(text);
  });

  it('relates a filter to another one outside the calls that it excepts', async () => {
    const target = targetOf({ native: 'X86_64', enosysStub: false });
    const proverOf = async (syscalls: unknown[]) => {
      const lowered = await lowerProfile(JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls }), {
        target,
      });
      if (!lowered.confined) throw new Error('a filter');
      return new PropertyProver(lowered.reference, []);
    };
    const arch = archOf(parseArch('x86_64')!);
    const tables = await loadTables([arch.table]);
    const allow = (...names: string[]) => ({ names, action: 'SCMP_ACT_ALLOW' });
    const [small, large] = [await proverOf([allow('read')]), await proverOf([allow('read', 'socket')])];
    const verdictOf = async (text: string, prover: PropertyProver, other: PropertyProver) => {
      const facts = {
        refuse: () => expect.unreachable(),
        checkCall: () => {},
        argument: () => undefined,
        value: () => 0n,
        field: () => undefined,
      };
      const calls = [{ abi: arch, table: tables.of(arch.name) }];
      return (await judge(parseAssertions(text)[0]!, { prover, calls, facts, other: async () => other }))
        .verdict;
    };
    expect(await verdictOf('at-most x', small, large)).toBe('holds');
    expect(await verdictOf('at-most x', large, small)).toBe('fails');
    expect(await verdictOf('at-least x', small, large)).toBe('fails');
    expect(await verdictOf('same-as x', large, small)).toBe('fails');
    expect(await verdictOf('same-as x except socket', large, small)).toBe('holds');
    expect(await verdictOf('same-as x except read', large, small)).toBe('fails');
  });
});
