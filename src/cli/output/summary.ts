import { SECCOMP_RET_ALLOW } from '../../action.ts';
import { archOf } from '../../arch.ts';
import { possibleAnswers } from '../../bpf/answers.ts';
import type { Filter } from '../../compile.ts';
import { loadTables } from '../../syscalls/load.ts';

/** The beginning of the one-line summary. It is for people; its wording is not an interface. */
export async function summarise(filter: Filter): Promise<string> {
  const native = archOf(filter.target.arch);
  const table = (await loadTables([native.table])).of(native.name);
  let always = 0;
  let sometimes = 0;
  const numbers = table.entries().map(([nr]) => nr);
  for (const answers of possibleAnswers(filter.instructions, native.auditArch, numbers)) {
    if (!answers.has(SECCOMP_RET_ALLOW)) continue;
    if (answers.size === 1) always += 1;
    else sometimes += 1;
  }
  const byArguments = sometimes === 0 ? '' : ` and ${sometimes} by their arguments`;
  return `${[
    `${filter.arches.join(', ')}: ${filter.instructions.length} instructions (${filter.convertedLength} as eBPF)`,
    `${native.name} allows ${always} of ${table.count} calls${byArguments}`,
    filter.proved ? 'proved' : 'not proved',
  ].join('; ')}; `;
}
