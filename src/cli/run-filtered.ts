/**
 * Running a command under a filter, without what compiles one: an answer of the hot tier needs no
 * more.
 */
import { constants } from 'node:os';
import type { ArchName } from '../arch.ts';
import { diagnostic, fail } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { findCommand } from '../fs/find-program.ts';
import { bytesOfWords, callersEnvironment, runUnderFilter } from '../oci/process/start-filtered.ts';
import type { Target } from '../target.ts';
import type { OutputOptions } from './output/report.ts';

/** A filter that this machine can load. */
export interface Loadable {
  bytes: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*. */
  flags: number;
  /** Of this machine. */
  arch: ArchName;
  /** How the profile was compiled; none for a filter without one. */
  origin?: { target: Target; jsonc: boolean };
}

export interface Run extends OutputOptions {
  /** The command, in Node's form. */
  words: readonly string[];
  /** The profile or filter, as it was read. */
  input: Uint8Array;
  file: string;
  /** Descriptors from 3 on that stay open. */
  keep?: readonly number[];
}

/** @returns the exit code of the command, or why it did not start. @throws SeccompcError */
export async function runFiltered({ bytes, flags, arch, origin }: Loadable, run: Run): Promise<number> {
  const words = bytesOfWords(run.words);
  if (words === undefined)
    fail('USAGE', { reason: 'with arguments that are not UTF-8, put -- before the command' });
  const environment = callersEnvironment();
  const found = findCommand(words[0]!, environment);
  if ('reason' in found) {
    const { reason, exitCode } = found;
    await print(diagnostic('COMMAND_NOT_STARTED', { command: run.words[0]!, reason }), {});
    return exitCode;
  }
  const started = Date.now();
  const { exitCode, signal, pid } = await runUnderFilter(
    bytes,
    { path: found.path, words, environment, keep: run.keep ?? [] },
    { arch, flags },
  );
  // A shell exits like this if SIGSYS ended the program that it ran last.
  const isRefused = signal === 'SIGSYS' || (signal === null && exitCode === 128 + constants.signals.SIGSYS);
  if (isRefused && origin !== undefined) {
    const { refusedCall } = await import('./refused-call.ts');
    const { openProfile } = await import('./options/profile-file.ts');
    const { target, jsonc } = origin;
    const { bytes: profile, file } = await openProfile(run.input, run.file, { jsonc });
    await print(
      await refusedCall({ profile, file, target }, signal === null ? undefined : pid, started),
      run,
    );
  }
  return exitCode;
}

async function print(found: Diagnostic, output: OutputOptions): Promise<void> {
  const { printDiagnostics } = await import('./output/report.ts');
  await printDiagnostics([found], output);
}

/** The product of `exec` in the hot tier. */
export function keptForm({ bytes, ...rest }: Loadable, { quiet, json }: OutputOptions): string {
  return JSON.stringify({ ...rest, quiet, json, bytes: Buffer.from(bytes).toString('base64') });
}

/** Runs a command under a filter that was kept. @throws as {@link runFiltered} */
export async function runKept(product: Buffer, run: Omit<Run, 'quiet' | 'json' | 'keep'>): Promise<number> {
  const kept = JSON.parse(product.toString()) as Loadable & OutputOptions & { bytes: string };
  return runFiltered({ ...kept, bytes: Buffer.from(kept.bytes, 'base64') }, { ...kept, ...run });
}
