import { Command } from 'commander';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import { addTargetOptions, targetOf } from '../../src/cli/options/target-options.ts';
import type { TargetFlags } from '../../src/cli/options/target-options.ts';
import { SeccompcError } from '../../src/errors.ts';
import { readQuery, writeQuery } from '../../src/serve/query.ts';
import type { QueryOptions } from '../../src/serve/query.ts';
import { CAPABILITY_NAMES, makeTarget } from '../../src/target.ts';

const arch = fc.constantFrom(...allArches().map(({ name }) => name));
const release = fc.record({ major: fc.nat(99), minor: fc.nat(9999) });
const options: fc.Arbitrary<QueryOptions> = fc.record({
  target: fc
    .record(
      {
        arch,
        architectures: fc.uniqueArray(arch, { maxLength: 4 }),
        capabilities: fc.subarray([...CAPABILITY_NAMES]),
        kernel: release,
        engine: fc.constantFrom('moby' as const, 'podman' as const, 'docker@20.10' as const),
        semantics: fc.constantFrom('crun' as const, 'runc' as const, 'runc@1.3' as const),
        enosysStub: fc.boolean(),
        enosysAfter: release,
        overlap: fc.constantFrom('warn' as const, 'error' as const),
        failUnknown: fc.boolean(),
        force: fc.boolean(),
      },
      { requiredKeys: ['arch'] },
    )
    .map((given) => makeTarget(given)),
  optimize: fc.constantFrom('attach' as const, 'frequency' as const, 'size' as const),
  prove: fc.constantFrom('auto' as const, 'never' as const, 'require' as const),
});

function read(query: string, host = {}): QueryOptions {
  return readQuery(new URLSearchParams(query), host);
}

function reasons(query: string): string[] {
  try {
    read(query);
  } catch (error) {
    if (error instanceof SeccompcError) return error.diagnostics.map(({ message }) => message);
    throw error;
  }
  throw new Error(`${query} was accepted`);
}

/** What the command makes of the same words as flags. */
function fromFlags(args: string[]): object {
  const command = addTargetOptions(new Command('x').exitOverride());
  command.parse(args, { from: 'user' });
  return targetOf(command.opts<TargetFlags>());
}

describe('the query of a request', () => {
  it('carries any options there and back, whatever the machine', () => {
    fc.assert(
      fc.property(options, (given) => {
        const text = writeQuery(given).toString();
        expect(read(text, { arch: 'SH', kernel: { major: 9, minor: 9 } })).toEqual(given);
      }),
    );
  });

  it('allows a profile without a filter only where that is said', () => {
    const allowed = { target: makeTarget({ arch: 'X86' }), allowUnconfined: true };
    expect(read(writeQuery(allowed).toString())).toMatchObject({ allowUnconfined: true });
    expect(read(writeQuery({ ...allowed, allowUnconfined: false }).toString())).not.toHaveProperty(
      'allowUnconfined',
    );
  });

  it.each([
    'arch=arm64&kernel=6.1',
    'arch=SCMP_ARCH_X86_64&kernel=5.4.0-13-generic&architectures=x86_64,i386',
    'arch=s390x&kernel=4.4&architectures=native&engine=podman',
    'arch=amd64&kernel=6.1&cap=NET_ADMIN,SYS_ADMIN&cap=CAP_BPF&cap-drop=chown',
    'arch=amd64&kernel=6.1&cap-set=all&cap-drop=SYS_ADMIN',
    'arch=amd64&kernel=6.1&cap-set=none&cap=ALL',
    'arch=amd64&kernel=6.1&cap-drop=ALL&cap=SYS_CHROOT',
    'arch=amd64&kernel=6.1&cap=all&cap-drop=sys_admin,kill&engine=podman',
    'arch=amd64&kernel=6.1&semantics=runc',
    'arch=amd64&kernel=6.1&semantics=runc&no-enosys-stub',
    'arch=amd64&kernel=6.1&enosys-stub&enosys-after=5.10&overlap=error',
    'arch=amd64&kernel=6.1&fail-unknown&force',
  ])('means what the flags of the command mean: %s', (query) => {
    expect(read(query).target).toEqual(fromFlags(query.split('&').map((word) => `--${word}`)));
  });

  it('knows every flag that says what a profile is compiled for', () => {
    const flags = addTargetOptions(new Command('x')).options.map(({ long }) => long!.slice(2));
    expect(flags.length).toBeGreaterThan(10);
    const refused = flags.filter((flag) =>
      reasons(`arch=none&${flag}=@`).some((reason) => reason.startsWith('there is no parameter')),
    );
    expect(refused).toEqual([]);
  });

  it('takes what it does not say from the machine', () => {
    const host = { arch: 'PPC64LE', kernel: { major: 5, minor: 4 } } as const;
    expect(read('', host).target).toMatchObject(host);
    expect(read('arch=x86&kernel=6.1', host).target).toMatchObject({
      arch: 'X86',
      kernel: { major: 6, minor: 1 },
    });
    expect(reasons('')).toEqual(['there is no parameter "arch"']);
  });

  it('is told everything that is wrong with it at once', () => {
    expect(
      reasons(
        'arch=pdp11&arch=x86&colour=red&kernel=six&cap=FLY&force=maybe&no-prove&require-proof&optimize=x',
      ),
    ).toEqual([
      'there is no parameter "colour"',
      '"optimize" is attach or frequency or size, not "x"',
      '"arch" is given twice',
      '"arch" is an architecture such as x86_64 or arm64, not "pdp11"',
      '"kernel" is two numbers such as 5.15, not "six"',
      '"force" is 1, 0, true or false, not "maybe"',
      '"require-proof" and "no-prove" contradict each other',
      'there is no capability "FLY"',
    ]);
  });

  it('names some of very many parameters that do not exist', () => {
    const query = Array.from({ length: 1000 }, (_, index) => `x${index}`).join('&');
    expect(reasons(`arch=x86&${query}`)).toHaveLength(10);
  });

  it('has flags that can be on and off', () => {
    const force = (value: string) => read(`arch=x86&force${value}`).target.force;
    expect(['', '=', '=1', '=true', '=0', '=false'].map(force)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(read('arch=x86&semantics=runc').target.enosysStub).toBe(true);
    expect(read('arch=x86&semantics=runc&enosys-stub=0').target.enosysStub).toBe(false);
  });
});
