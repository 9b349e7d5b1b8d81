import { straceLine } from './strace-line.ts';

/**
 * A row of `strace -c`: share, seconds, microseconds for each call, calls, perhaps errors, name.
 */
const ROW = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_]\w*)\s*$/;

/** How often each call was made, by a summary of `strace -c` or a log of strace. */
export function callCounts(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, count, name] = ROW.exec(line) ?? [];
    const call = name ?? /^(\w+)\(/.exec(straceLine(line).rest)?.[1];
    if (call !== undefined && call !== 'total')
      counts.set(call, (counts.get(call) ?? 0) + Number(count ?? 1));
  }
  return counts;
}
