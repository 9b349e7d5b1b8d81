import { describe, expect, test } from 'vitest';
import { allArches } from '../../src/arch.ts';
import { policy, PRESETS } from '../../src/sandbox/index.ts';
import { brokenPromise } from './sandbox-promises.ts';

describe.each(PRESETS.map((preset) => [preset.name, preset] as const))('%s', (name, preset) => {
  test.each(allArches().map((arch) => arch.name))('keeps its promise on %s', (arch) => {
    expect(brokenPromise(name, policy({ default: 'allow' }).use(preset), arch)).toBeUndefined();
  });
});
