import { execFileSync } from 'node:child_process';
import type { TableName } from '../arch.ts';
import type { CallList } from './arguments-table.ts';
import { type HeaderFolders, KERNEL, KERNEL_ROOT, readHeader, verifyUapi } from './headers.ts';
import type { Output } from './output.ts';
import { TABLES } from './syscall-modules.ts';
import { formatTsv, parseTsv } from './tsv.ts';

/**
 * How the host's compiler (of x86_64) reads the headers of a table: folder of its asm/, then the
 * width of a word, the alignment of 64-bit members, and what the table's own compiler defines.
 */
const COMPILERS: Readonly<Record<TableName, readonly [folder: string, ...options: string[]]>> = {
  x86: ['x86', '-m32'],
  x86_64: ['x86', '-m64'],
  x32: ['x86', '-mx32'],
  arm: ['arm', '-m32', '-malign-double', '__arm__', '__ARM_EABI__'],
  aarch64: ['arm64', '-m64', '__aarch64__'],
  mips: ['mips', '-m32', '-malign-double', '__mips__', '__MIPSEL__', '_MIPS_SIM=1', '_MIPS_SZLONG=32'],
  mips64: ['mips', '-m64', '__mips__', '__MIPSEL__', '__mips64', '_MIPS_SIM=3', '_MIPS_SZLONG=64'],
  mips64n32: ['mips', '-mx32', '__mips__', '__MIPSEL__', '__mips64', '_MIPS_SIM=2', '_MIPS_SZLONG=32'],
  ppc: ['powerpc', '-m32', '-malign-double', '__powerpc__', '__BIG_ENDIAN__'],
  ppc64: ['powerpc', '-m64', '__powerpc__', '__powerpc64__', '__LITTLE_ENDIAN__'],
  // These headers know 64 bits only.
  s390: ['s390', '-m32', '-malign-double', '__s390__', '__ASM_S390_BITSPERLONG_H', '__BITS_PER_LONG=32'],
  s390x: ['s390', '-m64', '__s390__', '__s390x__'],
  parisc: ['parisc', '-m32', '-malign-double', '__hppa__'],
  parisc64: ['parisc', '-m64', '__hppa__'],
  riscv64: ['riscv', '-m64', '__riscv', '__riscv_xlen=64'],
  loongarch64: ['loongarch', '-m64', '__loongarch__', '__loongarch_grlen=64'],
  m68k: ['m68k', '-m32', '-fpack-struct=2', '__m68k__'],
  sh: ['sh', '-m32', '__sh__', '__LITTLE_ENDIAN__'],
};

interface ConstantSet {
  readonly name: string;
  readonly headers: readonly string[];
  readonly patterns: readonly string[];
  readonly calls: readonly string[];
}

/**
 * Makes constants.tsv: the host's C compiler evaluates the constants that constant-sets.tsv asks
 * for, for each table.
 */
export function constantsTable(folders: HeaderFolders, calls: CallList, setsText: string): Output {
  const source = verifyUapi(folders);
  const sets = parseTsv('syscall-tables/constant-sets.tsv', setsText, 5).rows.map(
    ({ columns }): ConstantSet => {
      const [name, , headers, patterns, uses] = columns as [string, string, string, string, string];
      const called = uses.split(' ').map((use) => use.split(':')[0]!);
      return { name, headers: headers.split(' '), patterns: patterns.split(' '), calls: called };
    },
  );
  const values = new Map(TABLES.map((table) => [table, valuesOn(table, sets, folders, calls.get(table)!)]));
  const rows = sets.flatMap((set) => rowsOf(set.name, values));
  const comments = [
    'Constants that arguments take: set (see constant-sets.tsv), name, value, where it differs.',
    '"only mips,sh;sh=0x80": on mips with the value before, on sh with 0x80, nowhere else. u32 in hexadecimal, or negative.',
    `source: ${source}`,
    ...KERNEL_HEADERS.map((file) => `source: ${kernelHeader(folders, file).source}`),
    'source: syscall-tables/constant-sets.tsv',
    `count: ${rows.length}`,
  ];
  return { path: 'syscall-tables/constants.tsv', content: formatTsv(comments, rows) };
}

const KERNEL_HEADERS = ['include/linux/net.h', 'include/linux/socket.h'];

function kernelHeader(folders: HeaderFolders, file: string): ReturnType<typeof readHeader> {
  return readHeader(folders, KERNEL, `${KERNEL_ROOT}${file}`);
}

/** By set and name, in the order of the headers. */
type Values = ReadonlyMap<string, ReadonlyMap<string, string>>;

function rowsOf(set: string, values: ReadonlyMap<TableName, Values>): string[][] {
  const found = [...values].flatMap(([table, sets]) =>
    sets.has(set) ? [[table, sets.get(set)!] as const] : [],
  );
  const names = new Set(found.flatMap(([, of]) => [...of.keys()]));
  if (names.size === 0) throw new Error(`constant-sets.tsv: no header has a constant of the set ${set}`);
  return [...names].map((name) => {
    const byValue = new Map<string, TableName[]>();
    for (const [table, of] of found) {
      const value = of.get(name);
      if (value !== undefined) byValue.set(value, [...(byValue.get(value) ?? []), table]);
    }
    const [usual, ...others] = [...byValue].toSorted((a, b) => b[1].length - a[1].length);
    const having = [...byValue.values()].flat();
    const only = having.length === found.length ? [] : [`only ${tablesOf(having)}`];
    const differing = others.map(([value, on]) => `${tablesOf(on)}=${value}`);
    return [set, name, usual![0], [...only, ...differing].join(';') || '-'];
  });
}

