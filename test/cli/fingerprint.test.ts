import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encode } from '../../src/bpf/instruction.ts';
import { ALLOW, ERRNO, insn, little, LOG, plainProgram } from './comparison.ts';
import { DOCKER, FAULTY, PLAIN } from './profiles.ts';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input: Uint8Array | string = '') => runIn(folder, args, { input });

/** The hash of what standard input holds. */
async function fingerprint(input: Uint8Array | string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(['fingerprint', '-', '-q', '--arch', 'x86_64', ...more], input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.toString()).toMatch(/^[0-9a-f]{64}\n$/);
  return stdout.toString().trimEnd();
}

beforeAll(() => writeFileSync(join(folder, 'plain.json'), PLAIN));

describe('fingerprint', () => {
  it('is the same for everything that means the same', async () => {
    const expected = await fingerprint(PLAIN);
    const { syscalls, ...head } = JSON.parse(PLAIN);
    const spellings = [
      little(plainProgram()),
      Buffer.from(little(plainProgram())).toString('base64'),
      JSON.stringify({ syscalls: syscalls.toReversed(), flags: ['SECCOMP_FILTER_FLAG_LOG'], ...head }),
      (await run(['compile', 'plain.json', '--arch', 'x86_64', '--optimize', 'size', '--no-cache'])).stdout,
    ];
    for (const spelling of spellings) expect(await fingerprint(spelling)).toBe(expected);
  });

  it('is another for every other meaning', async () => {
    const all = await Promise.all([
      fingerprint(PLAIN),
      fingerprint(PLAIN, '--architectures', 'x86_64,x32'),
      fingerprint(PLAIN, '--arch', 'aarch64'),
      fingerprint(PLAIN, '--enosys-stub'),
      fingerprint(little(plainProgram({ otherwise: ERRNO | 2 }))),
      fingerprint(little(plainProgram({ family: 41 }))),
      fingerprint(DOCKER),
      fingerprint(DOCKER, '--cap', 'SYS_ADMIN'),
    ]);
    expect(new Set(all).size).toBe(all.length);
  });

  it('does not depend on the byte order of the machine', async () => {
    const program = [insn(0x20, 0), insn(0x15, 4003, 0, 1), insn(0x06, LOG), insn(0x06, ALLOW)];
    expect(await fingerprint(encode(program, 'big'))).toBe(await fingerprint(little(program)));
  });

  it('stays the same from version to version', async () => {
    // SHA-256 of the format number 1 and of one terminal, ALLOW, as u32 in little endian.
    expect(await fingerprint(little([insn(0x06, ALLOW)]))).toBe(
      '2f1026eb41317e8cbe74046f92cc5a1404314acc1e9de9bfb4695707f0438c99',
    );
  });

  it('is a document with --json', async () => {
    const result = await run(['fingerprint', 'plain.json', '--arch', 'x86_64', '--json']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(documentOf(result)).toEqual({ fingerprint: await fingerprint(PLAIN), diagnostics: [] });
  });

  it('is not made of what is faulty or too large', async () => {
    const faulty = await run(['fingerprint', '-', '--arch', 'x86_64', '--json'], FAULTY);
    expect(faulty).toMatchObject({ code: 65, stderr: '' });
    expect(codesOf(faulty)).toContain('UNKNOWN_ACTION');
    const large = await run([
      'fingerprint',
      'plain.json',
      '--arch',
      'x86_64',
      '--node-budget',
      '50',
      '--json',
    ]);
    expect(large).toMatchObject({ code: 2, stderr: '' });
    expect(documentOf(large)).toMatchObject({ verdict: 'undecided' });
    expect(codesOf(large)).toEqual(['UNDECIDED']);
  });
});
