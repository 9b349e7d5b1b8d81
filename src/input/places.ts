import { fail, SeccompcError } from '../errors.ts';
import { itemsOf, parseJson, valueOf } from '../profile/json.ts';
import type { JsonNode } from '../profile/json.ts';
import { escapeToken } from '../profile/pointer.ts';
import { recognise } from '../profile/recognise.ts';
import { refuse } from './layer.ts';
import type { Layer } from './layer.ts';

/** Where a kind of document has its profile. In a path, `*` is every element or member. */
interface Place {
  /** With article, for messages. */
  in: string;
  path: string;
  /** `within` is what the node is in, the nearest last. */
  takes: (node: JsonNode, within: readonly JsonNode[]) => boolean;
}

const isConfig = (node: JsonNode) => valueOf(node, 'ociVersion')?.kind === 'string';
const OPTION = /^seccomp[=:]/;
const isOption = (node: JsonNode) => isText(node, OPTION);
const isOfKind = (resource: JsonNode | undefined, kind: string, group: string) =>
  resource !== undefined &&
  stringAt(resource, 'kind') === kind &&
  stringAt(resource, 'apiVersion')?.startsWith(group) === true;
const isResourceSpec = (_: JsonNode, within: readonly JsonNode[]) =>
  isOfKind(within.at(-1), 'SeccompProfile', 'security-profiles-operator.x-k8s.io/');
const isText = (node: JsonNode, start: RegExp) => node.kind === 'string' && start.test(node.value);

