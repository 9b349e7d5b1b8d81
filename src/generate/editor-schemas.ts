import type { ActionName } from '../action.ts';
import { allArches, ociArchName } from '../arch.ts';
import { PODMAN_ERRNOS } from '../profile/docker.ts';
import { ENGINE_NAMES } from '../profile/engine-arch.ts';
import docker from '../profile/schema/docker-profile.schema.json' with { type: 'json' };
import oci from '../profile/schema/oci-seccomp.schema.json' with { type: 'json' };
import type { FlagName, OperatorName } from '../profile/types.ts';
import { allNames, loadTables } from '../syscalls/load.ts';
import { lookup } from '../syscalls/lookup.ts';
import { loadSignatures, prototypeText, signatureOf } from '../syscalls/signatures.ts';
import { oldestRelease } from '../syscalls/since.ts';
import { CAPABILITY_NAMES } from '../target.ts';
import type { Output } from './output.ts';

type Schema = Record<string, unknown>;

const ACTIONS: Record<ActionName, string> = {
  SCMP_ACT_KILL: 'Another name of SCMP_ACT_KILL_THREAD.',
  SCMP_ACT_KILL_PROCESS: 'Ends the process with SIGSYS.',
  SCMP_ACT_KILL_THREAD: 'Ends the thread that made the call; other threads go on.',
  SCMP_ACT_TRAP: 'Sends SIGSYS, which the process can handle.',
  SCMP_ACT_ERRNO: 'The call fails with errnoRet, or EPERM without it.',
  SCMP_ACT_NOTIFY: 'A process at listenerPath decides.',
  SCMP_ACT_TRACE: 'A tracer decides; without one the call fails with ENOSYS.',
  SCMP_ACT_LOG: 'The call is made, and logged.',
  SCMP_ACT_ALLOW: 'The call is made.',
};

const OPERATORS: Record<OperatorName, string> = {
  SCMP_CMP_NE: 'argument != value',
  SCMP_CMP_LT: 'argument < value',
  SCMP_CMP_LE: 'argument <= value',
  SCMP_CMP_EQ: 'argument == value',
  SCMP_CMP_GE: 'argument >= value',
  SCMP_CMP_GT: 'argument > value',
  SCMP_CMP_MASKED_EQ: '(argument & value) == valueTwo',
};

const FLAGS: Record<FlagName, string> = {
  SECCOMP_FILTER_FLAG_TSYNC: 'The filter is for all threads of the process.',
  SECCOMP_FILTER_FLAG_LOG: 'Logs every call that does not get SCMP_ACT_ALLOW.',
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 'Without the mitigation of Speculative Store Bypass.',
  SECCOMP_FILTER_FLAG_NEW_LISTENER: 'The kernel gives a descriptor for SCMP_ACT_NOTIFY.',
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH: 'With TSYNC: a thread that cannot take the filter is the error ESRCH.',
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 'Only a fatal signal ends a call that a listener has received.',
};

/**
 * The schemas for editors: each in one file, with every name that can be completed and what it
 * means.
 */
export async function editorSchemas(): Promise<Output[]> {
  const names = await callNames();
  const common: Schema = {
    ...oci.definitions,
    action: described('Action', ACTIONS),
    operator: described('Comparison', OPERATORS),
    flag: described('Filter flag', FLAGS),
    architecture: architectures(),
    call: names,
    names: { ...oci.definitions.names, items: { $ref: '#/definitions/call' } },
  };
  const condition = docker.definitions.condition;
  const { caps, arches, minKernel } = condition.properties;
  const never = 'No engine has this name, so it never matches.';
  const dialect: Schema = {
    ...common,
    ...docker.definitions,
    errnoName: {
      ...docker.definitions.errnoName,
      anyOf: [{ enum: [...PODMAN_ERRNOS, null] }, { pattern: String.raw`^(\d+)?$` }],
    },
    condition: {
      ...condition,
      properties: {
        caps: { ...caps, items: known('Capability', CAPABILITY_NAMES, never) },
        arches: { ...arches, items: known('Architecture', [...ENGINE_NAMES].toSorted(), never) },
        minKernel: { ...minKernel, pattern: String.raw`^(\d{1,3}\.\d{1,3})?$`, examples: ['4.8'] },
      },
    },
    entry: {
      ...docker.definitions.entry,
      properties: {
        ...docker.definitions.entry.properties,
        name: {
          description: docker.definitions.entry.properties.name.description,
          anyOf: [{ enum: [null, ''] }, { $ref: '#/definitions/call' }],
        },
      },
    },
  };
  return [output('oci', oci, common), output('docker', docker, dialect)];
}

