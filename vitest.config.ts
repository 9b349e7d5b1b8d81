import { defineConfig } from 'vitest/config';

// `fast` belongs to `npm test`; `slow` holds the suites that want an oracle, a kernel or minutes.
export default defineConfig({
  test: {
    // Of two cores, vitest would leave one to its own process, which has hardly anything to do.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/{unit,golden,property,cli}/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'slow',
          include: ['test/{differential,e2e,stores}/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
