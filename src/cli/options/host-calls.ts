import { archOf } from '../../arch.ts';
import { loadTables } from '../../syscalls/load.ts';
import { hostArch } from './host.ts';

/** The numbers of calls on this machine. @throws SeccompcError HOST_ARCHITECTURE_UNKNOWN */
export async function hostCalls<Name extends string>(...names: Name[]): Promise<Record<Name, number>> {
  const host = hostArch();
  const table = (await loadTables([archOf(host).table])).of(host);
  const numbers = names.map((name) => {
    const number = table.numberOf(name);
    if (number === undefined) throw new Error(`${host} has no call ${name}`);
    return [name, number] as const;
  });
  return Object.fromEntries(numbers) as Record<Name, number>;
}
