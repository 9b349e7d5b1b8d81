/**
 * Every instruction of a real program is changed in every way that a wrong compiler might: each
 * change is caught, with calls that a second BPF machine and the naive evaluator answer as the
 * proof says, or it changes no answer.
 */
import { describe, expect, it } from 'vitest';
import { checkProgram } from '../../src/bpf/check.ts';
import { encode } from '../../src/bpf/instruction.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { prove } from '../../src/prove/prove.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import type { Call } from '../oracle/bpf.ts';
import { firstDifference } from '../oracle/compare.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { targetOf } from '../oracle/subject.ts';
import { mutantsOf } from '../mutants.ts';
import { ownProfiles, plainObject } from './profiles.ts';

describe('the program of container-default.json with one instruction changed', () => {
  it('is caught by calls that others answer so too, or answers everything as before', async () => {
    const [, text] = ownProfiles.find(([name]) => name === 'container-default.json')!;
    const native = 'X86_64';
    const target = targetOf({ native });
    const { instructions } = await compile(text, { target });
    const read = await lowerProfile(text, { target });
    const profile = plainObject(text, native);
    const meaning = profile && evaluateProfile(profile, { native });
    if (!read.confined || !meaning || !('evaluate' in meaning)) throw new Error('the profile is refused');

    const calls = [...denseCalls(profile, meaning)];
    const answers = calls.map((call) => meaning.evaluate(call.arch, call.nr, call.args));
    const asBefore = new Map(calls.map((call, index) => [call, answers[index]!]));
    const count = { different: 0, malformed: 0, equal: 0, undecided: 0 };
    const objections: string[] = [];
    for (const mutant of mutantsOf(instructions)) {
      const result = prove(mutant, read.reference);
      count[result.verdict]++;
      const raw = readProgram(encode(mutant, 'little'), false);
      const actual = (call: Call) => runProgram(raw, call);
      if (result.verdict === 'malformed') {
        if (checkProgram(mutant).length === 0) objections.push(`only the proof refuses: ${result.reason}`);
      } else if (result.verdict === 'equal') {
        const oracle = (call: Call) => asBefore.get(call)!;
        const difference = firstDifference(calls, ['before', oracle], ['after', actual]);
        if (difference !== undefined) objections.push(difference);
      } else if (result.verdict === 'different') {
        if (result.witnesses.length === 0) objections.push('no witness');
        for (const { data, expected, actual: claimed } of result.witnesses)
          if (
            expected === claimed ||
            meaning.evaluate(data.arch, data.nr, data.args) !== expected ||
            actual(data) !== claimed
          )
            objections.push(`arch ${data.arch} nr ${data.nr}: not ${expected} and ${claimed}`);
      }
    }
    console.info(`${instructions.length} instructions: ${JSON.stringify(count)}`);
    expect(objections).toEqual([]);
    expect(count.undecided).toBe(0);
    expect(count.different).toBeGreaterThan(8 * instructions.length);
    expect(count.equal).toBeGreaterThan(0);
    expect(count.malformed).toBeGreaterThan(0);
  });
});
