/**
 * What this machine has for filters: kernel, runtimes, and which ways to deliver a filter work
 * here.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { findProgram } from '../fs/find-program.ts';
import { hostArch } from '../host.ts';
import { LAUNCHER_ARCHES } from '../launcher/launcher.ts';
import { NECESSARY_TOOLS } from '../oci/runtime/install.ts';
import { compareReleases } from '../target.ts';

export interface HostFacts {
  kernel: {
    release: string;
    arch: string;
    /** Actions that it knows, and those that it logs; null if it does not say. */
    actions: string[] | null;
    logged: string[] | null;
    userNotification: boolean | null;
    /**
     * Filters of this process, which every program that it starts has too; null if the kernel does
     * not say.
     */
    ownFilters: number | null;
  };
  programs: HostProgram[];
  ways: Way[];
  node: { version: string; extraCaCerts: boolean };
}

/** null: not here, or it does not say. */
export interface HostProgram {
  name: string;
  path: string | null;
  release: string | null;
  libseccomp: string | null;
}

/** A way to deliver a filter. */
export interface Way {
  command: string;
  /** Why it does not work here; null if it does. */
  lacks: string | null;
}

const RUNTIMES = ['crun', 'runc', 'youki'];
const ENGINES = ['podman', 'docker', 'containerd', 'nerdctl'];
/** Bounded, because a program can print anything. */
const RELEASE = /(?<!\d)\d{1,9}(?:\.\d{1,9}){1,5}/;
const LIBSECCOMP = /libseccomp(?:\.version)?"?: *"?([\d.]+)/;
/** The oldest crun that reads the annotation, and the oldest that has a cache (docs/oci.md). */
const WITH_ANNOTATION = '0.18';
const WITH_CACHE = '1.14';

export async function hostFacts(): Promise<HostFacts> {
  const programs = await Promise.all([...RUNTIMES, ...ENGINES, 'bwrap'].map(ask));
  const kernel = kernelFacts();
  const { version, env } = process;
  const node = { version: version.slice(1), extraCaCerts: Boolean(env['NODE_EXTRA_CA_CERTS']) };
  return { kernel, programs: programs.map(({ program }) => program), ways: ways(programs, kernel), node };
}

/** The shortest of a few starts, in milliseconds. */
export async function nodeStart(env: NodeJS.ProcessEnv): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < 3; run++) {
    const begin = performance.now();
    await output(process.execPath, ['-e', '0'], env);
    times.push(performance.now() - begin);
  }
  return Math.min(...times);
}

function kernelFacts(): HostFacts['kernel'] {
  const words = (name: string) => textOf(`/proc/sys/kernel/seccomp/${name}`)?.trim().split(/\s+/) ?? null;
  const [actions, logged] = [words('actions_avail'), words('actions_logged')];
  const own = /^Seccomp_filters:\s*(\d+)$/m.exec(textOf('/proc/self/status') ?? '')?.[1];
  return {
    release: release(),
    arch: hostArch(),
    actions,
    logged,
    userNotification: actions && actions.includes('user_notif'),
    ownFilters: own === undefined ? null : Number(own),
  };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

interface Asked {
  program: HostProgram;
  said: string;
}

async function ask(name: string): Promise<Asked> {
  const path = findProgram(name) ?? null;
  const said = path === null ? '' : await output(path, ['--version']);
  const more =
    path !== null && said !== '' && RUNTIMES.includes(name) && !LIBSECCOMP.test(said)
      ? await output(path, ['features'])
      : '';
  return {
    said,
    program: {
      name,
      path,
      release: RELEASE.exec(said)?.[0] ?? null,
      libseccomp: LIBSECCOMP.exec(`${said}\n${more}`)?.[1] ?? null,
    },
  };
}

/** Standard output; empty if it cannot be run. */
function output(path: string, args: string[], env = process.env): Promise<string> {
  return new Promise((resolve) => {
    const settings = { timeout: 10_000, killSignal: 'SIGKILL', env } as const;
    execFile(path, args, settings, (_, stdout) => resolve(stdout)).stdin?.end();
  });
}

function ways(asked: readonly Asked[], kernel: HostFacts['kernel']): Way[] {
  const has = (name: string) => asked.find(({ program }) => program.name === name)!.program.path !== null;
  const oneOf = (...names: string[]) => (names.some(has) ? undefined : `needs ${names.join(' or ')}`);
  const { program: crun, said } = asked.find(({ program }) => program.name === 'crun')!;
  const crunFrom = (oldest: string) => {
    if (crun.path === null) return 'needs crun';
    if (!said.startsWith('crun version') || crun.release === null)
      return `${crun.path} does not say that it is crun`;
    if (!said.includes('+SECCOMP')) return `${crun.path} is built without seccomp`;
    return compareReleases(crun.release, oldest) < 0
      ? `crun ${crun.release} is older than ${oldest}`
      : undefined;
  };
  const tools = NECESSARY_TOOLS.filter((name) => findProgram(name) === undefined);
  const withoutTools = tools.length === 0 ? undefined : `needs ${tools.join(' and ')}`;
  const noKernel =
    kernel.actions === null
      ? 'the kernel does not say that it has filters (/proc/sys/kernel/seccomp)'
      : undefined;
  const noLauncher = LAUNCHER_ARCHES.some((arch) => arch === kernel.arch)
    ? noKernel
    : `there is no launcher for ${kernel.arch}`;
  const lacks: Record<string, string | undefined> = {
    'runtime install': crunFrom(WITH_ANNOTATION) ?? withoutTools ?? oneOf(...ENGINES),
    'hook install': crunFrom(WITH_ANNOTATION) ?? oneOf('podman'),
    annotate: crunFrom(WITH_ANNOTATION) ?? oneOf('podman', 'docker', 'containerd'),
    bundle: crunFrom(WITH_ANNOTATION),
    'crun-cache warm': crunFrom(WITH_CACHE),
    'resolve --for runc': oneOf('runc'),
    'resolve --for youki': oneOf('youki'),
    'compile --format elf': noLauncher,
    exec: noLauncher,
    'compile, for bwrap': noKernel ?? oneOf('bwrap'),
  };
  return Object.entries(lacks).map(([command, reason]) => ({ command, lacks: reason ?? null }));
}
