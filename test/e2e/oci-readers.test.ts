/**
 * Hostile configurations: what `hook check`, `bundle`, `hook precreate` and `compile` say of a
 * document is what every runtime does with it, or the document is refused. CONTRIBUTING.md tells
 * how to ask about more documents.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readProbes } from '../golden/case.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { tableOf } from '../oracle/facts.ts';
import { makeTarget } from '../../src/target.ts';
import { configText, makeFolder, makeRoot, run } from './oci/containers.ts';
import { needs as treeNeeds } from './oci/debian.ts';
import type { DebianTree } from './oci/debian.ts';
import { hostileDocument } from './oci/hostile.ts';
import { buildLoaded, crunHere, loadAll, runcHere } from './oci/loaded.ts';
import { exactly, lookup } from './oci/lookup.ts';
import type { Loaded, Runtime } from './oci/loaded.ts';
import { answersTo, difference, meaningOf } from './oci/readers.ts';
import type { Answers } from './oci/readers.ts';
import { requirements } from './oci/require.ts';
import { sharedTree } from './oci/shared-tree.ts';

const DOCUMENTS = Number(process.env['SECCOMPC_DOCUMENTS'] ?? 1500);
/** runc takes three times as long. */
const FOR_RUNC = Math.ceil(DOCUMENTS / 3);
/** Of the documents that were written, one in so many is run as well. */
const WRITTEN = 5;

/** What releases of runc read in different ways: docs/semantics.md section 12. */
const PROFILES: object[] = [
  {},
  { architectures: ['SCMP_ARCH_X86'] },
  { architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] },
  { architectures: ['SCMP_ARCH_RISCV64'] },
  { architectures: ['SCMP_ARCH_LOONGARCH64'] },
  { flags: [] },
  { flags: ['SECCOMP_FILTER_FLAG_LOG'] },
  { flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] },
];

const needs = requirements(['crun', 'runc', 'busybox', 'unshare', 'timeout', 'mawk'], { root: true });
const built = buildLoaded();
const calls = [...tableOf('x86_64').numbers.keys()];

/** jeq mkdir: ERRNO, otherwise ALLOW; no architecture is asked about. */
function filterOf(errno: number): string {
  const words = [0x20, 0, 0x15, 83, 0x06, 0x50000 | errno, 0x06, 0x7fff0000];
  const program = Buffer.alloc(32);
  words.forEach((word, at) => program.writeUInt32LE(word, at * 4));
  program[11] = 1;
  return program.toString('base64');
}

/** Documents that the look-up finds a filter for and the exact reader refuses. */
const LOOKED_UP = 60;