function output(dialect: string, source: Schema, definitions: Schema): Output {
  const schema = { ...source, $id: `urn:seccompc:schema:${dialect}`, definitions };
  const content = `${JSON.stringify(selfContained(schema), null, 1)}\n`;
  return { path: `src/profile/schema/generated/${dialect}.json`, content };
}

/** Without references to the other file, and with a warning at members that no runtime reads. */
function selfContained(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(selfContained);
  if (typeof value !== 'object' || value === null) return value;
  const { $ref, ...members } = value as Schema;
  const [, group, name] = /^(?:oci-seccomp\.schema\.json)?#\/(\w+)\/(\w+)$/.exec(String($ref)) ?? [];
  if (group === 'properties')
    return selfContained({ ...oci.properties[name as keyof typeof oci.properties], ...members });
  const copied = Object.fromEntries(Object.entries(members).map(([key, each]) => [key, selfContained(each)]));
  if ($ref !== undefined) return { $ref: `#/definitions/${name}`, ...copied };
  return 'properties' in members && 'type' in members ? { ...copied, ...OTHER_MEMBERS } : copied;
}

const OTHER_MEMBERS: Schema = {
  patternProperties: { '^([_$#]|//)|^([Cc]omments?|[Dd]escription|[Nn]otes?|[Tt]itle)$': {} },
  additionalProperties: { deprecationMessage: 'Runtimes ignore this member.' },
};

function described(title: string, words: Record<string, string>): Schema {
  return { title, type: 'string', enum: Object.keys(words), enumDescriptions: Object.values(words) };
}

/**
 * Other words of the pattern are valid, as they are to the compiler, but editors underline them.
 */
function known(
  title: string,
  words: readonly string[],
  warning: string,
  enumDescriptions?: readonly string[],
  pattern = '.',
): Schema {
  // First what editors show of a word that is not in the list, which would be the whole list
  // otherwise.
  const others = { pattern, errorMessage: warning, deprecationMessage: warning };
  const listed = { enum: words, ...(enumDescriptions && { enumDescriptions }) };
  return { title, type: 'string', anyOf: [others, listed] };
}

function architectures(): Schema {
  const names = allArches().map(({ name }) => ociArchName(name));
  const spellings = allArches().flatMap(({ name, aliases }) => [name.toLowerCase(), ...aliases]);
  const anyCase = (text: string) => text.replaceAll(/[a-z]/g, (each) => `[${each}${each.toUpperCase()}]`);
  const pattern = `^(${anyCase('scmp_arch_')})?(${spellings.map(anyCase).join('|')})$`;
  return known('Architecture', names, 'Not an architecture as every runtime reads it.', undefined, pattern);
}

async function callNames(): Promise<Schema> {
  await Promise.all([loadSignatures(), loadTables(allArches().map(({ table }) => table))]);
  const descriptions = await Promise.all(allNames().map(describeCall));
  return known('System call', allNames(), 'Not a system call: runtimes ignore it.', descriptions);
}

/** Its arguments in C, its first release, and the architectures that have it. */
async function describeCall(name: string): Promise<string> {
  const found = await lookup(name, 'all');
  if (found.kind !== 'found') throw new Error(`no table has ${name}`);
  const arches = found.calls.map(({ arch }) => arch);
  const since = oldestRelease(found.calls.map((call) => call.since));
  const where = [`Linux ${since.replace(/^<=(.*)/, '$1 or older')}`];
  if (arches.length <= found.absent.length) where.push(`only on ${arches.join(', ')}`);
  else if (found.absent.length > 0) where.push(`not on ${found.absent.join(', ')}`);
  const on = arches.includes('X86_64') ? 'X86_64' : arches[0]!;
  const signature = signatureOf(on, name);
  const prototype = signature === undefined ? name : prototypeText(name, signature);
  return `${prototype}: ${where.join('; ')}.`;
}
