/** What "docker login" and "podman login" have left behind for a registry. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fail } from '../errors.ts';
import type { RepositoryAddress } from './reference.ts';

/**
 * `refresh`: a token that an authorization server gives a short-lived one for; `bearer`: such a
 * short-lived one.
 */
export type Credentials = { username: string; password: string } | { refresh: string } | { bearer: string };

/** Milliseconds for a credential helper, which may ask a person. */
const HELPER_TIME = 30_000;
const LARGEST_ANSWER = 1024 * 1024;
/** What a helper calls a token instead of a user. */
const TOKEN_USER = '<token>';

type Members = Record<string, unknown>;
const membersOf = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};

/**
 * The first that a file or a helper has for the repository; undefined for nobody in particular.
 * @throws SeccompcError
 */
export async function credentialsFor(
  address: RepositoryAddress,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Credentials | undefined> {
  for (const file of authFiles(env)) {
    const found = await inFile(file, keysOf(address), env);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** In the order of containers-auth.json(5). A file that is named is the only one. */
function authFiles(env: NodeJS.ProcessEnv): string[] {
  const at = (folder: string | undefined, ...rest: string[]) =>
    folder !== undefined && isAbsolute(folder) ? [join(folder, ...rest)] : [];
  const named = env['REGISTRY_AUTH_FILE'];
  if (named) return [named];
  const docker = env['DOCKER_CONFIG'];
  if (docker) return [join(docker, 'config.json')];
  const home = env['HOME'] || homedir();
  return [
    ...at(env['XDG_RUNTIME_DIR'], 'containers', 'auth.json'),
    ...at(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers', 'auth.json'),
    ...at(home, '.docker', 'config.json'),
  ];
}

/** `HOST/a/b`, `HOST/a`, `HOST`: credentials of a namespace come before those of its host. */
function keysOf({ host, name }: RepositoryAddress): string[] {
  const parts = [host, ...name.split('/')];
  return parts.map((_, at) => parts.slice(0, parts.length - at).join('/'));
}

async function inFile(
  file: string,
  keys: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    const { code } = membersOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return '{}';
    return fail('REGISTRY_CREDENTIALS', { reason: 'it cannot be read' }, { file, cause });
  });
  const config = membersOf(
    parse(content) ?? fail('REGISTRY_CREDENTIALS', { reason: 'it is not JSON' }, { file }),
  );
  const helpers = new Map(
    Object.entries(membersOf(config['credHelpers'])).map(([key, name]) => [hostIn(key), name]),
  );
  const stored = new Map(
    Object.entries(membersOf(config['auths'])).map(([key, entry]) => [hostIn(key), entry]),
  );
  for (const key of keys) {
    const found = (await askHelper(helpers.get(key), key, env)) ?? inEntry(membersOf(stored.get(key)), file);
    if (found !== undefined) return found;
  }
  return askHelper(config['credsStore'], keys.at(-1)!, env);
}

/** Older files have URLs as keys: `https://HOST/v1/`. */
function hostIn(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/(?:\/v[12])?\/?$/, '');
}

function inEntry(entry: Members, file: string): Credentials | undefined {
  const text = (name: string) => (typeof entry[name] === 'string' ? entry[name] : '');
  if (text('registrytoken') !== '') return { bearer: text('registrytoken') };
  if (text('identitytoken') !== '') return { refresh: text('identitytoken') };
  const auth = Buffer.from(text('auth'), 'base64').toString();
  const colon = auth.indexOf(':');
  if (text('auth') !== '' && colon < 1)
    fail('REGISTRY_CREDENTIALS', { reason: 'an "auth" in it is not the base64 of USER:PASSWORD' }, { file });
  const [username, password] =
    colon < 1 ? [text('username'), text('password')] : [auth.slice(0, colon), auth.slice(colon + 1)];
  // Docker's own files may end in NUL.
  return username === '' ? undefined : { username, password: password.replace(/\0+$/, '') };
}

/** docker-credential-helpers: the server on standard input, JSON on standard output. */
async function askHelper(
  name: unknown,
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  if (typeof name !== 'string' || name === '') return undefined;
  const program = `docker-credential-${name}`;
  const refuse = (reason: string, cause?: unknown) =>
    fail('REGISTRY_CREDENTIALS', { reason: `${program} ${reason}` }, { cause });
  if (!/^[\w.-]+$/.test(name)) return refuse('is no name of a program');
  const settings = { timeout: HELPER_TIME, killSignal: 'SIGKILL', maxBuffer: LARGEST_ANSWER, env } as const;
  const output = await new Promise<string | undefined>((resolve, reject) => {
    const child = execFile(program, ['get'], settings, (error, stdout) => {
      if (error === null) resolve(stdout);
      // That it has none is no fault.
      else if (/not found/i.test(stdout)) resolve(undefined);
      else reject(error);
    });
    child.stdin?.on('error', () => {}).end(`${server}\n`);
  }).catch((cause: unknown) => {
    const { code, killed } = membersOf(cause);
    const why =
      code === 'ENOENT' ? 'is not there' : killed === true ? 'gives no answer' : `ends with ${String(code)}`;
    return refuse(why, cause);
  });
  if (output === undefined) return undefined;
  const { Username: username, Secret: secret } = membersOf(parse(output));
  if (typeof username !== 'string' || typeof secret !== 'string') return refuse('gives no name and secret');
  if (username === TOKEN_USER) return { refresh: secret };
  return username === '' ? undefined : { username, password: secret };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
