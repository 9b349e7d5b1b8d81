import { diagnostic } from '../../errors.ts';
import type { Rule } from '../rule.ts';

export const falseSuccess: Rule = {
  code: 'FALSE_SUCCESS',
  reason: 'With errno 0 a call does not run and reports success; the program goes on as if it had been done.',
  evidence: 'semantics.md 4.2. For setuid and the like this turns a refusal into a hole.',
  *find({ lowered, survey }) {
    const { seccomp } = lowered.reference;
    if (seccomp.defaultAction === 'SCMP_ACT_ERRNO' && seccomp.defaultErrnoRet === 0)
      yield {
        diagnostic: diagnostic('FALSE_SUCCESS', {}, { pointer: `${seccomp.pointer}/defaultErrnoRet` }),
      };
    for (const { entry } of survey.entries)
      if (entry.action === 'SCMP_ACT_ERRNO' && entry.errnoRet === 0)
        yield { diagnostic: diagnostic('FALSE_SUCCESS', {}, { pointer: `${entry.pointer}/errnoRet` }) };
  },
};