function tablesOf(tables: readonly TableName[]): string {
  return TABLES.filter((table) => tables.includes(table)).join(',');
}

/**
 * The sets whose calls a table has. Each is looked for in its own headers; the compiler evaluates
 * all at once.
 */
function valuesOn(
  table: TableName,
  sets: readonly ConstantSet[],
  folders: HeaderFolders,
  calls: ReadonlySet<string>,
): Values {
  const used = sets.filter((set) => set.calls.some((call) => calls.has(call)));
  const wanted = used.map((set) => ({ set, ...namesOf(set, table, folders) }));
  const includes = new Set(
    used.flatMap((set) => set.headers).filter((header) => !header.startsWith('kernel:')),
  );
  const lines = wanted.flatMap(({ names, defines }, at) => [
    ...defines.map(([name, value]) => `#undef ${name}\n#define ${name} ${value}\n`),
    `void f${at}(void) {\n`,
    ...names.map((name) => `asm("@${at} ${name} %0 %1" :: "i"((int)(${name})), "i"((${name}) < 0));\n`),
    '}\n',
  ]);
  const text = compile(table, folders, '-S', [...[...includes].map(include), ...lines].join(''));
  const values = new Map(used.map((set) => [set.name, new Map<string, string>()]));
  for (const [, at, name, value, negative] of text.matchAll(/^\s*@(\d+) (\w+) \$?(-?\d+) \$?([01])$/gm))
    values
      .get(used[Number(at)]!.name)!
      .set(name!, negative === '1' ? value! : `0x${(Number(value) >>> 0).toString(16)}`);
  return values;
}

function include(header: string): string {
  return `#include <${header}>\n`;
}

/**
 * The names of a set on a table, and those constants that its headers do not define for programs.
 */
function namesOf(
  { headers, patterns }: ConstantSet,
  table: TableName,
  folders: HeaderFolders,
): { names: string[]; defines: (readonly [string, string])[] } {
  const wanted = matcher(patterns.filter((pattern) => !pattern.includes('=')));
  const [kernel, uapi] = [true, false].map((own) =>
    headers.filter((header) => header.startsWith('kernel:') === own),
  );
  const given = patterns
    .flatMap((text) => [.../^(\w+)=(\w+)(?:@(.*))?$/g[Symbol.matchAll](text)])
    .filter(([, , , on]) => on === undefined || on.split(',').includes(table))
    .map(([, name, value]) => [name!, value!] as const);
  const lines = kernel!.flatMap((file) =>
    linesOf(kernelHeader(folders, file.slice('kernel:'.length)).text, wanted),
  );
  const defines = [...new Map([...lines, ...given])];
  const text = compile(table, folders, '-E', uapi!.map(include).join(''));
  const names = new Set(defines.map(([name]) => name));
  for (const match of text.matchAll(/^#define (\w+) .+$|^#.*$|\b[A-Z_][A-Z0-9_]*\b/gm)) {
    const name = match[1] ?? match[0];
    if (/^\w+$/.test(name) && wanted(name)) names.add(name);
  }
  return { names: [...names], defines };
}

const preprocessed = new Map<string, string>();

/** The output of the host's compiler for a source; `-E` keeps the definitions of macros. */
function compile(table: TableName, folders: HeaderFolders, mode: '-E' | '-S', source: string): string {
  const key = `${table} ${mode} ${source}`;
  const known = preprocessed.get(key);
  if (known !== undefined) return known;
  const [uapi, ...target] = COMPILERS[table];
  const own = uapi === 'x86' ? [] : ['-U__i386__', '-U__x86_64__', '-U__ILP32__'];
  const paths = [`-I${folders.headers}/usr/lib/linux/uapi/${uapi}`, `-I${folders.headers}/usr/include`];
  const options = [
    '-w',
    '-nostdinc',
    '-std=gnu11',
    '-Dsize_t=__SIZE_TYPE__',
    '-Dpid_t=int',
    '-Dloff_t=long long',
    ...own,
    ...target.map((option) => (option.startsWith('-') ? option : `-D${option}`)),
    ...paths,
  ];
  const output = [mode, ...(mode === '-E' ? ['-dD', '-P'] : []), '-x', 'c', '-o', '-', '-'];
  const text = execFileSync('gcc', [...options, ...output], {
    // Some headers ask for __BITS_PER_LONG and do not include what defines it.
    input: `#include <linux/types.h>\n${source}`,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  preprocessed.set(key, text);
  return text;
}

/**
 * Single lines of a header of the kernel, which as a whole needs others: `#define NAME VALUE` and
 * `NAME = VALUE,`.
 */
function linesOf(text: string, wanted: (name: string) => boolean): (readonly [string, string])[] {
  const lines = text.matchAll(/^(?:#define\s+(\w+)\s+([^\n/]+?)|\s*(\w+)\s*=\s*(\w+),?)\s*(?:\/[/*].*)?$/gm);
  return [...lines]
    .map(([, macro, value, member, number]) => [macro ?? member!, value ?? number!] as const)
    .filter(([name]) => wanted(name));
}

function matcher(patterns: readonly string[]): (name: string) => boolean {
  const [out, taken] = [true, false].map((negative) =>
    patterns
      .filter((pattern) => pattern.startsWith('!') === negative)
      .map((pattern) => new RegExp(`^(?:${pattern.replace(/^!/, '')})$`)),
  ) as [RegExp[], RegExp[]];
  return (name) => taken.some((pattern) => pattern.test(name)) && !out.some((pattern) => pattern.test(name));
}
