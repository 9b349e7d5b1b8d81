import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lru } from '../../src/cache/stores/lru.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ get: key }) },
  { weight: 4, arbitrary: fc.record({ set: key, value: fc.nat(), bytes: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ remove: key }) },
  fc.constant({ clear: true }),
);

describe('a map bounded by bytes', () => {
  it('holds what was used last, and never more than its limit', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.array(step, { maxLength: 60 }), (limit, steps) => {
        const lru = new Lru<number>(limit);
        // Oldest first, as a plain list.
        let model: { name: string; value: number; bytes: number }[] = [];
        let evicted = 0;
        for (const one of steps) {
          if ('get' in one) {
            const found = model.find(({ name }) => name === one.get);
            expect(lru.get(one.get)).toBe(found?.value);
            if (found) model = [...model.filter((entry) => entry !== found), found];
          } else if ('remove' in one) {
            lru.remove(one.remove);
            model = model.filter(({ name }) => name !== one.remove);
          } else if ('clear' in one) {
            lru.clear();
            model = [];
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
          expect(lru.all()).toEqual(model.map(({ name, value }) => [name, value]));
          const bytes = model.reduce((sum, entry) => sum + entry.bytes, 0);
          expect([lru.entries, lru.bytes, lru.evicted]).toEqual([model.length, bytes, evicted]);
        }
      }),
    );
  });
});
