import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { ACTION_NAMES } from '../../src/action.ts';
import { allArches, ociArchName } from '../../src/arch.ts';
import docker from '../../src/profile/schema/docker-profile.schema.json' with { type: 'json' };
import oci from '../../src/profile/schema/oci-seccomp.schema.json' with { type: 'json' };
import { FLAG_NAMES, OPERATOR_NAMES } from '../../src/profile/types.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/profile');
const GENERATED = join(import.meta.dirname, '../../src/profile/generated');

function fixture(name: string): unknown {
  return JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'));
}

describe('the published schemas', () => {
  const ajv = new Ajv({ schemas: [oci, docker], allowUnionTypes: true });

  it('are draft-07', () => {
    for (const schema of [oci, docker]) {
      expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
      expect(ajv.validateSchema(schema)).toBe(true);
    }
  });

  it('name what the types name', () => {
    const { definitions } = oci;
    expect(definitions.action.enum).toEqual(ACTION_NAMES);
    expect(definitions.operator.enum).toEqual(OPERATOR_NAMES);
    expect(definitions.flag.enum).toEqual(FLAG_NAMES);
    const arches = allArches().map(({ name }) => ociArchName(name));
    expect(definitions.architecture.examples.toSorted()).toEqual(arches.toSorted());
  });

  it('accept profiles and refuse what no runtime would take', () => {
    const accepts = (schema: { $id: string }, data: unknown) => ajv.validate(schema.$id, data);
    expect(accepts(oci, fixture('oci.json'))).toBe(true);
    expect(accepts(docker, fixture('docker.json'))).toBe(true);
    expect(accepts(docker, fixture('oci.json'))).toBe(true);
    const entry = (members: object) => ({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: ['a'], action: 'SCMP_ACT_LOG', ...members }],
    });
    for (const schema of [oci, docker]) {
      expect(accepts(schema, entry({}))).toBe(true);
      expect(accepts(schema, {})).toBe(false);
      expect(accepts(schema, entry({ action: 'SCMP_ACT_DENY' }))).toBe(false);
      expect(accepts(schema, entry({ names: [''] }))).toBe(false);
      expect(accepts(schema, entry({ errnoRet: 'EPERM' }))).toBe(false);
      expect(accepts(schema, entry({ args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] }))).toBe(false);
      expect(accepts(schema, entry({ args: [{ index: 5, value: -1, op: 'SCMP_CMP_EQ' }] }))).toBe(false);
      expect(accepts(schema, entry({ args: [{ index: 5, value: 2 ** 64, op: 'SCMP_CMP_EQ' }] }))).toBe(true);
    }
  });
});

describe('the compiled validators', () => {
  it('import nothing but types, and need no helper', () => {
    const files = readdirSync(GENERATED);
    expect(files.toSorted()).toEqual(['members.ts', 'validators.ts']);
    for (const file of files) {
      const text = readFileSync(join(GENERATED, file), 'utf8');
      const imports = text.split('\n').filter((line) => /\bimport\b|\brequire\(/.test(line));
      expect(imports).toHaveLength(1);
      expect(imports[0]).toMatch(/^import type /);
    }
  });
});
