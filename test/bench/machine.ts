/** Where the figures come from. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';

export function describeMachine(library: string): Record<string, string> {
  return {
    processor: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    kernel: `Linux ${release()}`,
    'BPF JIT': read('/proc/sys/net/core/bpf_jit_enable') === '1' ? 'on' : 'off or unknown',
    'Spectre v2': read('/sys/devices/system/cpu/vulnerabilities/spectre_v2'),
    node: process.version,
    libseccomp: library,
    compiler: execFileSync('cc', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? 'unknown',
    'load at the start': load(),
  };
}

/** Of the last minute: how much else was going on. */
export function load(): string {
  return (loadavg()[0] ?? 0).toFixed(2);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
