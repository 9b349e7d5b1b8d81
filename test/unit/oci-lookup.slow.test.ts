/**
 * The look-up without Node against the exact reader, on configurations that runtimes read
 * differently.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostileDocument, KEY } from '../e2e/oci/hostile.ts';
import { exactly, lookup } from '../e2e/oci/lookup.ts';
import { pathOf } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';

const DOCUMENTS = 250;
const AWKS = ['mawk', 'gawk', 'busybox', 'original-awk'].filter((name) => pathOf(name) !== undefined);

const folder = mkdtempSync(join(tmpdir(), 'seccompc-lookup-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(skipWithout(AWKS.length > 0 ? {} : { missing: 'no awk' }))('the look-up without Node', () => {
  it.each(AWKS)('of %s has the answer of the exact reader where that has one', async (awk) => {
    const options = { root: '/r', calls: ['read', 'mkdir'], filters: ['BgAAAAAA/38='] };
    const counts = { hits: 0, passed: 0, left: 0, unreadable: 0 };
    for (let number = 0; number < DOCUMENTS; number++) {
      const document = hostileDocument(number, options);
      const { output, pair } = await exactly(document);
      const found = await lookup(awk, join(folder, `${awk}.${number}`), document);
      if (found === undefined) counts.left += 1;
      else if (found.equals(document)) {
        counts.passed += 1;
        expect([number, pair]).toEqual([number, undefined]);
      } else if (output === undefined) {
        // The runtime refuses it too, or reads the same: test/e2e/oci-readers.test.ts.
        counts.unreadable += 1;
      } else {
        counts.hits += 1;
        const read = (text: Uint8Array): unknown => JSON.parse(Buffer.from(text).toString('latin1'));
        expect([number, read(found)]).toEqual([number, read(output)]);
        expect([number, found.includes(`"${KEY}":"${pair?.filter}"`)]).toEqual([number, true]);
      }
    }
    console.log(awk, JSON.stringify(counts));
    expect(counts.hits).toBeGreaterThan(DOCUMENTS / 20);
    expect(counts.left).toBeGreaterThan(DOCUMENTS / 10);
  });

  it.each(AWKS)('of %s finds no filter for a profile that is not that of linux', async (awk) => {
    const member = '"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}';
    const documents = [
      `{"x":{${member}},"linux":{}}`,
      `{"linux":{},"x":{${member}}}`,
      `{"linux":{"resources":{${member}}}}`,
      `{"linux":{"x":[{${member}}]}}`,
      `{"x":{"linux":{${member}}}}`,
      `[{"linux":{${member}}}]`,
      `{"linux":{"x":"\\"{}","y":["]"]/*,${member}*/}}`,
      `{"linux":{"x":{}},"y":["{",{"x":"}",${member}}]}`,
    ];
    for (const document of documents)
      expect([document, await lookup(awk, join(folder, `${awk}.no`), Buffer.from(document))]).toEqual([
        document,
        undefined,
      ]);
    const found = `{"x":["{",{}],"linux":{"y":{"z":["}"]},${member},"z":{}},"v":{}}`;
    const filtered = await lookup(awk, join(folder, `${awk}.no`), Buffer.from(found));
    expect(filtered?.toString()).toContain(KEY);
  });
});
