/** Who gets the notifications under crun: get_seccomp_receiver_fd in src/libcrun/container.c. */
import { readFileSync } from 'node:fs';
import { fail } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';

/** Annotations that make crun send the listener to a socket, or to libraries that it loads. */
export const LISTENER_ANNOTATIONS = ['run.oci.seccomp.receiver', 'run.oci.seccomp.plugins'] as const;

/** The default of crun if neither linux.seccomp nor an annotation names a socket. */
const RECEIVER_VARIABLE = 'RUN_OCI_SECCOMP_RECEIVER';

export interface Listener {
  source: string;
  listener: string;
}

/**
 * The listeners in the environment of the runtime, which is the hook's parent or started its shell.
 * @throws SeccompcError LISTENER_UNKNOWN
 */
export function listenerOfRuntime(): Listener[] {
  let environment: string;
  try {
    environment = readFileSync(`/proc/${process.ppid}/environ`, 'utf8');
  } catch (cause) {
    return fail('LISTENER_UNKNOWN', { reason: systemReason(cause) }, { cause });
  }
  const prefix = `${RECEIVER_VARIABLE}=`;
  const ofParent = environment
    .split('\0')
    .filter((variable) => variable.startsWith(prefix))
    .map((variable) => variable.slice(prefix.length));
  const own = process.env[RECEIVER_VARIABLE];
  const values = new Set([...ofParent, ...(own === undefined ? [] : [own])]);
  return [...values].map((listener) => ({ source: `the runtime's variable ${RECEIVER_VARIABLE}`, listener }));
}
