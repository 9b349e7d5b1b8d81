import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lruByBytes } from '../../src/serve/lru.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const step = fc.oneof(fc.record({ get: key }), fc.record({ set: key, value: fc.nat(), bytes: fc.nat(60) }));

describe('the memory of the server', () => {
  it('holds what was used last, and never more than its limit', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.array(step, { maxLength: 60 }), (limit, steps) => {
        const lru = lruByBytes<number>(limit);
        // Oldest first, as a plain list.
        let model: { name: string; value: number; bytes: number }[] = [];
        let evicted = 0;
        for (const one of steps) {
          if ('get' in one) {
            const found = model.find(({ name }) => name === one.get);
            expect(lru.get(one.get)).toBe(found?.value);
            if (found) model = [...model.filter((entry) => entry !== found), found];
          } else {
            const { set: name, value, bytes } = one;
            lru.set(name, value, bytes);
            model = model.filter((entry) => entry.name !== name);
            if (bytes <= limit) model.push({ name, value, bytes });
            while (model.reduce((sum, entry) => sum + entry.bytes, 0) > limit) {
              model.shift();
              evicted += 1;
            }
          }
          const bytes = model.reduce((sum, entry) => sum + entry.bytes, 0);
          expect([lru.entries, lru.bytes, lru.evicted]).toEqual([model.length, bytes, evicted]);
        }
      }),
    );
  });
});
