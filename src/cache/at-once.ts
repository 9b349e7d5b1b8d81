/**
 * Works on all items, `most` at a time, in their order. Rejects with the first fault, after which no item is begun any more, once
 * those that were begun have ended.
 */
export async function atOnce<T>(
  items: Iterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  let failed = false;
  const worker = async () => {
    for (let next = rest.next(); !failed && next.done !== true; next = rest.next())
      await work(next.value).catch((cause: unknown) => {
        failed = true;
        throw cause;
      });
  };
  const ended = await Promise.allSettled(Array.from({ length: most }, worker));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}
