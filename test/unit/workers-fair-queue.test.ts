import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../src/workers/fair-queue.ts';

const [A, B, C] = [{ owner: 'A' }, { owner: 'B' }, { owner: 'C' }];

function filled(...entries: [item: string, owner: object, level?: number][]): FairQueue<string> {
  const queue = new FairQueue<string>();
  for (const [item, owner, level = 0] of entries) queue.add(item, owner, level);
  return queue;
}

function drained(queue: FairQueue<string>): string[] {
  const items: string[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) items.push(item);
  return items;
}

describe('a fair queue', () => {
  it('gives each owner its turn, however many items the others have', () => {
    const queue = filled(['a1', A], ['a2', A], ['a3', A], ['b1', B], ['c1', C], ['b2', B]);
    expect(drained(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  it('lets a newcomer wait for one item of each owner', () => {
    const queue = filled(['a1', A], ['a2', A], ['b1', B], ['b2', B]);
    expect(queue.take()).toBe('a1');
    queue.add('c1', C, 0);
    expect(drained(queue)).toEqual(['b1', 'a2', 'c1', 'b2']);
  });

  it('serves lower levels first', () => {
    const queue = filled(['a3', A, 3], ['b1', B, 1], ['a0', A], ['c3', C, 3], ['b0', B]);
    expect(drained(queue)).toEqual(['a0', 'b0', 'b1', 'a3', 'c3']);
  });

  it('serves an item of two owners at the turn of whichever comes first, and once', () => {
    const queue = filled(['a1', A], ['a2', A], ['shared', A], ['b1', B]);
    queue.add('shared', C, 5);
    expect(drained(queue)).toEqual(['a1', 'b1', 'shared', 'a2']);
  });

  it('forgets an item when its last owner leaves', () => {
    const queue = filled(['x', A], ['y', A]);
    queue.add('x', B, 0);
    queue.leave('x', A);
    expect(queue.has('x')).toBe(true);
    queue.leave('x', B);
    queue.leave('x', C);
    expect([queue.has('x'), queue.size, queue.peek()]).toEqual([false, 1, { item: 'y', level: 0 }]);
    expect(drained(queue)).toEqual(['y']);
  });

  it('never lets an owner wait for more than one item of each other owner', () => {
    const items = fc.array(fc.tuple(fc.nat(4), fc.nat(2)), { maxLength: 40 });
    fc.assert(
      fc.property(items, (list) => {
        const owners = Array.from({ length: 5 }, (_, index) => ({ index }));
        const queue = new FairQueue<{ owner: number; level: number }>();
        const all = list.map(([owner, level]) => ({ owner, level }));
        for (const item of all) queue.add(item, owners[item.owner]!, item.level);
        const order: typeof all = [];
        for (let item = queue.take(); item !== undefined; item = queue.take()) order.push(item);
        expect(new Set(order)).toEqual(new Set(all));
        expect(order).toHaveLength(all.length);
        for (const level of [0, 1, 2]) {
          const owned = order.filter((item) => item.level === level).map(({ owner }) => owner);
          for (const owner of new Set(owned)) {
            const before = owned.slice(0, owned.indexOf(owner));
            expect(new Set(before).size).toBe(before.length);
          }
        }
        const levels = order.map(({ level }) => level);
        expect(levels).toEqual(levels.toSorted((a, b) => a - b));
      }),
    );
  });
});
