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
  let next = 0;
  const begin = () => {
    const result = work(items[next++]!);
    // It is awaited later; until then its fault must not count as unhandled.
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
