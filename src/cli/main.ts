#!/usr/bin/env node
import { runCommandLine } from './program.ts';

// Not left to the event loop: a cache that hangs must not keep a finished command alive.
process.exit(await runCommandLine(process.argv.slice(2)));
