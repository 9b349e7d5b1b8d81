import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import schema from '@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json' with { type: 'json' };
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const REFUSAL = `{
  "defaultAction": "SCMP_ACT_ALLOW",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {
      "names": ["ioctl"],
      "action": "SCMP_ACT_ERRNO",
      "args": [{ "index": 1, "value": 21522, "op": "SCMP_CMP_EQ" }]
    }
  ]
}
`;
const CLEAN = REFUSAL.replace(
  '"value": 21522, "op": "SCMP_CMP_EQ"',
  '"value": 4294967295, "op": "SCMP_CMP_MASKED_EQ", "valueTwo": 21522',
);

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

/**
 * What the schema of SARIF finds in a log. Its draft of JSON Schema names itself in another way
 * than ajv expects.
 */
const { $schema: _, id: __, ...sarifSchema } = schema;
const validSarif = new Ajv({
  strict: false,
  validateFormats: false,
  unicodeRegExp: false,
  allErrors: true,
}).compile(sarifSchema);
function sarifFaults(log: unknown): unknown {
  validSarif(log);
  return validSarif.errors ?? [];
}

const lint = (...args: string[]) => runIn(folder, ['lint', '--arch', 'x86_64', ...args]);

describe('lint', () => {
  it('prints findings of many files, and exits with 1 for the least severity that fails', async () => {
    const files = [write('a.json', REFUSAL), write('b.json', CLEAN)];
    const both = await lint(...files);
    expect(both.code).toBe(1);
    expect(both.stdout.toString()).toMatch(
      /^a\.json:8:16: warning: .*ioctl\(0, 0x100000000\|TIOCSTI, 0\) on X86_64 gets ALLOW.* \[ARGUMENT_WIDTH\]\n {4}compare/,
    );
    expect((await lint(...files, '--fail-on', 'error')).code).toBe(0);
    expect(await lint('b.json', '--fail-on', 'note')).toMatchObject({ code: 0, stdout: Buffer.from('') });
  });

  it('goes on after a file that is no profile, and exits as for that', async () => {
    const files = [write('broken.json', '{'), join(folder, 'none.json'), write('a.json', REFUSAL)];
    const { code, stdout } = await lint(...files, '--format', 'json');
    expect(code).toBe(65);
    const { files: reports } = JSON.parse(stdout.toString()) as { files: { findings: { code: string }[] }[] };
    expect(reports.map(({ findings }) => findings.map((finding) => finding.code))).toEqual([
      [expect.stringMatching(/^JSON_|NOT_A/)],
      ['INPUT_UNREADABLE'],
      ['ARGUMENT_WIDTH'],
    ]);
    expect((await lint('none.json')).code).toBe(66);
  });

  it('gives each finding with its call as JSON', async () => {
    const result = await lint(write('a.json', REFUSAL), '--format', 'json');
    expect(documentOf(result)).toEqual({
      files: [
        {
          file: 'a.json',
          findings: [
            {
              code: 'ARGUMENT_WIDTH',
              severity: 'warning',
              line: 8,
              column: 16,
              pointer: '/syscalls/0/args/0',
              message: expect.stringContaining('TIOCSTI'),
              hint: expect.stringContaining('SCMP_CMP_MASKED_EQ'),
              call: {
                arch: 'X86_64',
                nr: 16,
                name: 'ioctl',
                args: ['0', String(0x100005412), '0', '0', '0', '0'],
                answer: { action: 'ALLOW', errno: null, errnoName: null, value: 0x7fff0000 },
              },
              fixable: true,
            },
          ],
        },
      ],
    });
    expect((await lint('a.json', '--json')).stdout).toEqual(result.stdout);
  });

  it('writes annotations that no name of a file can break out of', async () => {
    const name = write('a,b:c%0A\n.json', REFUSAL);
    const { stdout } = await lint(name, '--format', 'github');
    const [line, rest] = stdout.toString().split('\n');
    expect(line).toMatch(/^::warning file=a%2Cb%3Ac%250A\\u000a\.json,line=8,col=16,title=ARGUMENT_WIDTH::/);
    expect(rest).toBe('');
  });

  it('writes SARIF 2.1.0', async () => {
    const name = write('a b.json', REFUSAL);
    const log = documentOf(await lint(name, write('broken.json', '{'), '--format', 'sarif'));
    expect(sarifFaults({ ...log, version: '2.0.0' })).toHaveLength(1);
    expect(sarifFaults(log)).toEqual([]);
    const clean = documentOf(await lint(write('clean.json', CLEAN), '--format', 'sarif'));
    expect(sarifFaults(clean)).toEqual([]);
    expect(log).toMatchObject({ version: '2.1.0', runs: [{ columnKind: 'utf16CodeUnits' }] });
    const [{ tool, results }] = log['runs'] as [
      { tool: { driver: { name: string; rules: { id: string }[] } }; results: Record<string, unknown>[] },
    ];
    expect(tool.driver.name).toBe('seccompc');
    expect(results[0]).toEqual({
      ruleId: 'ARGUMENT_WIDTH',
      ruleIndex: tool.driver.rules.findIndex(({ id }) => id === 'ARGUMENT_WIDTH'),
      level: 'warning',
      message: { text: expect.stringContaining('TIOCSTI') },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'a%20b.json' },
            region: { startLine: 8, startColumn: 16 },
          },
        },
      ],
    });
    expect(results.map(({ level }) => level)).toEqual(['warning', 'error']);
  });

  it('writes safe fixes, keeps all other text, and says what they change', async () => {
    const name = write('fix.json', REFUSAL);
    const patch = await lint(name, '--diff');
    expect(patch.code).toBe(1);
    expect(patch.stdout.toString()).toContain(
      '-      "args": [{ "index": 1, "value": 21522, "op": "SCMP_CMP_EQ" }]',
    );
    expect(readFileSync(join(folder, name), 'utf8')).toBe(REFUSAL);
    const fixed = await lint(name, '--fix');
    expect(fixed).toMatchObject({ code: 0, stdout: Buffer.from('') });
    expect(fixed.stderr).toMatch(
      /1 fix; proved: nothing gets through that did not\n {2}ioctl\(.*was ALLOW, is ERRNO/,
    );
    expect(readFileSync(join(folder, name), 'utf8')).toBe(CLEAN);
  });

  it('writes no file that has something around the profile', async () => {
    const piped = await runIn(folder, ['lint', '--arch', 'x86_64', '--fix', '-'], { input: REFUSAL });
    expect(piped.code).toBe(1);
    expect(piped.stderr).toContain('fixes were not applied (1): only a file that is the profile');
    const yaml =
      'defaultAction: SCMP_ACT_ALLOW\nsyscalls:\n- names: [ioctl]\n  action: SCMP_ACT_ERRNO\n  args:\n  - {index: 1, value: 21522, op: SCMP_CMP_EQ}\n';
    const other = await lint(write('profile.yaml', yaml), '--fix');
    expect(other.code).toBe(1);
    expect(other.stdout.toString()).toMatch(/^profile\.yaml:6:3: warning: .*ARGUMENT_WIDTH/);
    expect(other.stderr).toContain('FIX_REFUSED');
    expect(readFileSync(join(folder, 'profile.yaml'), 'utf8')).toBe(yaml);
  });

  it('takes a folder for the profiles below it, and passes other JSON files over', async () => {
    mkdirSync(join(folder, 'many/deep'), { recursive: true });
    for (const [name, text] of [
      ['deep/b.json', REFUSAL],
      ['a.json', CLEAN],
      ['package.json', '{"name": "x"}'],
    ])
      write(`many/${name}`, text!);
    const { code, stdout, stderr } = await lint('many', '--format', 'json');
    expect(code).toBe(1);
    const { files } = JSON.parse(stdout.toString()) as { files: { file: string }[] };
    expect(files.map(({ file }) => file)).toEqual(['many/a.json', 'many/deep/b.json']);
    expect(stderr).toMatch(/^many\/package\.json:1:1: note: .*\[NOT_A_PROFILE\]/);
    expect((await lint('many/package.json')).code).toBe(65);
  });

  it('writes a test report in the XML of JUnit', async () => {
    const { stdout } = await lint(
      write('a<&b.json', REFUSAL),
      write('b.json', CLEAN),
      'none.json',
      '--format',
      'junit',
    );
    const xml = stdout.toString();
    expect(xml).toContain('<testsuites tests="3" failures="1" errors="1">');
    expect(xml).toContain('<testcase classname="a&lt;&amp;b.json" name="ARGUMENT_WIDTH at 8:16">');
    expect(xml).toContain('<testcase classname="b.json" name="no findings"/>');
    const passed = await lint('a<&b.json', '--format', 'junit', '--fail-on', 'error');
    expect(passed.stdout.toString()).toContain('<testsuites tests="1" failures="0" errors="0">');
  });

  it('is check, which also proves the assertions beside a profile', async () => {
    const name = write('checked.json', CLEAN);
    const check = () => runIn(folder, ['check', '--arch', 'x86_64', name]);
    expect(await check()).toMatchObject({ code: 0, stdout: Buffer.from('') });
    write('checked.assert', 'deny ioctl(_, TIOCSTI)\n\ndeny mount\n');
    const broken = await check();
    expect(broken.code).toBe(1);
    expect(broken.stdout.toString()).toMatch(
      /^checked\.assert:3:1: error: "deny mount" does not hold: mount.* gets ALLOW \[ASSERTION_BROKEN\]\n$/,
    );
    expect((await lint(name)).code).toBe(0);
    write('checked.assert', 'deny nothing_at_all\n');
    expect((await check()).code).toBe(65);
  });

  it('names dangerous calls for the use that is asked for', async () => {
    const name = write(
      'danger.json',
      '{"defaultAction": "SCMP_ACT_KILL_PROCESS", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": ["ptrace", "bpf"], "action": "SCMP_ACT_ALLOW"}]}',
    );
    const codes = async (...args: string[]) =>
      (await lint(name, ...args)).stdout.toString().match(/\w+ is allowed/g);
    expect(await codes()).toBeNull();
    expect(await codes('--profile', 'container')).toEqual(['bpf is allowed']);
    expect(await codes('--profile', 'sandbox')).toEqual(['bpf is allowed', 'ptrace is allowed']);
    expect((await lint(name, '--profile', 'castle')).code).toBe(64);
  });
});
