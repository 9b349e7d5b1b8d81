import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../src/workers/fair-queue.ts';

const [A, B, C] = [{ owner: 'A' }, { owner: 'B' }, { owner: 'C' }];

function filled(...entries: [item: string, owner: object][]): FairQueue<string> {
  const queue = new FairQueue<string>(() => 0);
  for (const [item, owner] of entries) queue.add(item, owner);
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
    queue.add('c1', C);
    expect(drained(queue)).toEqual(['b1', 'a2', 'c1', 'b2']);
  });

  it('serves owners of lower levels first, whatever level they had before', () => {
    const levels = new Map<object, number>([[A, 3], [B, 1]]); // prettier-ignore
    const queue = new FairQueue<string>((owner) => levels.get(owner) ?? 0);
    for (const item of ['a1', 'a2']) queue.add(item, A);
    for (const item of ['b1', 'b2']) queue.add(item, B);
    for (const item of ['c1', 'c2']) queue.add(item, C);
    expect([queue.take(), queue.take(), queue.take()]).toEqual(['c1', 'c2', 'b1']);
    levels.set(B, 4);
    expect(queue.peek()).toEqual({ item: 'a1', owner: A, level: 3 });
    expect(drained(queue)).toEqual(['a1', 'a2', 'b2']);
  });

  it('serves an item of two owners at the turn of whichever comes first, and once', () => {
    const queue = filled(['a1', A], ['a2', A], ['shared', A], ['b1', B]);
    queue.add('shared', C);
    expect(drained(queue)).toEqual(['a1', 'b1', 'shared', 'a2']);
  });

  it('forgets an item when its last owner leaves', () => {
    const queue = filled(['x', A], ['y', A]);
    queue.add('x', B);
    queue.leave('x', A);
    expect(queue.has('x')).toBe(true);
    queue.leave('x', B);
    queue.leave('x', C);
    expect([queue.has('x'), queue.size, queue.peek()?.item]).toEqual([false, 1, 'y']);
    expect(drained(queue)).toEqual(['y']);
  });

  it('never lets an owner wait for more than one item of each other owner of its level', () => {
    const items = fc.array(fc.nat(4), { maxLength: 40 });
    const levels = fc.array(fc.nat(2), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(items, levels, (list, levelOf) => {
        const owners = levelOf.map((level, index) => ({ level, index }));
        const queue = new FairQueue<{ owner: number }>((owner) => (owner as { level: number }).level);
        const all = list.map((owner) => ({ owner }));
        for (const item of all) queue.add(item, owners[item.owner]!);
        const order: typeof all = [];
        for (let item = queue.take(); item !== undefined; item = queue.take()) order.push(item);
        expect(new Set(order)).toEqual(new Set(all));
        expect(order).toHaveLength(all.length);
        for (const level of [0, 1, 2]) {
          const owned = order.map(({ owner }) => owner).filter((owner) => levelOf[owner] === level);
          for (const owner of new Set(owned)) {
            const before = owned.slice(0, owned.indexOf(owner));
            expect(new Set(before).size).toBe(before.length);
          }
        }
        const served = order.map(({ owner }) => levelOf[owner]!);
        expect(served).toEqual(served.toSorted((a, b) => a - b));
      }),
    );
  });
});
