/**
 * The file name of a compiled profile in crun's cache: undocumented, tested with crun 1.21 and
 * 1.28.
 */
import { blake3 } from '@noble/hashes/blake3.js';
import { itemsOf, valueOf } from '../../profile/json.ts';
import type { JsonNode } from '../../profile/json.ts';

/** The versions that are part of the name, as in `crun features`. */
export interface CrunBuild {
  version: string;
  /** Major, minor, micro. */
  libseccomp: readonly [number, number, number];
}

/** The fields of uname(2) that are part of the name. */
export interface Machine {
  release: string;
  version: string;
  machine: string;
}

/**
 * 64 hex digits: BLAKE3-256 over the members of the profile. It covers neither the errnos of
 * entries nor where a string ends, so different profiles can share a name.
 *
 * @param failUnknown Whether the container has the annotation run.oci.seccomp_fail_unknown_syscall.
 */
export function crunCacheKey(
  seccomp: JsonNode,
  { version, libseccomp }: CrunBuild,
  machine: Machine,
  failUnknown: boolean,
): string {
  const hash = blake3.create();
  const bytes = (data: Uint8Array) => void hash.update(data);
  const text = (node: JsonNode | undefined) => {
    if (node?.kind === 'string') bytes(Buffer.from(node.value));
  };
  const number = (node: JsonNode | undefined, size: 4 | 8) => {
    if (node?.kind === 'number') bytes(littleEndian(BigInt(node.text), size));
  };

  bytes(Buffer.from(version));
  for (const part of libseccomp) bytes(littleEndian(BigInt(part), 4));
  for (const part of [machine.release, machine.version, machine.machine]) bytes(Buffer.from(part));
  bytes(littleEndian(failUnknown ? 1n : 0n, 4));
  const errno = valueOf(seccomp, 'defaultErrnoRet');
  if (errno?.kind === 'number') number(errno, 4);
  else bytes(littleEndian(0n, 4));
  text(valueOf(seccomp, 'defaultAction'));
  itemsOf(valueOf(seccomp, 'flags')).forEach(text);
  itemsOf(valueOf(seccomp, 'architectures')).forEach(text);
  for (const entry of itemsOf(valueOf(seccomp, 'syscalls'))) {
    text(valueOf(entry, 'action'));
    itemsOf(valueOf(entry, 'names')).forEach(text);
    for (const arg of itemsOf(valueOf(entry, 'args'))) {
      number(valueOf(arg, 'index'), 4);
      number(valueOf(arg, 'value'), 8);
      number(valueOf(arg, 'valueTwo'), 8);
      text(valueOf(arg, 'op'));
    }
  }
  return Buffer.from(hash.digest()).toString('hex');
}

function littleEndian(value: bigint, size: 4 | 8): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.subarray(0, size);
}
