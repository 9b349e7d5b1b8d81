/**
 * Flags of V8 by which a function has to run a good deal more often before the optimizing compilers take it up. By releases
 * of Node, since V8 renames them and complains of those it does not know.
 */
const FLAGS: Record<number, string[]> = {
  20: ['--interrupt-budget=1000000'],
  22: ['--invocation-count-for-turbofan=30000', '--invocation-count-for-maglev=100000'],
  24: ['--invocation-count-for-turbofan=30000', '--invocation-count-for-maglev=100000'],
  26: ['--invocation-count-for-turbofan=30000', '--invocation-count-for-maglev=100000'],
};
const RELEASE = Number.parseInt(process.versions.node, 10);

let mayChangeFlags = (): boolean => true;

/** Has the first file asked, which loads us with code that other flags would make useless. */
export function askBeforeFlags(ask: () => boolean): void {
  mayChangeFlags = ask;
}

/**
 * For a process that compiles one profile and ends: optimized code comes too late to be used and takes a third of
 * the processor time. What runs for long, such as the proof of a very large profile, is still optimized.
 */
export function optimizeLater(): void {
  const flags = FLAGS[RELEASE];
  if (flags === undefined || !mayChangeFlags()) return;
  const setFlag = ofBinding() ?? process.getBuiltinModule('node:v8').setFlagsFromString;
  flags.forEach((flag) => setFlag(flag));
}

/**
 * The same function from where node:v8 has it, without the streams that node:v8 loads too, which take 2 ms. Node 24 does
 * not give it out any more; older releases warn that it is deprecated, which nobody who compiles a profile can mend.
 */
function ofBinding(): ((flag: string) => void) | undefined {
  if (RELEASE > 22) return undefined;
  const { emitWarning } = process; // oxlint-disable-line typescript/unbound-method -- put back, not called
  process.emitWarning = () => {};
  try {
    const { binding } = process as {
      binding?: (name: string) => { setFlagsFromString?: (flag: string) => void };
    };
    return binding?.('v8').setFlagsFromString;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
