import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { abiOfCall } from '../../src/arch.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { explainCall } from '../../src/explain/explain.ts';
import { FilterDecisions } from '../../src/explain/filter-decisions.ts';
import type { Condition } from '../../src/policy/types.ts';
import { readProfile } from '../../src/profile/read.ts';
import { anySample } from '../oracle/arbitrary.ts';
import { holds } from '../oracle/conditions.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';

describe('the explanation of a call', () => {
  it('has the answer of the oracle and names entries that the oracle finds', async () => {
    let explained = 0;
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(anySample(), fc.nat(96), async ({ profile, native }, offset) => {
        const meaning = evaluateProfile(profile, { native, enosysStub: false });
        fc.pre('abis' in meaning);
        const read = readProfile(toJson(profile), { file: '-', semantics: 'crun' });
        const lowered = await lowerProfile(read, { target: targetOf({ native, enosysStub: false }) });
        if (!lowered.confined) throw new Error('a profile with rules is a filter');
        let index = offset;
        for (const { arch, nr, args } of denseCalls(profile, meaning)) {
          if (index++ % 97 !== 0) continue;
          const found = explainCall(read, lowered, { arch, nr, args: [...args], ip: 0n });
          expect(found.answer).toBe(meaning.evaluate(arch, nr, args));
          explained += 1;
          const abi = meaning.abis.find(({ oci }) => oci === abiOfCall(arch, nr));
          if (abi === undefined) continue;
          const rules = meaning.rules(abi, nr);
          const applying = new Set(
            rules
              .filter(({ conditions }) => conditions.every((c) => holds(c, args)))
              .map(({ entry }) => entry),
          );
          const pointers = new Set(found.considered.map(({ pointer }) => pointer));
          for (const { entry } of rules) expect(pointers).toContain(`/syscalls/${entry}`);
          for (const { pointer, part } of found.considered) {
            kinds.add(part);
            const entry = Number(pointer.split('/')[2]);
            const action = rules.find((rule) => rule.entry === entry)?.action;
            if (part === 'decides') {
              expect(found.entry).toBe(pointer);
              expect(action).toBe(found.answer);
            }
            if (part === 'default') expect(action).toBeUndefined();
            if (part === 'decides' || part === 'yields' || part === 'repeats')
              expect(applying).toContain(entry);
            if (part === 'repeats') expect(action).toBe(found.answer);
            if (part === 'yields') expect(action).not.toBe(found.answer);
            // Behind socketcall an entry can be about a call in several ways, of which one applies.
            if (part === 'condition') {
              const other = rules.some(
                ({ conditions, entry: at }) => at === entry && !conditions.every((c) => holds(c, args)),
              );
              expect(other).toBe(true);
            }
          }
        }
      }),
      { numRuns: runs(12, 400) },
    );
    expect(explained).toBeGreaterThan(1000);
    expect(kinds.size).toBeGreaterThan(2);
  });

  it('of a filter has rules that give the answer of the program', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(anySample(), fc.nat(60), async ({ profile, native }, offset) => {
        const meaning = evaluateProfile(profile, { native, enosysStub: false });
        fc.pre('abis' in meaning);
        const filter = await compile(toJson(profile), { target: targetOf({ native, enosysStub: false }) });
        const decisions = new FilterDecisions({ program: filter.instructions, endian: filter.endian });
        let index = offset;
        for (const { arch, nr, args } of denseCalls(profile, meaning)) {
          if (index++ % 61 !== 0) continue;
          const decision = decisions.on(arch, nr);
          if (decision === undefined) continue;
          const isTrue = ({ arg, comparator, value, mask }: Condition) => {
            const x = args[arg]!;
            if (comparator === 'masked_eq') return (x & mask) === value;
            return comparator === 'eq' ? x === value : comparator === 'ge' ? x >= value : x <= value;
          };
          const rule = decision.rules.find(({ conditions }) => conditions.every(isTrue));
          expect(rule?.action ?? decision.otherwise).toBe(meaning.evaluate(arch, nr, args));
          compared += 1;
        }
      }),
      { numRuns: runs(12, 400) },
    );
    expect(compared).toBeGreaterThan(1000);
  });
});
