/** What the page needs to know of system calls: the generated modules by name, without the tables that it does not use. */
import type { TableName } from '../arch.ts';
import { tableData } from '../syscalls/load.ts';

export async function factsFor(tables: Iterable<TableName>): Promise<Record<string, unknown>> {
  const facts: Record<string, unknown> = {
    constants: { ...(await import('../syscalls/generated/constants.ts')) },
    errno: { ...(await import('../syscalls/generated/errno.ts')) },
    signatures: { ...(await import('../syscalls/generated/signatures.ts')) },
    since: { ...(await import('../syscalls/generated/since.ts')) },
    union: { ...(await import('../syscalls/generated/union.ts')) },
  };
  for (const name of new Set(tables)) facts[name] = { ...(await tableData(name)) };
  return facts;
}
