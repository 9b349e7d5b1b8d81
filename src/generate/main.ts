import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
process.exitCode = await runCommand(process.argv.slice(2), root, { out: console.log, err: console.error });
