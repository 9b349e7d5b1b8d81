import { readFileSync } from 'node:fs';
import { sha256 } from '../sha256.ts';
import { writeSlot } from './folder.ts';
import type { HotRequest } from './request.ts';
import { cacheFolderOf } from './serve.ts';

/** What a shell passes on without a thought. Neither these words nor a build or a kernel's release have a `!`. */
const PLAIN_WORD = /^[\w.,:=+@%/-]+$/;

/**
 * Keeps a program for src/cli/seccompc-sh, which knows only words: under the command line, as far as that says all that
 * the program depends on but for the profile, whose hash is kept beside it. Does nothing for other command lines.
 */
export function keepForShell(
  args: readonly string[],
  request: HotRequest,
  build: string,
  { input, product }: { input: Uint8Array; product: Uint8Array },
): void {
  const folder = cacheFolderOf(request);
  if (folder === undefined || !args.every((word) => PLAIN_WORD.test(word))) return;
  if (request.output !== undefined || request.json || request.speaks || !request.file.startsWith('/')) return;
  // The default is that of this Node, and another one may be found next time.
  if (!args.includes('--arch')) return;
  const release = kernelRelease();
  if (release === undefined) return;
  const slot = [build, release, ...args].join(' ').replaceAll('/', '!');
  const program = `${folder}/sh/${slot}.bpf`;
  // As `sha256sum -c` reads it.
  const sums = `${sha256(input)}  ${request.file}\n${sha256(product)}  ${program}\n`;
  writeSlot(folder, 'sh', `${slot}.bpf`, () => product);
  writeSlot(folder, 'sh', `${slot}.sum`, () => Buffer.from(sums));
}

function kernelRelease(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/osrelease', 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}
