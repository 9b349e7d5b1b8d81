import { fail } from '../errors.ts';

/** A repository of a registry. */
export interface RepositoryAddress {
  /** With the port if there is one, in lower case; IPv6 in brackets. */
  host: string;
  name: string;
  /** HTTP instead of HTTPS: only ever to this machine. */
  plainHttp: boolean;
}

/** A repository, and what is meant there. */
export interface Reference extends RepositoryAddress {
  tag?: string;
  /** `sha256:` and 64 hex digits. Wins over the tag. */
  digest?: string;
}

/** Grammar of the OCI distribution-spec, "Pulling manifests". */
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
export const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;
const LONGEST_NAME = 255;

/**
 * `oci://HOST[:PORT]/NAME[:TAG][@sha256:HEX][?plain-http]`.
 * @throws SeccompcError REFERENCE_INVALID
 */
export function parseReference(text: string, options: { plainHttp?: boolean } = {}): Reference {
  // A password must not come into a message.
  const refuse = (reason: string) =>
    fail('REFERENCE_INVALID', { text: text.replace(/\/\/[^/]*@/, '//'), reason });
  const [, rest, query] = /^oci:\/\/([^?#]*)(\?[^#]*)?$/i.exec(text) ?? [];
  if (rest === undefined) return refuse('it does not have this form');
  if (query !== undefined && query !== '?plain-http')
    return refuse('after the ? only "plain-http" has a meaning');
  const slash = rest.indexOf('/');
  const host = rest.slice(0, Math.max(slash, 0)).toLowerCase();
  if (host.includes('@'))
    return refuse('name and password belong into the file of "docker login" or "podman login"');
  if (!HOST.test(host) || !URL.canParse(`https://${host}`)) return refuse('it names no host');
  const [path = '', digest, ...more] = rest.slice(slash + 1).split('@');
  const colon = path.indexOf(':');
  const [name, tag] = colon < 0 ? [path] : [path.slice(0, colon), path.slice(colon + 1)];
  if (!NAME.test(name) || host.length + 1 + name.length > LONGEST_NAME)
    return refuse('the name of a repository is words of a-z and 0-9, joined by . _ - and /');
  if (tag !== undefined && !TAG.test(tag))
    return refuse('a tag has 1 to 128 of the characters A-Z a-z 0-9 . _ -');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest)))
    return refuse('a digest is sha256: and 64 hex digits');
  const plainHttp = query !== undefined || (options.plainHttp ?? false);
  if (plainHttp && !isLoopback(host))
    return refuse('plain HTTP goes to this machine only, such as 127.0.0.1');
  return {
    host,
    name,
    plainHttp,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** What {@link parseReference} reads, without the query. */
export function formatReference({ host, name, tag, digest }: Omit<Reference, 'plainHttp'>): string {
  return `oci://${host}/${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** Whether a host, with or without a port, is this machine. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name);
}
