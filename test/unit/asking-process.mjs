/**
 * Asks a database, named by the first argument, in a process of its own: one question that is answered, then one whose
 * query does not end. That process gets the standard error of this one, which so stays open until both have ended.
 */
import childProcess from 'node:child_process';
import { sqliteStoreApart } from '../../src/cache/stores/sqlite-apart.ts';

/** @type {any} */
const modifiable = childProcess;
const { spawn } = modifiable;
/** @type {(command: string, args: string[], options: { stdio: string[] }) => unknown} */
modifiable.spawn = (command, args, options) =>
  spawn(command, args, { ...options, stdio: options.stdio.with(2, 'inherit') });

const times = { answerTime: 600_000, sweepTime: 600_000 };
const store = sqliteStoreApart(String(process.argv[2]), times);
await store.get('0f'.repeat(32));
void store.shrink?.({ bytes: Infinity, age: Infinity });
await new Promise(setImmediate);
process.stdout.write('asked\n');
