/** seccompc/sandbox: filters for authors of sandboxes, at once and without a file. */
export { arg } from './condition.ts';
export type { ArgumentConditions, Condition, Value } from './condition.ts';
export { policy, Policy } from './policy.ts';
export type { Calls, PolicyOptions, Preset, SandboxOptions } from './policy.ts';
export {
  mediatedNetwork, noIoUring, noKernelKeyring, noNetwork, noNewNamespaces, noPtrace, noTerminalInjection, noUnixSockets,
  PRESETS,
} from './presets.ts'; // prettier-ignore
export { SeccompcError } from '../errors.ts';
