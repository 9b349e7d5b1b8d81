/**
 * How often a test repeats what it does at random. `npm test` repeats it a few times, so that it
 * ends soon; `.ci/run` sets SECCOMPC_RUNS to `full`. A number there is a factor on the full count,
 * for a long search.
 */
const setting = process.env['SECCOMPC_RUNS'] ?? 'few';
const factor = Number(setting);
if (setting !== 'few' && setting !== 'full' && !(factor > 0))
  throw new Error(`SECCOMPC_RUNS is "few", "full" or a factor above 0, not "${setting}"`);

/** The number of repetitions: `few` in `npm test`, `full` in continuous integration. */
export function runs(few: number, full: number): number {
  if (setting === 'few') return few;
  return setting === 'full' ? full : Math.ceil(full * factor);
}
