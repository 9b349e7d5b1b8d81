/**
 * Works on all items, `most` at a time, in their order. Rejects with the first fault, after which no item is begun any
 * more, once those that were begun have ended.
 */
export async function atOnce<T>(
  items: Iterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const faults: unknown[] = [];
  const worker = async () => {
    for (let next = rest.next(); next.done !== true && faults.length === 0; next = rest.next())
      await work(next.value).catch((cause: unknown) => faults.push(cause));
  };
  await Promise.all(Array.from({ length: most }, worker));
  if (faults.length > 0) throw faults[0];
}
