import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheKey, keyedOptions, keyFields } from '../../src/cache/key.ts';
import { makeTarget } from '../../src/target.ts';

describe('the key of an input', () => {
  it('is the same whether its options are encoded once or each time', async () => {
    const input = fc.oneof(
      fc.uint8Array(),
      fc.constantFrom('s5:inputb0:', 'b0:', '').map((text) => Buffer.from(text)),
    );
    const settings = fc.record({
      optimize: fc.constantFrom('attach' as const, 'frequency' as const, 'size' as const),
      prove: fc.constantFrom('auto' as const, 'never' as const, 'require' as const),
      target: fc.constantFrom('X86_64' as const, 'S390X' as const).map((arch) => makeTarget({ arch })),
      file: fc.constantFrom('-', 's5:inputb0:'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(input, { maxLength: 4 }), settings, async (inputs, options) => {
        const { keyOf } = await keyedOptions(options);
        for (const bytes of inputs) expect(keyOf(bytes)).toBe(cacheKey(await keyFields(bytes, options)));
      }),
    );
  });
});
