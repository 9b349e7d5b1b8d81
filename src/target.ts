import type { ArchName } from './arch.ts';

export interface KernelVersion {
  major: number;
  minor: number;
}

/**
 * What a profile is compiled for. Everything the result depends on besides the profile and the options
 * of the code generator is in here; nothing is read from the host. The command fills it from flags and
 * host, a library caller by hand. It is recorded in the result.
 */
export interface Target {
  /** The native architecture: always in the filter, chooses the archMap entry and the byte order. */
  arch: ArchName;
  /** Replaces the profile's own list; undefined keeps it. */
  architectures?: ArchName[];
  /** The container's bounding set, full names (`CAP_CHOWN`), sorted. For includes/excludes. */
  capabilities: string[];
  /** For minKernel. */
  kernel: KernelVersion;
  /** Which engine's reading of the Docker dialect. */
  engine: 'moby' | 'podman';
  /** Whose reading of the OCI object where crun and runc differ. docs/semantics.md section 12. */
  semantics: 'crun' | 'runc';
  /** runc's stub: numbers above the largest one named get ENOSYS. docs/semantics.md section 9. */
  enosysStub: boolean;
  /** Calls that the profile does not name and that are newer than this release get ENOSYS. */
  enosysAfter?: KernelVersion;
  /** What two rules with different actions that can both match one call are: a warning or an error. */
  overlap: 'warn' | 'error';
  /** A name no table knows is an error instead of a warning. */
  failUnknown: boolean;
  /** Accept what is refused only because it is nearly always a mistake. */
  force: boolean;
}
