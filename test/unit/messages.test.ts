/** What diagnostics say, where they point, and which of them are printed. */
import { describe, expect, it } from 'vitest';
import { bearingOn } from '../../src/cli/options/bearing.ts';
import { formatDiagnostics, PLAIN } from '../../src/cli/output/report.ts';
import { compile } from '../../src/compile.ts';
import { readInput } from '../../src/compile/findings.ts';
import { codeTable } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';

const target = makeTarget({ arch: 'x86_64' });

const PROFILE = `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86"],
  "syscalls": [
    {"names": ["read", "raed", "wirte"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["mount"], "action": "SCMP_ACT_ERRNO"},
    {"names": ["umount2"], "action": "SCMP_ACT_ERRNO"},
    {
      "names": ["socket"],
      "action": "SCMP_ACT_ALLOW",
      "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]
    },
    {
      "names": ["socket"],
      "action": "SCMP_ACT_TRAP",
      "args": [{"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]
    }
  ],
  "listenerMetadata": "x"
}`;

const diagnosticsOf = async (text: string) => (await compile(text, { target, file: 'p.json' })).diagnostics;

describe('every warning', () => {
  it('has a hint', () => {
    const without = codeTable().filter(({ severity, hint }) => severity === 'warning' && hint === undefined);
    expect(without.map(({ code }) => code)).toEqual([]);
  });
});

describe('a message about two entries', () => {
  it('points at a condition and names the other one by its line', async () => {
    const found = (await diagnosticsOf(PROFILE)).find(({ code }) => code === 'OVERLAPPING_RULES');
    expect(found).toMatchObject({ line: 16, column: 16, pointer: '/syscalls/4/args/0' });
    expect(found!.message).toContain('TRAP here and ALLOW at line 11 both match');
    const inOneLine = await diagnosticsOf(PROFILE.replaceAll('\n', ' '));
    expect(inOneLine.map(({ message }) => message).join()).toMatch(/ALLOW at line 1, column \d+ both match/);
  });
});

describe('equal messages', () => {
  it('are printed once with their places', async () => {
    const defaults = (await diagnosticsOf(PROFILE)).filter(({ code }) => code === 'ENTRY_EQUALS_DEFAULT');
    expect(defaults).toHaveLength(2);
    const text = formatDiagnostics([...defaults, ...defaults, ...defaults], PLAIN);
    expect(text).toMatch(
      /^p\.json:6:5: note: .*; also at 7:5, 6:5, 7:5 and 2 more places \[ENTRY_EQUALS_DEFAULT\]\n$/,
    );
  });
});

describe('what has a bearing on a call', () => {
  it('is said of the profile, or of an entry that names it', async () => {
    const { profile } = readInput(PROFILE, { file: 'p.json', semantics: 'crun' });
    const all = await diagnosticsOf(PROFILE);
    const about = (...calls: string[]) => bearingOn(all, profile, new Set(calls)).map(({ code }) => code);
    expect(about('read')).toEqual([]);
    expect(about('mount')).toEqual(['ENTRY_EQUALS_DEFAULT']);
    expect(about('socket')).toEqual(['MULTIPLEXED_ARGS', 'OVERLAPPING_RULES']);
    expect(about('socketcall')).toEqual(['MULTIPLEXED_ARGS']);
    const whole = await diagnosticsOf(PROFILE.replace('SCMP_ARCH_X86"', 'x86"'));
    expect(bearingOn(whole, profile, new Set()).map(({ code }) => code)).toEqual(['ARCHITECTURE_SPELLING']);
    expect(bearingOn(all, profile, new Set(['mount']), 'differences').map(({ code }) => code)).toEqual([
      'UNKNOWN_SYSCALL',
      'UNKNOWN_SYSCALL',
      'ENTRY_EQUALS_DEFAULT',
    ]);
  });
});