const INSPECT = 'the output of "docker inspect" or "podman inspect"';
const RESOURCE = 'a SeccompProfile resource';
const PLACES: readonly Place[] = [
  { in: 'the output of "crictl inspect"', path: 'info/runtimeSpec', takes: isConfig },
  { in: 'the output of "ctr container info"', path: 'Spec', takes: isConfig },
  { in: 'the output of "nerdctl inspect --mode=native"', path: '*/Spec', takes: isConfig },
  { in: INSPECT, path: 'HostConfig/SecurityOpt/*', takes: isOption },
  { in: INSPECT, path: '*/HostConfig/SecurityOpt/*', takes: isOption },
  { in: RESOURCE, path: 'spec', takes: isResourceSpec },
  { in: RESOURCE, path: 'items/*/spec', takes: isResourceSpec },
  {
    in: 'a ConfigMap',
    path: 'data/*',
    takes: (node, within) => isText(node, /^\s*\{/) && isOfKind(within.at(-2), 'ConfigMap', 'v1'),
  },
  {
    in: 'a MachineConfig',
    path: 'spec/config/storage/files/*/contents/source',
    takes: (node, within) =>
      isText(node, /^data:/) && isOfKind(within[0], 'MachineConfig', 'machineconfiguration.openshift.io/'),
  },
];

interface Found {
  place: Place;
  node: JsonNode;
  /** From the document down to what the node is in. */
  within: JsonNode[];
  pointer: string;
}

const READERS = ['crun', 'runc'] as const;

/**
 * The profile in a JSON document that is none itself.
 * @throws SeccompcError if that is not clear
 */
export function profileInside(text: string, file: string): Layer | undefined {
  if (!/"(runtimeSpec|Spec|HostConfig|SeccompProfile|ConfigMap|MachineConfig)"/.test(text)) return undefined;
  const { root, diagnostics } = parseJson(text);
  if (root === undefined || READERS.some((reader) => recognise(root, reader).form !== 'foreign'))
    return undefined;
  const found = PLACES.flatMap((place) => nodesAt(root, place));
  if (found.length === 0) {
    refuseContainers(root, file);
    return undefined;
  }
  if (diagnostics.length > 0) throw new SeccompcError(diagnostics.map((each) => ({ ...each, file })));
  // Of several containers the one without a profile of its own may be meant.
  const all =
    itemsOf(root).length > 1 ? itemsOf(root).map((_, at) => `/${at}`) : found.map(({ pointer }) => pointer);
  if (all.length > 1) {
    const values = { count: all.length, places: all.join(', ') };
    fail('SEVERAL_PROFILES', values, { file });
  }
  const { place, node, within, pointer } = found[0]!;
  if (place.in === INSPECT && node.kind === 'string')
    return optionLayer(node.value, pointer, within.at(-2)!, file);
  if (node.kind === 'string')
    return { text: node.value, where: `at ${pointer}, in ${place.in}`, pointer, moved: true };
  if (place.in === RESOURCE) refuseDependent(node, pointer, file);
  const hasRules = valueOf(valueOf(node, 'linux'), 'seccomp') !== undefined;
  return {
    text: text.slice(0, node.offset).replaceAll(/[^\r\n]/g, ' ') + text.slice(node.offset, node.end),
    where: `at ${pointer}${hasRules ? '/linux/seccomp' : ''}, in ${place.in}`,
    pointer,
    moved: false,
  };
}

/** The nodes of a place, with what they are in. */
function nodesAt(root: JsonNode, place: Place): Found[] {
  let found: Found[] = [{ place, node: root, within: [], pointer: '' }];
  for (const token of place.path.split('/'))
    found = found.flatMap(({ node, within, pointer }) =>
      children(node, token).map(([key, child]) => ({
        place,
        node: child,
        within: [...within, node],
        pointer: `${pointer}/${key}`,
      })),
    );
  return found.filter(({ node, within }) => place.takes(node, within));
}

function children(node: JsonNode, token: string): [string | number, JsonNode][] {
  if (token === '*')
    return node.kind === 'object'
      ? node.members.map(({ key, value }) => [escapeToken(key), value])
      : itemsOf(node).map((item, at) => [at, item]);
  const value = valueOf(node, token);
  return value === undefined ? [] : [[token, value]];
}

/** `seccomp=PROFILE`: Docker has the text of the file here, Podman its path. */
function optionLayer(option: string, pointer: string, host: JsonNode, file: string): Layer {
  const value = option.replace(OPTION, '').trim();
  if (!value.startsWith('{'))
    refuse(file, `${INSPECT}, for a container with "seccomp=${value}"`, {
      pointer,
      hint: value.includes('/') ? `the profile is in the file ${value}` : WITHOUT,
    });
  const privileged = valueOf(host, 'Privileged');
  if (privileged?.kind === 'boolean' && privileged.value)
    refuse(file, `${INSPECT}, for a privileged container`, {
      pointer,
      hint: 'whether its profile counts depends on the release of Docker',
    });
  const caps = ['CapAdd', 'CapDrop'].filter((key) => itemsOf(valueOf(host, key)).length > 0);
  return {
    text: value,
    where: `at ${pointer}, in ${INSPECT}; positions are those of the text in this string`,
    pointer,
    moved: true,
    ...(caps.length > 0 && {
      hint: `the container has ${caps.join(' and ')}: give the same with --cap, --cap-drop`,
    }),
  };
}

const WITHOUT =
  'it has no profile of its own: "unconfined" is no filter, everything else the default of the engine';

/** For containers whose profile is not in the document. */
function refuseContainers(root: JsonNode, file: string): void {
  const container = [root, ...itemsOf(root)].find((node) => valueOf(node, 'HostConfig') !== undefined);
  if (container === undefined) return;
  const config = stringAt(container, 'OCIConfigPath');
  refuse(file, `${INSPECT}, for a container without "seccomp=..."`, {
    hint: config ? `its configuration, with the profile, is in the file ${config}` : WITHOUT,
  });
}

/** The operator changes such a specification before any runtime sees it. */
function refuseDependent(spec: JsonNode, pointer: string, file: string): void {
  const base = stringAt(spec, 'baseProfileName');
  if (base)
    refuse(file, `${RESOURCE} that is added to another one, "${base}"`, {
      pointer,
      hint: 'take the profile that the operator wrote to the node, under /var/lib/kubelet/seccomp/operator',
    });
  const disabled = valueOf(spec, 'disabled');
  if (disabled?.kind === 'boolean' && disabled.value)
    refuse(file, `${RESOURCE} that is disabled`, {
      pointer,
      hint: 'the operator installs no profile for it',
    });
}

function stringAt(node: JsonNode, key: string): string | undefined {
  const value = valueOf(node, key);
  return value?.kind === 'string' ? value.value : undefined;
}
