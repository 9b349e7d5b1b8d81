import type { OutputOptions } from './report.ts';

/** Progress of a long command: one line on the terminal, nothing elsewhere. */
export interface Progress {
  show(done: number): void;
  /** Makes room for other output. */
  clear(): void;
}

/** Shorter work ends before a person could read the line. */
const WORTH_SHOWING = 20;
/** The terminal is slower than the work: milliseconds between two changes of the line. */
const PAUSE = 100;

export function makeProgress(total: number, { quiet, json }: OutputOptions): Progress {
  const { stderr } = process;
  if (!stderr.isTTY || quiet || json || total < WORTH_SHOWING || process.env['TERM'] === 'dumb')
    return { show: () => {}, clear: () => {} };
  let last = 0;
  let shown = false;
  return {
    show(done) {
      const now = performance.now();
      if (now - last < PAUSE) return;
      last = now;
      shown = true;
      stderr.write(`\r${done} of ${total}`);
    },
    clear() {
      if (shown) stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}
