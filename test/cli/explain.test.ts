import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const explain = (file: string, ...more: string[]) =>
  runIn(folder, ['explain', file, '--arch', 'x86_64', '--kernel', '6.1', '--quiet', ...more]);
const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return name;
};

const MANY = file(
  'many.json',
  `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] }],
  "syscalls": [
    { "names": ["read"], "action": "SCMP_ACT_ALLOW" },
    { "names": ["read"], "action": "SCMP_ACT_KILL" },
    { "names": ["read", "write"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 },
    { "names": ["kill"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 1, "value": 9, "op": "SCMP_CMP_NE" }] },
    { "names": ["kill"], "action": "SCMP_ACT_LOG", "args": [{ "index": 0, "value": 5, "op": "SCMP_CMP_GT" }] },
    { "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
    { "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "6.9" } },
    { "names": ["mount"], "action": "SCMP_ACT_ALLOW", "excludes": { "arches": ["amd64"] } },
    { "names": ["socket"], "action": "SCMP_ACT_ALLOW" }
  ]
}`,
);

/** Line of each element of `considered`, with what the entry has to do with the answer. */
const partsOf = (document: Record<string, unknown>) =>
  (document['considered'] as { line: number; part: string }[]).map(({ line, part }) => `${line} ${part}`);

describe('explain', () => {
  it.each([
    ['read', [], 'ALLOW', 5, ['5 decides', '6 shadowed', '7 default']],
    ['write', [], 'ERRNO', null, ['7 default']],
    // Both entries apply: LOG is stricter than ALLOW.
    ['kill', ['9', '15'], 'LOG', 9, ['8 yields', '9 decides']],
    ['mount', [], 'ERRNO', null, ['10 left-out', '11 left-out', '12 left-out']],
    ['getpid', [], 'ERRNO', null, []],
  ] as const)(
    'says which entry decides %s %j and why the others do not',
    async (call, args, action, line, parts) => {
      const document = documentOf(await explain(MANY, call, ...args, '--json'));
      expect(document['action']).toBe(action);
      expect((document['entry'] as { line: number } | null)?.line ?? null).toBe(line);
      expect(partsOf(document)).toEqual(parts);
    },
  );

  it('names the capability, the kernel and the architecture for which an entry is left out', async () => {
    const { stdout } = await explain(MANY, 'mount');
    expect(stdout.toString()).toMatch(/many\.json:10:5: .*CAP_SYS_ADMIN, which the container does not have/);
    expect(stdout.toString()).toMatch(/many\.json:11:5: .*from 6\.9 on, and the kernel is 6\.1/);
    expect(stdout.toString()).toMatch(/many\.json:12:5: .*architecture X86_64/);
    const held = documentOf(await explain(MANY, 'mount', '--cap', 'SYS_ADMIN', '--json'));
    expect(held).toMatchObject({ action: 'ALLOW', entry: { line: 10 } });
  });

  it('follows a call through socketcall', async () => {
    const document = documentOf(await explain(MANY, '--call-arch', 'x86', 'socketcall', '1', '--json'));
    expect(document).toMatchObject({ action: 'ALLOW', entry: { line: 13 } });
    const other = documentOf(await explain(MANY, '--call-arch', 'x86', 'socketcall', '2', '--json'));
    expect(other).toMatchObject({ action: 'ERRNO', entry: null, source: 'default-action' });
    expect(partsOf(other)).toEqual(['13 condition']);
  });

  it('tells numbers outside the filter, and what the ENOSYS stub answers, from the rules', async () => {
    const outside = documentOf(await explain(MANY, '--call-arch', 'arm64', 'read', '--json'));
    expect(outside).toMatchObject({ action: 'KILL_THREAD', source: 'architecture', considered: [] });
    const x32 = documentOf(await explain(MANY, '--call-arch', 'x32', 'read', '--json'));
    expect(x32).toMatchObject({ action: 'KILL_THREAD', source: 'architecture' });
    const stub = documentOf(await explain(MANY, '--enosys-stub', '480', '--json'));
    expect(stub).toMatchObject({ action: 'ERRNO', errnoName: 'ENOSYS', source: 'enosys' });
  });

  it('without a call lists the profile, and the filter made of it, by action', async () => {
    const profile = (await explain(MANY)).stdout.toString().split('\n');
    expect(profile).toContain('ALLOW, 2 on X86_64, X86: read, socket');
    const kill = profile.find((line) => line.startsWith('kill on X86_64, X86: '));
    expect(kill).toBe(
      'kill on X86_64, X86: LOG if pid > 5; ALLOW if sig != SIGKILL; otherwise ERRNO EPERM (1)',
    );
    expect(profile.at(-2)).toBe('any other number: ERRNO EPERM (1)');

    await runIn(folder, ['compile', MANY, '--arch', 'x86_64', '--kernel', '6.1', '-q', '-o', 'many.bpf']);
    const filter = (await explain('many.bpf')).stdout.toString().split('\n');
    // A filter that kills the calls of X32 says nothing of them.
    expect(filter.some((line) => line.includes('X32'))).toBe(false);
    const shared = filter.filter((line) => !line.includes(' if '));
    expect(shared.every((line) => profile.includes(line))).toBe(true);
    expect(shared.length).toBeGreaterThan(4);
    const answer = documentOf(await explain('many.bpf', 'kill', '9', '15', '--json'));
    expect(answer).toMatchObject({ action: 'LOG', entry: null, considered: [] });
  });

  it('takes calls from a log of refused calls', async () => {
    const record = (arch: string, nr: number) =>
      `type=1326 audit(1700000000.1:2): auid=0 uid=0 gid=0 ses=1 pid=7 comm="a" exe="/a" sig=0 arch=${arch} syscall=${nr} compat=0 ip=0x7f00 code=0x50000\n`;
    file('audit.log', record('c000003e', 165) + record('40000003', 37) + record('c000003e', 165));
    const { code, stdout } = await explain(MANY, '--audit', 'audit.log');
    expect(code).toBe(0);
    const [mount, kill] = stdout.toString().split('\n\n');
    expect(mount).toMatch(/^mount on X86_64\nERRNO EPERM \(1\)\ndecided by: the default action/);
    // The kernel's record has no arguments, and the answer depends on them.
    expect(kill).toBe(
      'kill on X86\nconditions: LOG if pid > 5; ALLOW if sig != SIGKILL; otherwise ERRNO EPERM (1)\n',
    );
    expect((await explain(MANY, 'read', '--audit', 'audit.log')).code).toBe(64);
  });
});
