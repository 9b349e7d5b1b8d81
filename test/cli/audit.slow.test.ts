import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const PROFILE = `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "syscalls": [
    {"names": ["close", "read",  "write"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["kill"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]}
  ]
}
`;
writeFileSync(join(folder, 'p.json'), PROFILE);
const line = (nr: number, code: string) =>
  `audit: type=1326 audit(1.2:3): pid=7 comm="app" exe="/bin/app" sig=0 arch=c000003e syscall=${nr} compat=0 ip=0x0 code=${code}\n`;
const LOG = line(435, '0x50000') + line(62, '0x50000') + line(435, '0x50000');

async function audit(input: string, ...args: string[]) {
  const { code, stdout, stderr } = await runIn(folder, ['audit', ...args, '--arch', 'x86_64'], { input });
  return { code, text: stdout.toString(), stderr };
}

describe('audit', () => {
  it('lists calls with their count, action and programs', async () => {
    expect(await audit(LOG)).toEqual({
      code: 0,
      text: '2\tclone3\tX86_64\tERRNO\t/bin/app\n1\tkill\tX86_64\tERRNO\t/bin/app\n',
      stderr: '',
    });
  });

  it('shows a program name without what controls a terminal', async () => {
    const name = Buffer.from('/tmp/\u001b[2Jx\n9\tread').toString('hex').toUpperCase();
    const { text } = await audit(LOG.split('\n')[0]!.replace('"/bin/app"', name));
    expect(text).toBe('1\tclone3\tX86_64\tERRNO\t/tmp/\\u001b[2Jx\\u000a9\\u0009read\n');
  });

  it('takes those failures of strace that a filter causes', async () => {
    const log = `7 openat(AT_FDCWD, "/x", 0) = -1 ENOENT (No such file or directory)
7 mount("x", "/y", "z", 0, NULL) = -1 EPERM (Operation not permitted)\n`;
    expect((await audit(log)).text).toBe('1\tmount\tX86_64\tERRNO EPERM (1)\t\n');
    const named = join(folder, 'enoent.json');
    writeFileSync(named, '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["openat"],"action":"SCMP_ACT_ERRNO","errnoRet":2}]}'); // prettier-ignore
    expect((await audit(log, '--profile', named)).text).toContain('openat');
  });

  it('shows the entry, the patch and the proof, and answers 1 where there is no patch', async () => {
    const { code, text } = await audit(LOG, '--profile', 'p.json');
    expect(code).toBe(1);
    expect(text).toBe(`2\tclone3\tX86_64\tERRNO\t/bin/app
\tprofile: ERRNO EPERM (1), the default action at p.json:2:20
\tpatch: [{"op":"add","path":"/syscalls/0/names/0","value":"clone3"}]
\tproof: nothing else changes. clone3 on X86_64: ERRNO EPERM (1) becomes ALLOW
1\tkill\tX86_64\tERRNO\t/bin/app
\tprofile: ALLOW if sig == 0; otherwise ERRNO EPERM (1), from p.json:5:5
\tno patch: the answer depends on arguments, which the record does not have; strace shows them
`);
  });

  it('writes the profile with every other character as it was', async () => {
    const { code } = await audit(LOG, '--profile', 'p.json', '--any-arguments', '--apply', '-o', 'new.json');
    expect(code).toBe(0);
    const changed = PROFILE.replace('["close"', '["clone3", "close", "kill"');
    expect(readFileSync(join(folder, 'new.json'), 'utf8')).toBe(changed);
    expect(readFileSync(join(folder, 'p.json'), 'utf8')).toBe(PROFILE);
    writeFileSync(join(folder, 'own.json'), PROFILE);
    expect((await audit(line(435, '0x0'), '--profile', 'own.json', '--apply')).code).toBe(0);
    expect(readFileSync(join(folder, 'own.json'), 'utf8')).toBe(
      PROFILE.replace('["close"', '["clone3", "close"'),
    );
    expect((await audit(line(435, '0x0'), '--profile', 'own.json')).text).toContain('the profile allows it');
  });

  it('prints JSON', async () => {
    const result = await runIn(folder, ['audit', '--profile', 'p.json', '--json', '--arch', 'amd64'], {
      input: LOG,
    });
    expect(documentOf(result)).toMatchObject({
      records: [
        {
          call: 'clone3',
          nr: 435,
          arch: 'X86_64',
          auditArch: 0xc000003e,
          action: 'ERRNO',
          count: 2,
          programs: ['/bin/app'],
          lines: [1, 3],
          verdicts: [
            {
              answer: 'ERRNO EPERM (1)',
              decidedBy: [{ pointer: '/defaultAction', line: 2, column: 20 }],
              patch: [{ op: 'add', path: '/syscalls/0/names/0', value: 'clone3' }],
              proof: 'clone3 on X86_64: ERRNO EPERM (1) becomes ALLOW',
              reason: null,
            },
          ],
        },
        { call: 'kill', verdicts: [{ patch: null, proof: null, reason: expect.any(String) }] },
      ],
      applied: null,
      diagnostics: [],
    });
  });

  it('answers 1 without a record, warns of one that it cannot read, and refuses options without a meaning', async () => {
    expect(await audit('nothing\n')).toMatchObject({ code: 1, text: '' });
    const none = await runIn(folder, ['audit', '--json'], { input: '' });
    expect(codesOf(none)).toEqual(['NO_RECORDS']);
    const odd = await audit(LOG + LOG.replaceAll('c000003e', 'vax'));
    expect(odd.code).toBe(0);
    expect(odd.stderr).toContain('<stdin>:4:1: warning: 3 records were left out');
    for (const args of [
      ['--apply'],
      ['--any-arguments'],
      ['--profile', 'p.json', '-o', 'x'],
      ['--profile', '-'],
    ])
      expect((await audit(LOG, ...args)).code).toBe(64);
    expect((await audit(LOG, '--profile', 'missing.json')).code).toBe(66);
  });
});

describe('lookup', () => {
  it('knows the audit arch of a log, with or without 0x', async () => {
    const lookup = async (...args: string[]) => (await runIn(folder, ['lookup', ...args])).stdout.toString();
    expect(await lookup('c000003e')).toBe('0xc000003e\tX86_64\n0xc000003e\tX32\n');
    expect(await lookup('0xC00000B7')).toBe('0xc00000b7\tAARCH64\n');
    expect(await lookup('141', '--arch', 'c000003e')).toContain('141\tsetpriority\tX86_64\t0xc000003e\t1.0');
    const json = documentOf(await runIn(folder, ['lookup', '40000028', '--json']));
    expect(json).toMatchObject({ found: true, calls: [], arches: [{ auditArch: 0x40000028, arch: 'ARM' }] });
    expect((await runIn(folder, ['lookup', 'c000003f'])).code).toBe(1);
  });
});
