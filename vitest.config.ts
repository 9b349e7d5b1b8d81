import { defineConfig } from 'vitest/config';

// A limit ends only what hangs: tests must also pass on a machine that is busy with something else.
const minutes = (count: number) => ({ testTimeout: count * 60_000, hookTimeout: count * 60_000 });

// `npm test` runs `fast`, `npm run test:slow` the others. CONTRIBUTING.md says what each is for.
export default defineConfig({
  test: {
    // Of two cores, vitest would leave one to its own process, which has hardly anything to do.
    maxWorkers: '100%',
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
