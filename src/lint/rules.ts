import type { Rule } from './rule.ts';
import { argumentWidth } from './rules/argument-width.ts';
import { conditionWithoutEffect } from './rules/condition-without-effect.ts';
import { dangerousCall } from './rules/dangerous-call.ts';
import { enosysExpected } from './rules/enosys-expected.ts';
import { entryWithoutEffect } from './rules/entry-without-effect.ts';
import { falseSuccess } from './rules/false-success.ts';
import { missingSibling } from './rules/missing-sibling.ts';

export const RULES: readonly Rule[] = [
  entryWithoutEffect,
  argumentWidth,
  conditionWithoutEffect,
  missingSibling,
  enosysExpected,
  falseSuccess,
  dangerousCall,
];
