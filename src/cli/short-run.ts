/** Of Node 22 and newer, 50 times the defaults. */
const LATER =
  '--invocation-count-for-maglev=20000 --invocation-count-for-maglev-osr=5000 ' +
  '--invocation-count-for-turbofan=150000 --invocation-count-for-osr=25000';
/** V8 complains about flags that it does not know: those above were tried up to here. */
const NEWEST = 26;

/**
 * Tells V8 to optimise functions later: most processes end before optimised code has paid for
 * itself. docs/performance.md has what that saves, also in compilations of a second.
 */
export function expectShortRun(): void {
  const release = Number.parseInt(process.versions.node, 10);
  if (release > NEWEST) return;
  const flags = release < 22 ? '--interrupt-budget=400000' : LATER;
  process.getBuiltinModule('node:v8').setFlagsFromString(flags);
}
