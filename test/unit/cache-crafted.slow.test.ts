/** Databases that somebody else has made. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileCached } from '../../src/cache/compile-cached.ts';
import { CacheFault } from '../../src/cache/stores/store.ts';
import { closeStore } from '../../src/cache/tiers.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { collect } from '../../src/cache/records/collect.ts';
import { sqliteStoreApart } from '../../src/cache/stores/sqlite-apart.ts';
import { isMadeHere } from '../../src/cache/stores/sqlite-origin.ts';
import { sqliteStore } from '../../src/cache/stores/sqlite.ts';
import { transfer } from '../../src/cache/records/transfer.ts';
import { verifyStore } from '../../src/cache/records/verify-store.ts';
import { compile, makeTarget } from '../../src/index.ts';
import { makeRecords, mapStore } from './cache-records.ts';
import { edit, makeEndless, mutate, putJournal, SCHEMAS } from './crafted-databases.ts';
import { builtScript } from './script.ts';
import { runs } from '../runs.ts';

const KEY = '0f'.repeat(32);
const INFO = { kind: 'object', label: 'a label' } as const;
const onPosix = process.platform !== 'win32';

let folder: string;
let file: string;
let opened: CacheStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-crafted-'));
  file = join(folder, 'cache.sqlite');
  opened = [];
});
afterEach(async () => {
  for (const store of opened) await closeStore(store);
  rmSync(folder, { recursive: true, force: true });
});

function use<T extends CacheStore>(store: T): T {
  opened.push(store);
  return store;
}

/** Milliseconds, for a machine that does much else. What hangs would hang for ever. */
const PATIENT = { answerTime: 60_000, sweepTime: 60_000 };

const schemas = Object.entries(SCHEMAS);
/**
 * Where a database is read, and with how many of the schemas that is tried: each process of its own
 * takes time.
 */
const STORES: [string, number, () => CacheStore][] = [
  ['in this process', schemas.length, () => use(sqliteStore(file))],
  ['in a process of its own', runs(2, schemas.length), () => use(sqliteStoreApart(file, PATIENT))],
];

/** Databases with a number of pairs, each made once. */
const filled = new Map<number, Buffer>();

async function fill(pairs: number): Promise<void> {
  const known = filled.get(pairs);
  if (known) return writeFileSync(file, known, { mode: 0o600 });
  // In a process of its own, because a binding may not close a file at once.
  const store = sqliteStoreApart(file, PATIENT);
  for (const { key, text, kind, label } of makeRecords(pairs)) await store.set(key, text, { kind, label });
  await store.close();
  // Into the one file that the tests change.
  edit(file);
  filled.set(pairs, readFileSync(file));
}

async function faultOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no fault',
    (error: unknown) => (error instanceof CacheFault ? error.diagnostic.code : error),
  );
}

