/**
 * Works on some items at a time and hands the results over in the order of the items, each as soon
 * as those before it have been. Rejects with the first fault, after which nothing new is begun.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
  take: (result: Result) => Promise<void>,
): Promise<void> {
  const running: Promise<Result>[] = [];
  let next = 0;
  const begin = () => {
    const result = work(items[next++]!);
    // It is awaited in its turn; until then its fault must not count as unhandled.
    result.catch(() => {});
    running.push(result);
  };
  while (next < items.length && running.length < atOnce) begin();
  while (running.length > 0) {
    const result = await running.shift()!;
    if (next < items.length) begin();
    await take(result);
  }
}
