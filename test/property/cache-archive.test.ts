import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { writeLoweredAlias } from '../../src/cache/records/alias.ts';
import { writeObject } from '../../src/cache/records/object.ts';
import type { NewRecord } from '../../src/cache/stores/store.ts';
import { transfer } from '../../src/cache/records/transfer.ts';
import { exportOf, read } from '../unit/archive-files.ts';
import { mapStore, program } from '../unit/cache-records.ts';
import { runs } from '../runs.ts';

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const label = fc.string({ unit: 'binary', maxLength: 220 });
const number = fc.integer({ min: 0, max: 0xffff_ffff });

const pair = fc
  .record({
    key: hex,
    k: number,
    label,
    endian: fc.constantFrom('little' as const, 'big' as const),
    proved: fc.boolean(),
  })
  .map(({ key, k, label: said, endian, proved }): NewRecord[] => {
    const { digest, text } = writeObject(program(k, endian));
    return [
      { key: digest, text, kind: 'object', label: said },
      { key, text: writeLoweredAlias(key, { object: digest, proved }), kind: 'alias', label: said },
    ];
  });
const records = fc
  .array(pair, { maxLength: 6 })
  .map((pairs) => [...new Map(pairs.flat().map((record) => [record.key, record])).values()]);

it('export, import, export: the same file', async () => {
  await fc.assert(
    fc.asyncProperty(records, async (some) => {
      const file = await exportOf(mapStore(some));
      const source = read(file);
      if ('refused' in source) throw new Error(source.refused);
      const store = mapStore();
      const imported = await transfer(source, store, { signedOnly: false });
      expect(imported).toEqual({ sent: some.length, present: 0, unsigned: 0, refused: [] });
      expect(await exportOf(store)).toEqual(file);
    }),
    { numRuns: runs(20, 100) },
  );
});
