import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { allArches, archOf } from '../../src/arch.ts';
import { disassemble } from '../../src/bpf/disassemble.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { tablesFor } from '../../src/bpf/tested-arches.ts';
import { compile } from '../../src/compile.ts';
import { layOut } from '../../src/graph/layout.ts';
import { reachedBy } from '../../src/graph/reach.ts';
import { formatSvg } from '../../src/graph/svg.ts';
import { formatDot, formatMermaid } from '../../src/graph/text.ts';
import { decisionTree } from '../../src/graph/tree.ts';
import { loadTables } from '../../src/syscalls/load.ts';

const PROFILES = join(import.meta.dirname, '../../profiles');

async function programOf(name: string) {
  const text = readFileSync(join(PROFILES, `${name}.json`), 'utf8');
  const { instructions, endian, arches } = await compile(text, { arch: 'x86_64', kernel: '6.1' });
  return { program: instructions, endian, arches, tables: await tablesFor(instructions) };
}

/** Calls of all architectures with some arguments. */
async function callsOn(arches: Parameters<typeof archOf>[0][]) {
  const tables = await loadTables(allArches().map(({ table }) => table));
  return arches.flatMap((name) =>
    tables.of(name).numbers.flatMap((nr) =>
      [0n, 40n, 0x7e020000n, (1n << 40n) + 8n].map((value) => ({
        nr,
        arch: archOf(name).auditArch,
        ip: 0n,
        args: Array.from({ length: 6 }, () => value),
      })),
    ),
  );
}

describe('the decision tree', () => {
  test.each(['container-default', 'masked-flags', 'ranges'])(
    'of %s leads to what the program answers',
    async (name) => {
      const { program, endian, arches, tables } = await programOf(name);
      const { root, nodes } = decisionTree(program, { endian, tables });
      const listing = disassemble(program, { endian, tables }).split('\n');
      const calls = await callsOn(arches);
      expect(calls.length).toBeGreaterThan(1000);
      const wrong = calls.filter((data) => {
        const { path, value } = run(program, data, endian);
        const reached = reachedBy(program, data.arch, data.nr).instructions;
        let node = nodes.get(root)!;
        while (node.kind === 'test') {
          const after = path[path.indexOf(node.id) + 1]! - node.id - 1;
          if (!path.includes(node.id) || !reached.has(node.id)) return true;
          node = nodes.get(after === program[node.id]!.jt ? node.yes! : node.no!)!;
        }
        return program[node.id]!.k !== value || !listing[node.id]!.endsWith(`; ${node.label}`);
      });
      expect(wrong).toEqual([]);
    },
  );

  test('has every test once, and one node for an action', async () => {
    const { program, endian, tables } = await programOf('container-default');
    const { nodes } = decisionTree(program, { endian, tables });
    const labels = [...nodes.values()].flatMap(({ kind, label }) => (kind === 'action' ? [label] : []));
    expect(labels.toSorted()).toEqual(['ALLOW', 'ERRNO ENOSYS', 'ERRNO EPERM', 'KILL_THREAD']);
    const isTest = ({ code, jt, jf }: SockFilter) => (code & 7) === 5 && jt !== jf;
    const tests = [...nodes.values()].filter(({ kind }) => kind === 'test').length;
    expect(tests).toBe(program.filter(isTest).length);
  });

  test('folds what is deep, and shows what one call meets', async () => {
    const { program, endian, tables } = await programOf('container-default');
    const folded = decisionTree(program, { endian, tables, isFolded: (_, above) => above === 2 });
    expect([...folded.nodes.values()].filter(({ kind }) => kind === 'test')).toHaveLength(3);
    expect([...folded.nodes.values()].map(({ label }) => label)).toContainEqual(
      expect.stringMatching(/^\d+ tests: ALLOW, ERRNO ENOSYS, ERRNO EPERM$/),
    );
    const only = reachedBy(program, archOf('X86_64').auditArch, 41).steps;
    const labels = [...decisionTree(program, { endian, tables, only }).nodes.values()].map(
      ({ label }) => label,
    );
    expect(labels).toContain('nr == 41 socket');
    expect(labels).toContainEqual(expect.stringContaining('AF_NETLINK'));
    expect(labels).not.toContain('arch == X86');
    const ways = [...decisionTree(program, { endian, tables, only }).nodes.values()].flatMap((node) =>
      node.kind === 'test' && /^(arch|nr)/.test(node.label)
        ? [[node.yes, node.no].filter((each) => each !== undefined)]
        : [],
    );
    expect(ways.every(({ length }) => length === 1)).toBe(true);
  });
});

describe('pictures of a tree', () => {
  const hostile = '"]<script>&\\#';
  const nodes = new Map([
    [0, { kind: 'test' as const, id: 0, label: hostile, yes: 1, no: 2 }],
    [1, { kind: 'test' as const, id: 1, label: 'shared', yes: 3, no: 3 }],
    [2, { kind: 'test' as const, id: 2, label: 'b', yes: 1, no: 3 }],
    [3, { kind: 'action' as const, id: 3, label: 'ALLOW' }],
  ]);
  const tree = { root: 0, nodes };

  test('escape what labels have', () => {
    expect(formatSvg(tree, hostile)).not.toContain('<script>');
    expect(formatMermaid(tree)).toContain('n0["#34;]#60;script#62;#38;\\#35;"]');
    expect(formatDot(tree)).toContain(`n0 [label=${JSON.stringify(hostile)}]`);
  });

  test('draw a shared test once, and mention it elsewhere', () => {
    const shared = layOut(tree).placed.filter(({ node }) => node.id === 1);
    expect(shared.map(({ isMention }) => isMention)).toEqual([false, true]);
    expect(formatSvg(tree, '').match(/id="n1"/g)).toHaveLength(1);
    expect(formatSvg(tree, '').match(/href="#n1"/g)).toHaveLength(1);
    expect(formatDot(tree).match(/-> n1 /g)).toHaveLength(2);
  });

  test('put no box on another', async () => {
    const { program, endian, tables } = await programOf('container-default');
    const { placed, width, height } = layOut(decisionTree(program, { endian, tables }));
    const isInside = placed.every((each) => each.x >= 0 && each.x + each.width <= width && each.y <= height);
    expect(isInside).toBe(true);
    const columns = new Map(placed.map(({ x }) => [x, placed.filter((each) => each.x === x)]));
    for (const column of columns.values()) {
      const rows = column.map(({ y }) => y).toSorted((a, b) => a - b);
      expect(Math.min(...rows.slice(1).map((y, index) => y - rows[index]!), 24)).toBe(24);
    }
  });
});
