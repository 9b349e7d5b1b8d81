import { existsSync } from 'node:fs';
import { diagnostic } from '../../errors.ts';
import type { ProfileText } from '../../input/profile-text.ts';
import type { Finding } from '../../lint/rule.ts';
import type { CliCommand } from '../command.ts';
import { profileOperand } from '../options/operand.ts';
import { targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { fromFile, judgeAssertions } from './assert.ts';
import { makeLint } from './lint.ts';

export function makeCommand(): CliCommand {
  return makeLint('check', brokenAssertions);
}

/**
 * A finding for each assertion of the file beside a profile that does not hold.
 * @throws SeccompcError
 */
async function brokenAssertions(
  path: string,
  profile: ProfileText,
  options: TargetFlags,
): Promise<Finding[]> {
  const beside = path.replace(/(\.json)?$/, '.assert');
  if (path === '-' || !existsSync(beside)) return [];
  const assertions = fromFile(beside);
  const operand = await profileOperand(profile, targetOf(options));
  const results = await judgeAssertions(operand, assertions, options);
  return results.flatMap(({ assertion: { text, line }, judgement, reason }) => {
    if (judgement.verdict === 'holds') return [];
    const code = judgement.verdict === 'fails' ? 'ASSERTION_BROKEN' : 'ASSERTION_UNDECIDED';
    const isBudget = judgement.verdict === 'undecided' && judgement.isBudget;
    const hint = isBudget ? 'ask "seccompc assert" with a larger --node-budget' : undefined;
    const found = diagnostic(code, { text, reason: reason ?? '' }, { hint });
    return [{ diagnostic: { ...found, file: beside, line, column: 1 } }];
  });
}
