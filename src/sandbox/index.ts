/** seccompc/sandbox: filters for authors of sandboxes, at once and without a file. */
export { arg } from './condition.ts';
export type { ArgumentConditions, Condition, Value } from './condition.ts';
export { policy, Policy, wrapSpawn } from './policy.ts';
export type { Calls, PolicyOptions, Preset, SandboxOptions } from './policy.ts';
export type { Answer, Rule } from './profile.ts';
export type { BwrapFilter } from './start.ts';
export {
  mediatedNetwork, noIoUring, noKernelKeyring, noNetwork, noNewNamespaces, noPtrace, noTerminalInjection, noUnixSockets,
  PRESETS,
} from './presets.ts'; // prettier-ignore
export type { CallName } from '../syscalls/generated/call-name.ts';
export { SeccompcError } from '../errors.ts';