describe.each(STORES)('a database that is read %s', (_, count, open) => {
  it.each(schemas.slice(0, count))(
    'is refused, and made anew by clear, if it has %s',
    async (__, statements) => {
      await fill(3);
      edit(file, ...statements);
      const store = open();
      for (const work of [
        () => store.get(KEY),
        () => store.list(),
        () => store.stats(),
        () => store.set(KEY, 'text', INFO),
      ])
        expect(await faultOf(work())).toBe('CACHE_DATABASE_REFUSED');
      await closeStore(store);
      await open().clear();
      const next = open();
      await next.set(KEY, 'text', INFO);
      expect(await next.get(KEY)).toBe('text');
      expect(await next.list()).toHaveLength(1);
    },
  );

  it('is neither used, changed nor cleared if it belongs to another program', async () => {
    const other = new DatabaseSync(file);
    other.exec(`CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('https://example.org/')`);
    other.close();
    const before = readFileSync(file);
    const store = open();
    for (const work of [() => store.get(KEY), () => store.set(KEY, 'text', INFO), () => store.clear()])
      expect(await faultOf(work())).toBe('CACHE_DATABASE_FOREIGN');
    await closeStore(store);
    expect(readFileSync(file)).toEqual(before);
  });

  it('gets the table that an interrupted process has not created', async () => {
    edit(file, 'CREATE TABLE filters(key VARCHAR(255) PRIMARY KEY, value TEXT )');
    const store = open();
    await store.set(KEY, 'text', INFO);
    expect(await store.list()).toHaveLength(1);
  });

  it('is refused if its journal would have SQLite delete another file', async () => {
    await fill(1);
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'precious');
    putJournal(file, victim);
    const store = open();
    expect(await faultOf(store.list())).toBe('CACHE_DATABASE_REFUSED');
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    await closeStore(store);
    await open().clear();
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(existsSync(`${file}-journal`)).toBe(false);
  });

  it.runIf(onPosix).each(['-wal', '-shm', '-journal'])(
    'is refused if a link stands where SQLite would write its %s file',
    async (suffix) => {
      await fill(1);
      edit(file, 'PRAGMA journal_mode = WAL');
      const victim = join(folder, 'victim');
      writeFileSync(victim, 'precious');
      symlinkSync(victim, `${file}${suffix}`);
      const store = open();
      expect(await faultOf(store.set(KEY, 'text', INFO))).toBe('CACHE_FOLDER_UNSAFE');
      await closeStore(store);
      expect(readFileSync(victim, 'utf8')).toBe('precious');
    },
  );

  it('has no text and no row that is far too long', async () => {
    await fill(2);
    edit(
      file,
      `UPDATE filters SET value = zeroblob(50000000)`,
      `UPDATE records SET label = hex(zeroblob(3000))`,
    );
    const { key } = makeRecords(2)[0]!;
    expect(await open().get(key)).toBe('');
    await expect(open().list()).rejects.toThrow('its list of records is damaged');
  });

  it('does not keep a text that nobody would read back', async () => {
    const store = open();
    await store.set(KEY, 'x'.repeat(9 * 1024 * 1024), INFO);
    expect(await store.get(KEY)).toBeUndefined();
  });

  it('is refused if it is larger than a store becomes', async () => {
    await fill(1);
    // A file with a hole, so nothing of this is on the disk.
    edit(file);
    truncateSync(file, 1024 ** 3 + 4096);
    expect(await faultOf(open().get(KEY))).toBe('CACHE_DATABASE_REFUSED');
  });

  it('whose pages lead in a circle has no list', async () => {
    await fill(5);
    makeEndless(file, 'records');
    await expect(open().list()).rejects.toThrow('its list of records is damaged');
  });
});

describe('a process that reads a database', () => {
  it('is stopped when a query does not end, and the next question gets a new one', async () => {
    await fill(5);
    copyFileSync(file, join(folder, 'good'));
    makeEndless(file, 'records');
    const store = use(sqliteStoreApart(file, { ...PATIENT, sweepTime: 2000 }));
    await expect(store.shrink!({ bytes: Infinity, age: Infinity })).rejects.toThrow(
      'no answer within 2000 ms',
    );
    // Its lock is gone with it.
    rmSync(file);
    copyFileSync(join(folder, 'good'), file);
    expect(await use(sqliteStoreApart(file, PATIENT)).stats()).toMatchObject({ aliases: 5, objects: 5 });
    expect(await store.list()).toHaveLength(10);
  });

  it('ends with the process that asked it, also in a query that does not end', async () => {
    await fill(5);
    makeEndless(file, 'records');
    const script = await builtScript('asking-process.mjs');
    const asking = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    asking.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const ended = once(asking.stderr, 'end');
    await Promise.race([once(asking.stdout, 'data'), ended]);
    asking.kill('SIGKILL');
    await ended;
    expect([asking.signalCode ?? (await once(asking, 'exit'))[1], text]).toEqual(['SIGKILL', '']);
  });

  it('gives each question its own answer', async () => {
    await fill(20);
    const store = use(sqliteStoreApart(file, PATIENT));
    const records = makeRecords(20);
    const texts = await Promise.all(records.map(({ key }) => store.get(key)));
    expect(texts).toEqual(records.map(({ text }) => text));
  });
});

