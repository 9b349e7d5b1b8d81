/** The look-up without Node, with a store of every profile that a document holds. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeConfigCompiler } from '../../../src/oci/compiler.ts';
import { LOOKUP_AWK } from '../../../src/oci/store/lookup-awk.ts';
import { precreate } from '../../../src/oci/store/precreate.ts';
import { makeTarget } from '../../../src/target.ts';
import { pathOf } from './require.ts';

const target = makeTarget({ arch: 'x86_64' });
const compiler = () => makeConfigCompiler({ target, prove: 'never' }, async () => undefined);
/** What Node makes of a document. */
export const exactly = (document: Uint8Array) =>
  precreate(document, compiler, { foreign: 'replace', strict: false });

/** The texts that somebody may take for linux.seccomp. */
function candidates(text: string): string[] {
  return [...text.matchAll(/seccomp["' ]*:\s*\{/g)].flatMap(({ index, 0: found }) => {
    const start = index + found.length - 1;
    let depth = 0;
    for (let at = start; at < text.length; at++) {
      depth += Number(text[at] === '{') - Number(text[at] === '}');
      if (depth === 0) return [text.slice(start, at + 1)];
    }
    return [];
  });
}

/**
 * A store of all profiles in a document that can be compiled, whether they are its linux.seccomp or
 * not.
 */
async function prime(store: string, text: string): Promise<void> {
  mkdirSync(store, { recursive: true });
  const files = new Map<number, string>();
  for (const profile of new Set(candidates(text))) {
    const config = Buffer.from(`{"ociVersion":"1","linux":{"seccomp":${profile}}}`, 'latin1');
    const { pair } = await exactly(config);
    if (pair === undefined) continue;
    const lines = `${profile.replaceAll('\n', '\u0001')}\n${pair.filter}\n`;
    files.set(profile.length, (files.get(profile.length) ?? '') + lines);
  }
  for (const [length, lines] of files)
    writeFileSync(join(store, String(length)), Buffer.from(lines, 'latin1'));
}

function run(awk: string, store: string, input: Uint8Array) {
  return spawnSync(pathOf(awk)!, [...(awk === 'busybox' ? ['awk'] : []), LOOKUP_AWK], {
    input,
    env: { SECCOMPC_STORE: store, SECCOMPC_COMMAND: '', SECCOMPC_STRICT: '1', LC_ALL: 'C' },
  });
}

/** Undefined where the look-up leaves the document to Node. @param store a new folder */
export async function lookup(awk: string, store: string, document: Uint8Array): Promise<Buffer | undefined> {
  await prime(store, Buffer.from(document).toString('latin1'));
  const { status, stdout } = run(awk, store, document);
  if (status === 0) return stdout;
  if (status === 1 || status === 65 || status === 66) return undefined;
  throw new Error(`${awk}: exit code ${status}`);
}
