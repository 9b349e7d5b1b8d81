/** How long a store may take for one answer where nobody's container waits for it, in milliseconds. */
export const UPKEEP_DEADLINE = 30_000;

/** Thrown when a store has not answered in time; what it was asked goes on unobserved. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed';
}

/** A store in this process needs no event loop to answer; for it alone, the first timer of a process would take 0.3 ms. */
const TURNS = 100;

/**
 * The answer of `work`, or {@link DeadlinePassed} after `milliseconds`: a container must not wait for a cache.
 * A later rejection of `work` is nobody's business any more, and swallowed.
 */
export async function withDeadline<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const state = { settled: false };
  const settle = () => void (state.settled = true);
  work.then(settle, settle);
  for (let turn = 0; turn < TURNS && !state.settled; turn += 1) await Promise.resolve();
  if (state.settled) return work;
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlinePassed(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