describe.runIf(onPosix)('a database that seccompc has made', () => {
  const places = () => {
    const [made, other] = [join(folder, 'made'), join(folder, 'other')];
    for (const place of [made, other]) mkdirSync(place, { mode: 0o700 });
    return { made: join(made, 'cache.sqlite'), other: join(other, 'cache.sqlite') };
  };
  /** Closed at once, which the process of a binding may not do. */
  async function make(path: string): Promise<void> {
    const store = sqliteStoreApart(path, PATIENT);
    await store.set(KEY, 'text', INFO);
    await closeStore(store);
  }

  it('is known as such where it was made, also after changes', async () => {
    const { made } = places();
    expect(isMadeHere(made)).toBe(true);
    await make(made);
    expect(isMadeHere(made)).toBe(true);
    edit(made, 'VACUUM', 'PRAGMA journal_mode = WAL');
    expect(isMadeHere(made)).toBe(true);
  });

  it('is not known as such when it was copied with all that is beside it', async () => {
    const { made, other } = places();
    await make(made);
    for (const suffix of ['', '-origin']) copyFileSync(made + suffix, other + suffix);
    expect(isMadeHere(other)).toBe(false);
  });

  it('is not known as such when another one was copied over it', async () => {
    const { made, other } = places();
    await make(made);
    await make(other);
    const { ino } = statSync(made);
    writeFileSync(made, readFileSync(other));
    expect(statSync(made).ino).toBe(ino);
    expect(isMadeHere(made)).toBe(false);
    writeFileSync(`${made}-origin`, readFileSync(`${other}-origin`));
    expect(isMadeHere(made)).toBe(false);
  });

  it('is not known as such when what says so could be written by others', async () => {
    const { made } = places();
    await make(made);
    chmodSync(`${made}-origin`, 0o666);
    expect(isMadeHere(made)).toBe(false);
  });

  it('is known as such when clear has made it anew', async () => {
    const { made, other } = places();
    await make(other);
    copyFileSync(other, made);
    edit(made, 'CREATE VIEW v AS SELECT 1');
    expect(isMadeHere(made)).toBe(false);
    const store = use(sqliteStoreApart(made, PATIENT));
    await store.clear();
    expect(isMadeHere(made)).toBe(true);
  });
});

const PROFILES = ['read', 'mkdir'].map((name) =>
  JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index: 1, value: 7, op: 'SCMP_CMP_GT' }] },
    ],
  }),
);
const target = makeTarget({ arch: 'X86_64', kernel: { major: 6, minor: 1 } });

describe('a database that was changed at random', () => {
  const RUNS = runs(3, 60);

  it(`never makes a compile fail or give another program, in ${RUNS} files`, async () => {
    const expected = await Promise.all(PROFILES.map(async (text) => (await compile(text, { target })).bytes));
    const good = join(folder, 'good');
    mkdirSync(good, { mode: 0o700 });
    const source = sqliteStoreApart(join(good, 'cache.sqlite'), PATIENT);
    const patient = { stores: [source], deadline: PATIENT.answerTime };
    for (const text of PROFILES) await compileCached(text, { target }, patient);
    await closeStore(source);
    edit(source.location);
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const place = join(folder, `${seed}`);
      mkdirSync(place, { mode: 0o700 });
      const damaged = join(place, 'cache.sqlite');
      copyFileSync(source.location, damaged);
      const how = mutate(damaged, seed);
      const faults: unknown[] = [];
      const note = (cause: unknown) => void faults.push(cause);
      const apart = sqliteStoreApart(damaged, { ...PATIENT, sweepTime: 5000 });
      // The second one finds what the first one has left.
      for (const store of [apart, sqliteStore(damaged)])
        for (const [at, text] of PROFILES.entries()) {
          const cache = { stores: [store], deadline: PATIENT.answerTime };
          const { filter, warnings } = await compileCached(text, { target }, cache);
          expect(Buffer.compare(filter.bytes, expected[at]!), `seed ${seed}: ${how}`).toBe(0);
          faults.push(...warnings.map(({ message }) => message));
        }
      await apart.list().catch(note);
      await apart.stats().catch(note);
      await verifyStore(apart).catch(note);
      const { fault } = await transfer(apart, mapStore(), { signedOnly: false });
      await collect(apart, {}).catch(note);
      await closeStore(apart);
      for (const said of [...faults, fault?.cause].map(String))
        expect(said, `seed ${seed}: ${how}`).not.toMatch(/SIG(?!KILL)/);
    }
  });
});
