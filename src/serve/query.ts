import { parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { CompileOptions } from '../compile.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { capabilitySet, makeTarget, parseKernelVersion } from '../target.ts';
import type { KernelVersion, Target } from '../target.ts';

/** What a request need not say: the machine that the server runs on. */
export interface HostDefaults {
  arch?: ArchName;
  kernel?: KernelVersion;
}

/** What the query of a request asks for. */
export interface QueryOptions extends Omit<CompileOptions, 'file'> {
  /** Take a profile that asks for no filter, instead of refusing it. */
  allowUnconfined?: boolean;
}

/** Parameters are the command's flags without the dashes; these may come more than once. */
const REPEATABLE = new Set(['cap', 'cap-drop']);
const KNOWN = [
  'arch', 'architectures', 'cap-set', 'cap', 'cap-drop', 'kernel', 'engine', 'semantics', 'enosys-stub',
  'no-enosys-stub', 'enosys-after', 'overlap', 'fail-unknown', 'force', 'optimize', 'no-prove', 'require-proof',
  'allow-unconfined',
]; // prettier-ignore

/**
 * The options that a query asks for, such as `arch=arm64&kernel=6.1&cap=NET_ADMIN`. A flag without a value is
 * set by its name alone, or by 1 or true, and not set by 0 or false.
 *
 * @throws SeccompcError with everything that is wrong with it: REQUEST_INVALID, TARGET_INVALID
 */
export function readQuery(query: URLSearchParams, host: HostDefaults): QueryOptions {
  const faults: Diagnostic[] = [];
  const fault = (reason: string, hint?: string) =>
    void faults.push(diagnostic('REQUEST_INVALID', { reason }, hint === undefined ? {} : { hint }));
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof SeccompcError)) throw error;
      faults.push(...error.diagnostics);
      return undefined;
    }
  };
  for (const name of new Set(query.keys()))
    if (!KNOWN.includes(name)) fault(`there is no parameter "${name}"`, `there are ${KNOWN.join(', ')}`);
    else if (!REPEATABLE.has(name) && query.getAll(name).length > 1) fault(`"${name}" is given twice`);

  const value = <T>(name: string, read: (text: string) => T | undefined, wanted: string): T | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    const found = read(text);
    if (found === undefined) fault(`"${name}" is ${wanted}, not "${text}"`);
    return found;
  };
  const choice = <T extends string>(name: string, known: readonly T[]) =>
    value(name, (text) => known.find((word) => word === text), known.join(' or '));
  const flag = (name: string) => value(name, (text) => SWITCH.get(text), '1, 0, true or false') ?? false;
  const list = (name: string) =>
    query.getAll(name).flatMap((text) => text.split(',').map((word) => word.trim()));
  const version = (name: string) => value(name, parseKernelVersion, 'two numbers such as 5.15');

  const arch = value('arch', parseArch, 'an architecture such as x86_64 or arm64') ?? host.arch;
  if (arch === undefined && !query.has('arch')) fault('there is no parameter "arch"');
  const architectures = value('architectures', (text) => archList(text, arch), 'native or architectures');
  const engine = choice('engine', ['moby', 'podman']) ?? 'moby';
  const capSet = choice('cap-set', ['default', 'all', 'none']) ?? 'default';
  const capabilities = attempt(() => capabilitySet(engine, capSet, list('cap'), list('cap-drop')));
  const kernel = version('kernel') ?? host.kernel;
  const semantics = choice('semantics', ['crun', 'runc']) ?? 'crun';
  const stub = flag('enosys-stub');
  const noStub = flag('no-enosys-stub');
  if (stub && noStub) fault('"enosys-stub" and "no-enosys-stub" contradict each other');
  const enosysAfter = version('enosys-after');
  const noProof = flag('no-prove');
  const requireProof = flag('require-proof');
  if (noProof && requireProof) fault('"require-proof" and "no-prove" contradict each other');
  const allowUnconfined = flag('allow-unconfined');
  const given: Partial<Target> = {
    ...(architectures === undefined ? {} : { architectures }),
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(kernel === undefined ? {} : { kernel }),
    engine,
    semantics,
    enosysStub: !noStub && (stub || (semantics === 'runc' && !query.has('enosys-stub'))),
    ...(enosysAfter === undefined ? {} : { enosysAfter }),
    overlap: choice('overlap', ['warn', 'error']) ?? 'warn',
    failUnknown: flag('fail-unknown'),
    force: flag('force'),
  };
  const optimize = choice('optimize', ['attach', 'frequency', 'size']) ?? 'attach';
  const target = arch === undefined ? undefined : attempt(() => makeTarget({ ...given, arch }));
  if (target === undefined || faults.length > 0) throw new SeccompcError(faults);
  return {
    target,
    optimize,
    prove: requireProof ? 'require' : noProof ? 'never' : 'auto',
    ...(allowUnconfined ? { allowUnconfined } : {}),
  };
}

const SWITCH = new Map([['', true], ['1', true], ['true', true], ['0', false], ['false', false]]); // prettier-ignore

function archList(text: string, native: ArchName | undefined): ArchName[] | undefined {
  if (text === '') return [];
  if (text === 'native') return native === undefined ? undefined : [native];
  const names = text.split(',').map((name) => parseArch(name.trim()));
  return names.every((name) => name !== undefined) ? names : undefined;
}

/** The query that asks for exactly these options, whatever machine the server runs on: {@link readQuery} undone. */
export function writeQuery({
  target,
  optimize = 'attach',
  prove = 'auto',
  allowUnconfined = false,
}: QueryOptions): URLSearchParams {
  const query = new URLSearchParams();
  const put = (name: string, value: string | undefined) => value === undefined || query.set(name, value);
  const flag = (name: string, set: boolean) => put(name, set ? '1' : undefined);
  const release = (kernel: KernelVersion | undefined) => kernel && `${kernel.major}.${kernel.minor}`;
  put('arch', target.arch);
  put('architectures', target.architectures?.join(','));
  put('cap-set', 'none');
  put('cap', target.capabilities.length === 0 ? undefined : target.capabilities.join(','));
  put('kernel', release(target.kernel));
  put('engine', target.engine);
  put('semantics', target.semantics);
  flag(target.enosysStub ? 'enosys-stub' : 'no-enosys-stub', true);
  put('enosys-after', release(target.enosysAfter));
  put('overlap', target.overlap);
  flag('fail-unknown', target.failUnknown);
  flag('force', target.force);
  put('optimize', optimize);
  flag('no-prove', prove === 'never');
  flag('require-proof', prove === 'require');
  flag('allow-unconfined', allowUnconfined);
  return query;
}
