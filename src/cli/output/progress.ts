import type { OutputOptions } from './report.ts';

/** Progress of a long command: one line on the terminal, nothing elsewhere. */
export interface Progress {
  show(done: number): void;
  /** Makes room for other output. */
  clear(): void;
}

/** Milliseconds: shorter work ends before a person could read the line. */
const WORTH_SHOWING = 1000;
/** The terminal is slower than the work: milliseconds between two changes of the line. */
const PAUSE = 100;

export function makeProgress(total: number, { quiet, json }: OutputOptions): Progress {
  if (total < 2 || quiet || json || !process.stderr.isTTY || process.env['TERM'] === 'dumb')
    return { show: () => {}, clear: () => {} };
  const { stderr } = process;
  const begin = performance.now();
  let next = begin + WORTH_SHOWING;
  let shown = false;
  return {
    show(done) {
      const now = performance.now();
      if (now < next || done === 0) return;
      next = now + PAUSE;
      shown = true;
      const rate = done / (now - begin);
      const left = `${perSecond(rate * 1000)} a second, ${duration((total - done) / rate / 1000)} left`;
      stderr.write(`\r\u001b[K${done} of ${total}, ${left}`);
    },
    clear() {
      if (shown) stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}

function perSecond(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}

/** `7 s`, `2 min 5 s`. */
function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
