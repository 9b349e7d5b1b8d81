/**
 * Finds the first process of a running container: asks the engines and runtimes that are installed.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fail } from '../../errors.ts';
import { errorCode, systemReason } from '../../fs/system-reason.ts';

type Path = readonly (string | number)[];

/**
 * What each is asked, and where its JSON has the process and, of an engine that may be on another
 * machine, the id.
 */
const ENGINES: Record<string, { words: readonly string[]; pid: Path; id?: Path }> = {
  podman: { words: ['container', 'inspect'], pid: [0, 'State', 'Pid'], id: [0, 'Id'] },
  docker: { words: ['container', 'inspect'], pid: [0, 'State', 'Pid'], id: [0, 'Id'] },
  crictl: { words: ['inspect'], pid: ['info', 'pid'], id: ['status', 'id'] },
  crun: { words: ['state'], pid: ['pid'] },
  runc: { words: ['state'], pid: ['pid'] },
};
export const ENGINE_NAMES = Object.keys(ENGINES);

/** Milliseconds; an engine can wait for a daemon. */
const PATIENCE = 10_000;
const LARGEST_ANSWER = 16 * 1024 * 1024;

export interface RunningContainer {
  pid: number;
  /** Those that know it. */
  engines: string[];
}

type Answer = { engine: string } & ({ pid: number } | { reason: string });

/**
 * @param container A name or an id, as the engine takes it; `docker:web` asks one engine only.
 * @param proc Where the processes of this machine are.
 * @throws SeccompcError CONTAINER_NOT_FOUND, CONTAINER_AMBIGUOUS, CONTAINER_ENGINE_MISSING, USAGE
 */
export async function findContainer(container: string, proc = '/proc'): Promise<RunningContainer> {
  const [, engine, name = ''] = /^(?:(\w+):)?([^-:/\0][^:/\0]*)$/.exec(container) ?? [];
  if (name === '' || (engine !== undefined && !ENGINE_NAMES.includes(engine)))
    fail('USAGE', {
      reason: `--container takes a name or an id, perhaps behind one of ${ENGINE_NAMES.join(':, ')}:`,
    });
  const asked = engine === undefined ? ENGINE_NAMES : [engine];
  const answers = (await Promise.all(asked.map((each) => ask(each, name, proc)))).filter(
    (each) => each !== undefined,
  );
  if (answers.length === 0) fail('CONTAINER_ENGINE_MISSING', { engines: asked.join(', ') });
  const found = answers.flatMap((each) => ('pid' in each ? [each] : []));
  const reasons = answers.map(
    (each) => `${each.engine}: ${'pid' in each ? `process ${each.pid}` : each.reason}`,
  );
  const [first, ...others] = found;
  if (first === undefined) return fail('CONTAINER_NOT_FOUND', { name, reasons: reasons.join('; ') });
  if (others.some(({ pid }) => pid !== first.pid))
    fail('CONTAINER_AMBIGUOUS', { name, reasons: reasons.join('; '), engine: first.engine });
  return { pid: first.pid, engines: found.map((each) => each.engine) };
}

/** Undefined if the engine is not installed. */
async function ask(engine: string, name: string, proc: string): Promise<Answer | undefined> {
  const { words, pid: pidPath, id: idPath } = ENGINES[engine]!;
  let document: unknown;
  try {
    const options = { timeout: PATIENCE, maxBuffer: LARGEST_ANSWER };
    document = JSON.parse((await promisify(execFile)(engine, [...words, name], options)).stdout);
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : { engine, reason: reasonOf(error) };
  }
  const pid = valueAt(document, pidPath);
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0) return { engine, reason: 'it is not running' };
  // The engine can be that of another machine, where the number means another process.
  if (idPath !== undefined && !isPartOf(`${proc}/${pid as number}`, String(valueAt(document, idPath))))
    return { engine, reason: `its process ${pid as number} is not on this machine` };
  return { engine, pid: pid as number };
}

/** The last words of a program that failed. */
function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'its answer is not JSON';
  const { killed, stderr, code } = error as { killed?: boolean; stderr?: string; code?: string | number };
  if (killed === true) return 'it did not answer in time';
  const last = stderr?.trim().split('\n').at(-1);
  if (last) return /\bmsg="(.*)"$/.exec(last)?.[1] ?? last;
  return typeof code === 'number' ? `it says nothing (exit code ${code})` : systemReason(error);
}

/** Engines name control groups, or folders that they mount, after the container. */
function isPartOf(folder: string, id: string): boolean {
  return (
    /^[0-9a-f]{32,}$/.test(id) &&
    ['cgroup', 'mountinfo'].some((file) => {
      try {
        return readFileSync(join(folder, file), 'latin1').includes(id);
      } catch {
        return false;
      }
    })
  );
}

function valueAt(document: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string | number, unknown> | null)?.[key],
    document,
  );
}
