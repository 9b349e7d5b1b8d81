#!/usr/bin/env node
void import('./program.ts').then(async ({ runCommandLine }) => {
  // Not left to the event loop: a cache that hangs must not keep a finished command alive.
  process.exit(await runCommandLine(process.argv.slice(2)));
});
