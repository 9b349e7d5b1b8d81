import { spawnSync } from 'node:child_process';
import {
  chmodSync, chownSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync,
  statSync, symlinkSync, writeFileSync,
} from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asOrdinaryUser, isForOrdinaryUsers } from './ordinary-user.ts';
import { documentOf, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const bundle = (...args: string[]) => runIn(folder, ['bundle', ...args, '--arch', 'x86_64', '--no-cache']);

const KEY = 'run.oci.seccomp_bpf_data';
const DENY_MKDIR =
  '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}';
const LIMITS = '"process":{"rlimits":[{"type":"RLIMIT_NOFILE","hard":18446744073709551615,"soft":1}]}';

const configOf = (seccomp: string, rest = '') =>
  `{"ociVersion":"1.0.2",${LIMITS},"linux":{"seccomp":${seccomp},"x":[]}${rest}}\n`;

/** Makes a bundle of that name and returns the path of its config.json. */
function make(name: string, config: string): string {
  mkdirSync(join(folder, name), { recursive: true });
  const file = join(folder, name, 'config.json');
  writeFileSync(file, config);
  return file;
}

async function compiled(seccomp: string): Promise<string> {
  const { stdout } = await runIn(
    folder,
    ['compile', '-', '--arch', 'x86_64', '--no-cache', '--format', 'base64', '-q'],
    { input: seccomp },
  );
  return stdout.toString().trim();
}

describe('bundle', () => {
  it('adds what linux.seccomp compiles to, and changes no other byte', async () => {
    const config = configOf(DENY_MKDIR);
    const file = make('plain', config);
    expect(await bundle('plain')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: Buffer.from('written\tplain\n'),
    });
    const text = readFileSync(file, 'utf8');
    expect(text.replace(`"annotations":{"${KEY}":"${await compiled(DENY_MKDIR)}"},`, '')).toBe(config);
    expect(text).toContain('18446744073709551615');
    expect((await bundle('plain')).stdout.toString()).toBe('unchanged\tplain\n');
    expect((await bundle('plain', '--check')).stdout.toString()).toBe('equal\tplain\n');
    expect((await bundle('plain', '--remove')).stdout.toString()).toBe('removed\tplain\n');
    expect(readFileSync(file, 'utf8')).toBe(config);
    expect((await bundle('plain', '--remove')).stdout.toString()).toBe('absent\tplain\n');
  });

  it('keeps mode and owner, and leaves nothing beside the file', async () => {
    const file = make('owned', configOf(DENY_MKDIR));
    chmodSync(file, 0o640);
    const root = process.getuid?.() === 0;
    if (root) chownSync(file, 12, 34);
    expect(await bundle('owned')).toMatchObject({ code: 0 });
    const { mode, uid, gid } = statSync(file);
    expect((mode & 0o7777).toString(8)).toBe('640');
    if (root) expect([uid, gid]).toEqual([12, 34]);
    expect(readdirSync(join(folder, 'owned'))).toEqual(['config.json']);
  });

  it('goes through a symbolic link, which stays, and replaces only one of two hard links', async () => {
    const target = make('real', configOf(DENY_MKDIR));
    linkSync(target, join(folder, 'other-link.json'));
    mkdirSync(join(folder, 'linked'));
    symlinkSync('../real/config.json', join(folder, 'linked/config.json'));
    expect(await bundle('linked')).toMatchObject({ code: 0 });
    expect(lstatSync(join(folder, 'linked/config.json')).isSymbolicLink()).toBe(true);
    expect(readlinkSync(join(folder, 'linked/config.json'))).toBe('../real/config.json');
    expect(readFileSync(target, 'utf8')).toContain(KEY);
    expect(readFileSync(join(folder, 'other-link.json'), 'utf8')).toBe(configOf(DENY_MKDIR));
  });

  it('takes a config.json too, and replaces an annotation of others', async () => {
    const file = make('foreign', configOf(DENY_MKDIR, `,"annotations":{"a":"b","${KEY}":"AAAA"}`));
    expect(await bundle('foreign/config.json')).toMatchObject({ code: 0 });
    const text = await compiled(DENY_MKDIR);
    expect(readFileSync(file, 'utf8')).toBe(
      configOf(DENY_MKDIR, `,"annotations":{"a":"b","${KEY}":"${text}"}`),
    );
  });

  it('has nothing to remove from a bundle without linux.seccomp', async () => {
    make('unconfined', '{"ociVersion":"1.0.2","linux":{}}');
    expect(await bundle('unconfined', '--remove')).toMatchObject({
      code: 0,
      stdout: Buffer.from('absent\tunconfined\n'),
      stderr: '',
    });
  });

  it('does the others when one fails, in the order given, and exits with its code', async () => {
    make('good1', configOf(DENY_MKDIR));
    make('good2', configOf(DENY_MKDIR));
    const bad = make('bad', configOf('{"defaultAction":"SCMP_ACT_DENY"}'));
    const before = readFileSync(bad);
    const { code, stdout, stderr } = await bundle('good1', 'bad', 'missing', 'good2');
    expect(stdout.toString()).toBe('written\tgood1\nfailed\tbad\nfailed\tmissing\nwritten\tgood2\n');
    expect(code).toBe(65);
    const column = before.indexOf('"SCMP_ACT_DENY"') + 1;
    expect(stderr).toContain(`bad/config.json:1:${column}: error: unknown action "SCMP_ACT_DENY"`);
    expect(stderr).toMatch(/^missing: error: cannot read: no such file or directory/m);
    expect(readFileSync(bad)).toEqual(before);
    expect(await bundle('missing')).toMatchObject({ code: 66 });
  });

  it('reports each fault with its position, in equal profiles too', async () => {
    const spread =
      '{\n    "defaultAction": "SCMP_ACT_DENY",\n "syscalls": [{"names": ["read"], "action": "X"}]}';
    make('first', configOf(spread));
    make('second', `{\n\n"ociVersion":"1","linux":{"seccomp":${spread}}}`);
    const { code, stderr } = await bundle('first', 'second');
    expect(code).toBe(65);
    const places = [...stderr.matchAll(/^(\w+)\/config\.json:(\d+):(\d+): error/gm)].map((m) => m.slice(1));
    expect(places).toEqual([
      ['first', '2', '22'],
      ['first', '3', '45'],
      ['second', '4', '22'],
      ['second', '5', '45'],
    ]);
  });

  it('reads linux.seccomp as a runtime does, not as an engine would', async () => {
    const entry = '{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","includes":{"caps":["CAP_SYS_ADMIN"]}}';
    const file = make('dialect', configOf(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[${entry}]}`));
    const { code, stderr } = await bundle('dialect');
    expect(code).toBe(0);
    expect(stderr).toContain('ENGINE_KEY_IGNORED');
    expect(readFileSync(file, 'utf8')).toContain(await compiled(DENY_MKDIR));
  });

  it('refuses unknown names if the configuration asks for that', async () => {
    const profile = DENY_MKDIR.replace('"mkdir"', '"mkdirr"');
    const asking = ',"annotations":{"run.oci.seccomp_fail_unknown_syscall":"1"}';
    make('asking', configOf(profile, asking));
    make('not-asking', configOf(profile, asking.replace('"1"', '"0"')));
    expect((await bundle('asking', 'not-asking')).stdout.toString()).toBe(
      'failed\tasking\nwritten\tnot-asking\n',
    );
  });

  it('with --json is one document', async () => {
    make('json', configOf(DENY_MKDIR));
    const result = await bundle('json', 'missing', '--json');
    expect(result).toMatchObject({ code: 66, stderr: '' });
    expect(documentOf(result)).toEqual({
      bundles: [
        { bundle: 'json', status: 'written', instructions: expect.any(Number), diagnostics: [] },
        {
          bundle: 'missing',
          status: 'failed',
          instructions: null,
          diagnostics: [expect.objectContaining({ code: 'INPUT_UNREADABLE', file: 'missing' })],
        },
      ],
    });
  });

  it.runIf(isForOrdinaryUsers())('fails, and leaves the file, where the folder cannot be written', () => {
    const file = make('locked', configOf(DENY_MKDIR));
    chmodSync(join(folder, 'locked'), 0o555);
    chmodSync(folder, 0o755);
    const args = [MAIN, 'bundle', 'locked', '--no-cache', '--arch', 'x86_64'];
    const options = {
      cwd: folder,
      env: { PATH: process.env['PATH'] },
      encoding: 'utf8',
      ...asOrdinaryUser(),
    } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
    expect({ status, stdout }).toEqual({ status: 74, stdout: 'failed\tlocked\n' });
    expect(stderr).toContain('OUTPUT_NOT_WRITTEN');
    expect(readFileSync(file, 'utf8')).toBe(configOf(DENY_MKDIR));
    expect(readdirSync(join(folder, 'locked'))).toEqual(['config.json']);
  });
});

describe('bundle --check', () => {
  const check = async (name: string, config: string) => {
    make(name, config);
    const { code, stdout, stderr } = await bundle('--check', name);
    return { code, stdout: stdout.toString(), stderr };
  };
  const annotated = (value: string) => configOf(DENY_MKDIR, `,"annotations":{"${KEY}":"${value}"}`);

  it('says no to none, to one that is no filter, and to one that means something else', async () => {
    expect(await check('none', configOf(DENY_MKDIR))).toMatchObject({ code: 1, stdout: 'missing\tnone\n' });
    for (const value of ['', 'AAA=', '%%%', 'AAAA', 'BgAAAAAA/38AAAAA', 'AAAAAAAAAAA=']) {
      const found = await check('invalid', annotated(value));
      expect(found).toMatchObject({ code: 1, stdout: 'different\tinvalid\n' });
      expect(found.stderr).toContain('ANNOTATION_INVALID');
    }
    const other = await compiled(DENY_MKDIR.replace('SCMP_ACT_ERRNO"', 'SCMP_ACT_ERRNO","errnoRet":38'));
    const found = await check('other', annotated(other));
    expect(found).toMatchObject({ code: 1, stdout: 'different\tother\n' });
    expect(found.stderr).toMatch(
      /mkdir\(.*\) on X86_64: linux\.seccomp says ERRNO EPERM \(1\), the annotation ERRNO ENOSYS \(38\)/,
    );
  });

  it('says yes to another program with the same meaning', async () => {
    const sized = await runIn(
      folder,
      [
        'compile',
        '-',
        '--arch',
        'x86_64',
        '--no-cache',
        '--format',
        'base64',
        '-q',
        '--optimize',
        'frequency',
      ],
      { input: DENY_MKDIR },
    );
    const ours = Buffer.from(await compiled(DENY_MKDIR), 'base64');
    // One load of nr more, in front: the same answers, other bytes.
    const longer = Buffer.concat([Buffer.from([0x20, 0, 0, 0, 0, 0, 0, 0]), ours]);
    for (const value of [sized.stdout.toString().trim(), longer.toString('base64')]) {
      const { code, stdout } = await check('same', annotated(value));
      expect(code).toBe(0);
      expect(stdout).toMatch(/^equ(al|ivalent)\tsame\n$/);
    }
    expect((await check('same', annotated(longer.toString('base64')))).stdout).toBe('equivalent\tsame\n');
  });

  it('refuses an annotation without linux.seccomp', async () => {
    const lonely = `{"ociVersion":"1","annotations":{"${KEY}":"${await compiled(DENY_MKDIR)}"}}`;
    const found = await check('lonely', lonely);
    expect(found).toMatchObject({ code: 1, stdout: 'different\tlonely\n' });
    expect(found.stderr).toContain('ANNOTATION_BASELESS');
  });
});
