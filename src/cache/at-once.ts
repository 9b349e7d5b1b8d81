/** Records that are read or sent at the same time. */
const AT_ONCE = 8;

/**
 * Works on items in their order, a few at a time. Rejects with the first fault: after it no item is
 * begun, and those that were begun have ended.
 */
export async function atOnce<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const faults: unknown[] = [];
  const worker = async () => {
    for (let next = rest.next(); next.done !== true && faults.length === 0; next = rest.next())
      await work(next.value).catch((cause: unknown) => faults.push(cause));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (faults.length > 0) throw faults[0];
}
