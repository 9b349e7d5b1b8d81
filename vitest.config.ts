import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

// A limit ends only what hangs: tests must also pass on a machine that is busy with something else.
const minutes = (count: number) => ({ testTimeout: count * 60_000, hookTimeout: count * 60_000 });

/** Vitest starts with the largest files. These take longest: at the end, one worker would be alone with them. */
const LONGEST = [
  'property/arguments',
  'property/prove-cases',
  'property/assert',
  'cli/hook.slow',
  'differential/naive',
  'differential/proof.',
  'differential/libseccomp',
  'differential/oracles',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((part) => moduleId.includes(part));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

// `npm test` runs `fast`, `npm run test:slow` the others. CONTRIBUTING.md says what each is for.
export default defineConfig({
  test: {
    // Of two cores, vitest would leave one to its own process, which has hardly anything to do.
    maxWorkers: '100%',
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/{unit,golden,property,cli}/**/*.test.ts'],
          exclude: ['**/*.slow.test.ts'],
          ...minutes(2),
        },
      },
      { test: { name: 'commands', include: ['test/{cli,unit}/**/*.slow.test.ts'], ...minutes(10) } },
      { test: { name: 'oracles', include: ['test/differential/**/*.test.ts'], ...minutes(10) } },
      {
        test: {
          name: 'system',
          include: ['test/{e2e,stores}/**/*.test.ts'],
          globalSetup: 'test/e2e/setup.ts',
          // They start containers, servers and mounts that all of the machine shares.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          ...minutes(10),
        },
      },
    ],
  },
});