describe.skipIf(skipWithout(needs) || skipWithout(built))('hostile configurations', () => {
  let folder: ReturnType<typeof makeFolder>;
  beforeAll(() => {
    folder = makeFolder();
  });
  afterAll(() => folder.remove());

  /** Every document of a runtime, with all answers and with what the runtime did. */
  async function judge(runtime: Runtime, semantics: 'crun' | 'runc', count: number, place: string) {
    const root = join(place, 'root');
    makeRoot(join(runtime.tree, root));
    const options = { root, calls, filters: [filterOf(3), filterOf(4)] };
    const documents = Array.from({ length: count }, (_, number) => hostileDocument(number, options));
    const { path } = available(built);
    const loaded = await loadAll(runtime, join(place, 'given'), documents, path);
    const answers: Answers[] = [];
    for (const document of documents)
      answers.push(await answersTo(document, semantics, join(folder.path, 'answers')));
    const written = answers.flatMap(({ written: texts, meaning }, number) =>
      number % WRITTEN > 0 ? [] : texts.map((text) => ({ number, text, meaning })),
    );
    const given = written.map(({ text }) => text);
    const after = await loadAll(runtime, join(place, 'written'), given, path);
    return { documents, loaded, answers, written, after };
  }

  async function expectReleaseOf(runtime: Runtime, release: string, place: string): Promise<void> {
    const root = join(place, 'root');
    makeRoot(join(runtime.tree, root));
    const text = (more: object) =>
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ERRNO',
        syscalls: [{ names: calls, action: 'SCMP_ACT_ALLOW' }],
        ...more,
      });
    const documents = PROFILES.map((more) =>
      Buffer.from(configText({ root, noNewPrivileges: false, seccomp: text(more) })),
    );
    const loaded = await loadAll(runtime, join(place, 'given'), documents, available(built).path);
    const target = makeTarget({ arch: 'x86_64', semantics: `runc@${release}` });
    for (const [index, outcome] of loaded.entries()) {
      const meaning = await meaningOf(documents[index]!, target);
      const here = { profile: PROFILES[index], release };
      expect({ ...here, runs: isRunning(outcome) }).toEqual({ ...here, runs: meaning !== 'refused' });
      expect({ ...here, difference: difference(meaning, outcome) }).toEqual(here);
    }
    expect(loaded.filter(isRunning).length).toBeGreaterThan(2);
  }

  async function expectAgreement(
    runtime: Runtime,
    semantics: 'crun' | 'runc',
    count: number,
    place: string,
  ): Promise<void> {
    const { documents, loaded, answers, written, after } = await judge(runtime, semantics, count, place);
    const wrong: string[] = [];
    const report = (number: number, what: string, found: string | undefined) => {
      if (found === undefined) return;
      const text = documents[number]!.toString().replace(/("\w+",){50,}/, '...');
      wrong.push(`document ${number}, ${what}: ${found}\n${text}`);
    };
    const counts = { refusedHere: 0, refusedThere: 0, checked: 0, compiled: 0, ambiguous: 0, started: 0 };
    for (const [number, { meaning, checked, annotated }] of answers.entries()) {
      const outcome = loaded[number]!;
      const runs = isRunning(outcome);
      counts.started += Number(runs);
      counts.refusedThere += Number(!runs);
      counts.refusedHere += Number(!checked);
      counts.checked += Number(checked && runs);
      counts.compiled += Number(meaning !== 'refused' && runs);
      counts.ambiguous += Number(meaning !== 'refused' && annotated === undefined && runs);
      if (checked) report(number, 'hook check', difference(meaning, outcome));
      // An annotation takes the place of linux.seccomp under crun.
      const mayReplace = semantics === 'crun' && withoutEscapes(documents[number]!).includes('bpf_data');
      if (meaning !== 'refused' && !mayReplace) report(number, 'compile', difference(meaning, outcome));
    }
    for (const [index, { number, meaning }] of written.entries())
      report(number, 'as written', difference(meaning, after[index]!));
    console.log(`${runtime.name}: ${count} documents, ${written.length} written`, JSON.stringify(counts));
    expect(wrong).toEqual([]);
    // Neither answer may be the only one.
    expect(counts.checked).toBeGreaterThan(count / 6);
    expect(counts.refusedHere).toBeGreaterThan(count / 3);
    expect(counts.compiled).toBeGreaterThan(counts.checked);
    expect(counts.ambiguous).toBeGreaterThan(0);
    expect(written.length).toBeGreaterThan(count / WRITTEN / 5);
    expect(after.filter(isRunning).length).toBeGreaterThan(written.length / 2);
  }

  it(`are read as crun reads them, or refused: ${DOCUMENTS} documents`, async () => {
    await expectAgreement(crunHere(), 'crun', DOCUMENTS, join(folder.path, 'crun'));
  });

  it('get no other filter by the look-up without Node than by crun itself', async () => {
    const root = makeRoot(join(folder.path, 'lookup/root'));
    const options = { root, calls, filters: [filterOf(3), filterOf(4)] };
    const given: Buffer[] = [];
    const written: Buffer[] = [];
    for (let number = 0; given.length < LOOKED_UP; number++) {
      const document = hostileDocument(number, options);
      const found = await lookup('mawk', join(folder.path, 'lookup', String(number)), document);
      // Where Node has an answer, unit/oci-lookup compares them.
      if (found === undefined || found.equals(document) || (await exactly(document)).output !== undefined)
        continue;
      given.push(document);
      written.push(found);
    }
    const load = (documents: Buffer[], name: string) =>
      loadAll(crunHere(), join(folder.path, 'lookup', name), documents, available(built).path);
    const [by, without] = [await load(written, 'by'), await load(given, 'without')];
    const wrong = without.flatMap((loaded, index) => {
      if (loaded !== 'none' && 'odd' in loaded) return [`not known: ${loaded.odd}`];
      const meaning = loaded !== 'none' && 'refused' in loaded ? 'refused' : loaded;
      const found = difference(meaning, by[index]!);
      return found === undefined ? [] : [`${found}\n${given[index]!.toString('latin1')}`];
    });
    expect(wrong).toEqual([]);
    expect(by.filter(isRunning).length).toBeGreaterThan(LOOKED_UP / 10);
  });

  it(`are read as runc reads them, or refused: ${FOR_RUNC} documents`, async () => {
    await expectAgreement(runcHere(), 'runc', FOR_RUNC, join(folder.path, 'runc'));
  });

  it('and what --semantics says of the release is what runc does', async () => {
    const { text: version } = await run([...runcHere().enter, ...runcHere().words, '--version']);
    const release = /\d+\.\d+\.\d+/.exec(version)![0];
    await expectReleaseOf(runcHere(), release, join(folder.path, 'release'));
  });

  it.each(['98-keys-in-another-case-runc', '99-keys-merged-runc'])(
    'and the golden case %s are enforced by runc as its probes say',
    async (name) => {
      const golden = join(import.meta.dirname, '../golden', name);
      const root = makeRoot(join(folder.path, name, 'root'));
      const text = readFileSync(join(golden, 'profile.json'), 'utf8');
      const members = text.slice(text.indexOf('"linux": {') + '"linux": {'.length);
      const whole = configText({ root, noNewPrivileges: false }).replace(/\}\}$/, () => `,${members}`);
      const place = join(folder.path, name, 'given');
      const [loaded] = await loadAll(runcHere(), place, [Buffer.from(whole)], available(built).path);
      expect(loaded).toHaveProperty('program');
      if (loaded === undefined || loaded === 'none' || !('program' in loaded)) return;
      const program = readProgram(loaded.program, false);
      for (const { line, calls: probed, expected } of readProbes(golden))
        for (const call of probed) expect([line, runProgram(program, call)]).toEqual([line, expected]);
    },
  );

  describe.skipIf(skipWithout(treeNeeds))('and newer runtimes', () => {
    let tree: Pick<DebianTree, 'path' | 'enter'> | undefined;
    let made: Awaited<ReturnType<typeof sharedTree>>;
    beforeAll(async () => {
      made = await sharedTree();
      if (!('missing' in made)) tree = made;
    });

    it(`are read as a newer crun reads them, or refused: ${DOCUMENTS} documents`, async ({ skip }) => {
      skip(skipWithout(made));
      const { path, enter } = tree!;
      const runtime = { name: 'newer crun', enter, words: ['crun', '--cgroup-manager=disabled'], tree: path };
      await expectAgreement(runtime, 'crun', DOCUMENTS, '/srv/readers');
    });

    it('do what --semantics says of the release of a newer runc', async ({ skip }) => {
      skip(skipWithout(made));
      const { path, enter } = tree!;
      const { text: version } = await run([...enter, 'runc', '--version']);
      const release = /\d+\.\d+\.\d+/.exec(version)![0];
      await expectReleaseOf(
        { name: `runc ${release}`, enter, words: ['runc'], tree: path },
        release,
        '/srv/runc',
      );
    });
  });
});

function isRunning(loaded: Loaded): boolean {
  return loaded === 'none' || !('refused' in loaded);
}

function withoutEscapes(document: Buffer): string {
  return document
    .toString('latin1')
    .replaceAll(/\\u00([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
