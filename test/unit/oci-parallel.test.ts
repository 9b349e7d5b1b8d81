import { describe, expect, it } from 'vitest';
import { inParallel } from '../../src/oci/parallel.ts';

describe('work on many items', () => {
  it('hands results over in order, and has no more in hand than it may', async () => {
    let inHand = 0;
    let most = 0;
    const taken: number[] = [];
    const items = Array.from({ length: 20 }, (_, index) => index);
    await inParallel(
      items,
      4,
      async (item) => {
        most = Math.max(most, ++inHand);
        // Later items end before earlier ones.
        for (let turn = 0; turn < (item * 7) % 5; turn += 1) await new Promise(setImmediate);
        inHand -= 1;
        return item;
      },
      async (result) => void taken.push(result),
    );
    expect(taken).toEqual(items);
    expect(most).toBe(4);
  });

  it('does nothing for nothing, and passes a fault on', async () => {
    const begun: number[] = [];
    await inParallel([], 4, async () => {}, async () => {});
    const failing = inParallel(
      [0, 1, 2, 3, 4, 5, 6],
      2,
      async (item) => {
        begun.push(item);
        if (item === 1) throw new RangeError('no');
      },
      async () => {},
    );
    await expect(failing).rejects.toThrow(RangeError);
    expect(begun).toEqual([0, 1, 2]);
  }); // prettier-ignore
});
