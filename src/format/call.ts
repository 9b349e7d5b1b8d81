/** Calls, conditions and arguments as people write them in C, in both directions. */
export * from '../syscalls/call-text.ts';
