import { codeTable } from '../errors.ts';
import { LEVELS } from '../lint/rule.ts';
import { RULES } from '../lint/rules.ts';
import { DANGERS } from '../lint/rules/dangerous-call.ts';
import { FAMILIES } from '../lint/rules/missing-sibling.ts';
import { markdownTable } from './markdown.ts';

export function ruleTable(): string {
  const severities = new Map<string, string>(codeTable().map(({ code, severity }) => [code, severity]));
  const rules = RULES.map(({ code, reason, evidence }) => [
    `[${code}](errors.md#${code.toLowerCase()})`,
    severities.get(code)!,
    reason,
    evidence,
  ]);
  return markdownTable(['code', 'severity', 'why', 'evidence'], rules);
}

export function familyTable(): string {
  const families = FAMILIES.map(({ refused, others, why }) => [
    refused.join(', '),
    others === refused ? 'the others' : others.join(', '),
    why,
  ]);
  return markdownTable(['restricted', 'what does it too', 'they'], families);
}

export function dangerTable(): string {
  const dangers = DANGERS.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level)).map(
    ({ calls, constant, level, why }) => [
      level,
      calls
        .split(' ')
        .map((call) => (constant === undefined ? call : `${call}(${constant[1]})`))
        .join(', '),
      `it ${why}`,
    ],
  );
  return markdownTable(['level', 'calls', 'why'], dangers);
}
