/**
 * Works on some items at a time, and hands over the results in the order of the items as soon as
 * possible. Rejects with the first fault, and then starts nothing new.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
  take: (result: Result) => Promise<void>,
): Promise<void> {
  const running: Promise<Result>[] = [];
  for (const item of items) {
    if (running.length === atOnce) await take(await running.shift()!);
    const result = work(item);
    // It is awaited later; until then its fault must not count as unhandled.
    result.catch(() => {});
    running.push(result);
  }
  for (const result of running) await take(await result);
}
