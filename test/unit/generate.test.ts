import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import { runCommand } from '../../src/generate/command.ts';
import { type ErrnoNames, parseErrnos, swapAlias } from '../../src/generate/errno-header.ts';
import { NEWEST, readHeader } from '../../src/generate/headers.ts';
import { codeOf, parseParameters, parsePrototypes } from '../../src/generate/prototypes.ts';
import { generate, stalePaths, writeOutputs } from '../../src/generate/run.ts';
import { parseTsv } from '../../src/generate/tsv.ts';
import { parseArmPrivate, parseUnistd, readBase } from '../../src/generate/unistd.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A table header with these lines inside its guard; the first of them is line 4. */
function header(...lines: string[]): string {
  return ['#ifndef _ASM_T_H', '#define _ASM_T_H', '', ...lines, '', '#endif /* _ASM_T_H */', ''].join('\n');
}

describe('a syscall table header', () => {
  const base = { macro: '__NR_Linux', value: 4000 };

  it('is read in its plain form', () => {
    expect(parseUnistd('t.h', header('#define __NR_read 63', '', '#define __NR__llseek 0'))).toEqual([
      { name: 'read', nr: 63 },
      { name: '_llseek', nr: 0 },
    ]);
    const spdx = '/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */\n';
    expect(parseUnistd('t.h', spdx + header('#define __NR_exit 1'))).toEqual([{ name: 'exit', nr: 1 }]);
  });

  it('is read with a base, and the base is added', () => {
    expect(parseUnistd('t.h', header('#define __NR_read (__NR_Linux + 3)'), base)).toEqual([
      { name: 'read', nr: 4003 },
    ]);
  });

  it('loses the holes of the MIPS tables and nothing else', () => {
    const lines = ['unused18', 'reserved82', 'unused', 'reserved_1', 'getpmsg'].map(
      (n, i) => `#define __NR_${n} ${i}`,
    );
    expect(parseUnistd('t.h', header(...lines)).map((call) => call.name)).toEqual([
      'unused',
      'reserved_1',
      'getpmsg',
    ]);
  });

  it.each([
    ['#define __NR_read (__NR_Linux + 3)', 'a base where none belongs'],
    ['#define __NR_read 0x3f', 'hexadecimal'],
    ['#define __NR_read 063', 'octal'],
    ['#define __NR_read -1', 'negative'],
    ['#define __NR_read 63 ', 'a blank at the end'],
    ['#define  __NR_read 63', 'two blanks'],
    ['#define __NR_read\t63', 'a tab'],
    ['#define __NR_Read 63', 'upper case'],
    ['#define __NR_4read 63', 'a digit first'],
    ['#define __NR_read 63\r', 'a carriage return'],
    ['#define __NR_read __NR_write', 'an alias'],
    ['#define __NR3264_fcntl 25', 'the generic table'],
    ['__SYSCALL(63, sys_read)', 'the generic table'],
    ['#if __BITS_PER_LONG == 64', 'a condition'],
    ['#undef __NR_read', 'an undefinition'],
    ['/* a comment */', 'a comment'],
    ['#include <asm/other.h>', 'an include'],
    ['#define _ASM_T_H', 'the guard again'],
    ['#ifndef _ASM_U_H', 'another guard'],
  ])('is refused for %j: %s', (line) => {
    expect(() => parseUnistd('some/t.h', header('#define __NR_exit 1', line))).toThrow(
      /^some\/t\.h:5: not part of a syscall table: /,
    );
  });

  it.each(['#define __NR_read 3', '#define __NR_read (__NR_Linux +3)', '#define __NR_read (__NR_Other + 3)'])(
    'with a base is refused for %j',
    (line) => {
      expect(() => parseUnistd('t.h', header(line), base)).toThrow(/^t\.h:4: not part/);
    },
  );

  it('is refused for a repeated name or number, at the line of the second', () => {
    const text = header('#define __NR_read 63', '#define __NR_write 64', '#define __NR_read 65');
    expect(() => parseUnistd('t.h', text)).toThrow('t.h:6: read is defined twice');
    const numbers = header('#define __NR_read 63', '#define __NR_write 63');
    expect(() => parseUnistd('t.h', numbers)).toThrow('t.h:5: number 63 is used twice');
  });

  it('is refused without its guard, outside it, or cut off', () => {
    expect(() => parseUnistd('t.h', '#define __NR_read 63\n')).toThrow('t.h:1: not part');
    expect(() => parseUnistd('t.h', `${header()}#define __NR_read 63\n`)).toThrow('t.h:6: not part');
    expect(() => parseUnistd('t.h', '#ifndef _T_H\n#define _T_H\n')).toThrow(
      't.h:2: the include guard is not closed',
    );
    expect(() => parseUnistd('t.h', '#ifndef _T_H\n#define _U_H\n')).toThrow('t.h:2: not part');
    expect(() => parseUnistd('t.h', header('#define __NR_read 63').trimEnd())).toThrow(
      't.h:6: the last line is cut off',
    );
    expect(() => parseUnistd('t.h', '')).toThrow('t.h:1: the last line is cut off');
  });
});

describe('the header that defines a base', () => {
  const text = [
    '#define __NR_Linux 4000', '#include <asm/unistd_o32.h>', '#endif', '#define __NR_Linux\t5000',
    '# include <asm/unistd_n64.h>', '#define __BIT 0x40000000', '#include <asm/unistd_x.h>', '',
  ].join('\n'); // prettier-ignore

  it('gives the value above the include of the table', () => {
    expect(readBase('u.h', text, '__NR_Linux', 'unistd_o32.h').value).toBe(4000);
    expect(readBase('u.h', text, '__NR_Linux', 'unistd_n64.h').value).toBe(5000);
    expect(readBase('u.h', text, '__BIT', 'unistd_x.h').value).toBe(0x40000000);
  });

  it('is refused without the include or the macro', () => {
    expect(() => readBase('u.h', text, '__NR_Linux', 'unistd_n32.h')).toThrow('u.h:7: does not include');
    expect(() => readBase('u.h', text, '__BIT', 'unistd_n64.h')).toThrow('u.h:5: no __BIT above');
  });
});

describe("arm's private calls", () => {
  const base = '#define __ARM_NR_BASE\t\t(__NR_SYSCALL_BASE+0x0f0000)';

  it('are read with their base', () => {
    const text = ['#define __NR_SYSCALL_BASE\t0', '#define __NR_sync_file_range2\t\t__NR_arm_sync_file_range', base,
      '#define __ARM_NR_usr26\t\t\t(__ARM_NR_BASE+3)', ''].join('\n'); // prettier-ignore
    expect(parseArmPrivate('a.h', text)).toEqual([{ name: 'usr26', nr: 983043 }]);
  });

  it.each([
    '#define __NR_other\t__NR_arm_sync_file_range',
    '#define __NR_sync_file_range2 341',
    '#define __ARM_NR_usr26 3',
    '#undef __ARM_NR_usr26',
  ])('are refused for %j', (line) => {
    expect(() => parseArmPrivate('a.h', `${base}\n${line}\n`)).toThrow('a.h:2: neither a private call nor');
  });

  it('are refused before their base, and twice', () => {
    const call = '#define __ARM_NR_usr26 (__ARM_NR_BASE+3)';
    expect(() => parseArmPrivate('a.h', `${call}\n${base}\n`)).toThrow('a.h:1: neither');
    expect(() => parseArmPrivate('a.h', `${base}\n${call}\n${call}\n`)).toThrow(
      'a.h:3: usr26 is defined twice',
    );
  });
});

/** What a header adds to a set that has EAGAIN. */
function parseErrnoLines(lines: readonly string[]): (readonly [string, number | string])[] {
  const names: ErrnoNames = new Map([['EAGAIN', 11]]);
  parseErrnos('e.h', lines.join('\n'), names);
  return [...names].slice(1);
}

describe('an errno header', () => {
  it('is read with its comments and aliases', () => {
    const lines = ['#ifndef _E_H', '#define _E_H', '', '/*', ' * words: #define EPERM 1', ' */', '/* one line */',
      '#include <asm-generic/errno-base.h>', '#define\tEPERM\t\t 1\t/* no */', '#define\tEWOULDBLOCK\tEAGAIN\t/* x */',
      '#define E2BIG 7', '#endif']; // prettier-ignore
    expect(parseErrnoLines(lines)).toEqual([['EPERM', 1], ['EWOULDBLOCK', 'EAGAIN'], ['E2BIG', 7]]); // prettier-ignore
  });

  it.each([
    [['#undef EAGAIN'], 'e.h:1: not an errno definition'],
    [['', '#define EPERM 0x1'], 'e.h:2: not an errno definition'],
    [['#define EPERM 0'], 'e.h:1: not an errno definition'],
    [['#define EPERM 1', '#define EPERM 2'], 'e.h:2: EPERM is defined twice'],
    [['#define EPERM 11'], 'e.h:1: number 11 is used twice'],
    [['#define EPERM 1', '#define ENOENT 1'], 'e.h:2: number 1 is used twice'],
    [['#define EWOULDBLOCK ETRY'], 'e.h:1: EWOULDBLOCK stands for ETRY, which is not defined'],
  ])('is refused: %j', (lines, message) => {
    expect(() => parseErrnoLines(lines)).toThrow(message);
  });

  it('can have the other spelling as the name of the number', () => {
    const names: ErrnoNames = new Map<string, number | string>([['ECANCELLED', 253], ['ECANCELED', 'ECANCELLED']]); // prettier-ignore
    swapAlias(names, 'ECANCELED', 'ECANCELLED');
    expect([...names]).toEqual([['ECANCELLED', 'ECANCELED'], ['ECANCELED', 253]]); // prettier-ignore
    expect(() => swapAlias(names, 'ECANCELED', 'ECANCELLED')).toThrow('ECANCELED is no alias');
  });
});

describe('a table file', () => {
  it('is refused for a wrong number of columns, an empty column or a cut line', () => {
    expect(() => parseTsv('t.tsv', '# c\n1\tread\n2\n', 2)).toThrow('t.tsv:3: expected 2 columns');
    expect(() => parseTsv('t.tsv', '1\t\n', 2)).toThrow('t.tsv:1: expected 2 columns');
    expect(() => parseTsv('t.tsv', '1\tread', 2)).toThrow('t.tsv:1: the last line is cut off');
  });
});

describe('a header of prototypes', () => {
  const text = `
/* asmlinkage long sys_comment(int); */
#ifndef CONFIG_WRAPPER
asmlinkage long sys_openat(int dfd, const char __user *filename, int flags,
			   umode_t mode);
asmlinkage long sys_socket(int, unsigned int);
asmlinkage int sys_sigreturn(struct pt_regs *regs);
#ifdef CONFIG_BACKWARDS
asmlinkage long sys_clone(unsigned long flags, int __user * __user *tid);
#else
asmlinkage long sys_clone(unsigned long flags);
#endif
#endif
#define SYSCALL(name) \\
  asmlinkage long sys_##name(void);
static inline long ksys_openat(int dfd) { return sys_openat(dfd); }
asmlinkage long compat_sys_ioctl(unsigned int fd, compat_ulong_t arg32);
`;

  it('is read with types and names, by condition where one stands there twice', () => {
    const found = parsePrototypes('h', text);
    expect([...found.keys()]).toEqual([
      'openat',
      'socket',
      'sigreturn',
      'clone if !CONFIG_WRAPPER CONFIG_BACKWARDS',
      'clone if !CONFIG_WRAPPER !CONFIG_BACKWARDS',
      'compat_sys_ioctl',
    ]);
    expect(found.get('openat')).toEqual([
      { type: 'int', name: 'dfd' },
      { type: 'const char *', name: 'filename' },
      { type: 'int', name: 'flags' },
      { type: 'umode_t', name: 'mode' },
    ]);
    expect(found.get('socket')).toEqual([
      { type: 'int', name: undefined },
      { type: 'unsigned int', name: undefined },
    ]);
    expect(found.get('sigreturn')).toEqual([]);
    expect(found.get('clone if !CONFIG_WRAPPER CONFIG_BACKWARDS')![1]).toEqual({
      type: 'int **',
      name: 'tid',
    });
  });

  it('is refused where a declaration is not understood', () => {
    expect(() => parsePrototypes('h', 'asmlinkage struct x *sys_new(int a);')).toThrow(
      'h: not understood: asmlinkage struct x *sys_new(int a)',
    );
  });

  it('has types of known width, and no others', () => {
    expect(['umode_t', 'const char *', 'size_t', 'int', '__sighandler_t'].map(codeOf)).toEqual([
      'u16',
      'p',
      'uw',
      's32',
      'p',
    ]);
    expect(() => codeOf('brand_new_t')).toThrow('unknown type of an argument: brand_new_t');
    expect(parseParameters('void')).toEqual([]);
  });
});

describe('in a folder of its own', () => {
  /** Of the tables as they are. */
  let fresh: Awaited<ReturnType<typeof generate>>;
  beforeAll(async () => {
    fresh = await generate({ root: ROOT });
  });
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'generate-'));
    cpSync(join(ROOT, 'syscall-tables'), join(root, 'syscall-tables'), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const edit = (path: string, change: (text: string) => string) =>
    writeFileSync(join(root, path), change(readFileSync(join(root, path), 'utf8')));

  it('writes what is checked in, byte for byte, and finds nothing stale then', async () => {
    const outputs = await generate({ root });
    const modules = outputs.filter(({ path }) => path.startsWith('src/syscalls/generated/'));
    expect(modules).toHaveLength(24);
    expect(stalePaths(root, outputs)).toEqual(outputs.map(({ path }) => path));
    expect(writeOutputs(root, outputs)).toEqual(outputs.map(({ path }) => path));
    for (const { path } of modules)
      expect(readFileSync(join(root, path), 'utf8')).toBe(readFileSync(join(ROOT, path), 'utf8'));
    const again = await generate({ root });
    expect(stalePaths(root, again)).toEqual([]);
    expect(writeOutputs(root, again)).toEqual([]);
  });

  it('finds a changed byte in an output, a missing output and one too many', async () => {
    writeOutputs(root, fresh);
    edit('src/syscalls/generated/arm.ts', (text) => text.replace('983041', '983040'));
    rmSync(join(root, 'src/syscalls/generated/sh.ts'));
    writeFileSync(join(root, 'src/syscalls/generated/vax.ts'), '');
    const stale = ['arm', 'sh', 'vax'].map((name) => `src/syscalls/generated/${name}.ts`);
    expect(stalePaths(root, fresh)).toEqual(stale);
    expect(writeOutputs(root, fresh)).toEqual(stale);
    expect(stalePaths(root, fresh)).toEqual([]);
  });

  it('finds a changed byte in a table: its module and the digest of all are stale', async () => {
    writeOutputs(root, fresh);
    edit('syscall-tables/x86_64.tsv', (text) => text.replace('\n0\tread\n', '\n0\treaf\n'));
    edit('syscall-tables/since.tsv', (text) => text.replace('\nread\t', '\nreaf\t'));
    await expect(generate({ root })).rejects.toThrow(/since\.tsv:\d+: expected the row of read, not reaf/);
    edit('syscall-tables/x86_64.tsv', (text) =>
      text.replace('\n0\treaf\n', '\n0\tread\n').replace('# base: 0', '# base: 1'),
    );
    edit('syscall-tables/since.tsv', (text) => text.replace('\nreaf\t', '\nread\t'));
    expect(stalePaths(root, await generate({ root }))).toEqual([
      'src/syscalls/generated/union.ts',
      'src/syscalls/generated/x86_64.ts',
    ]);
  });

  it('as a command: writes, is silent when all is fresh, names what is stale and how to mend it', async () => {
    const run = async (...args: string[]) => {
      const lines: string[] = [];
      const streams = {
        out: (line: string) => lines.push(line),
        err: (line: string) => lines.push(`! ${line}`),
      };
      return [await runCommand(args, root, streams), ...lines];
    };
    const written = await run();
    expect(written[0]).toBe(0);
    expect(written).toContain('wrote src/syscalls/generated/x86.ts');
    expect(await run('--check')).toEqual([0]);
    edit('src/syscalls/generated/x86.ts', (text) => `${text} `);
    const stale = [1, '! stale: src/syscalls/generated/x86.ts', '! run: npm run generate'];
    expect(await run('--check')).toEqual(stale);
    expect(await run('--check')).toEqual(stale);
    expect(await run()).toEqual([0, 'wrote src/syscalls/generated/x86.ts']);
    expect(await run('--check')).toEqual([0]);
    expect(await run('--headers', 'x')).toEqual([
      2,
      '! generate: --headers, --headers-s390 and --headers-kernel go together',
    ]);
    expect(await run('--chekc')).toEqual([2, expect.stringContaining("Unknown option '--chekc'")]);
    rmSync(join(root, 'syscall-tables/sh.tsv'));
    expect(await run('--check')).toEqual([2, '! generate: syscall-tables/sh.tsv is missing']);
  });

  it.each([
    ['x86_64.tsv', '\n1\twrite\n', '\n', /x86_64\.tsv:1: has 384 rows, "# count:" says 385/],
    ['x86_64.tsv', '\n1\twrite\n', '\n0\twrite\n', /x86_64\.tsv:\d+: numbers have to ascend/],
    ['x86_64.tsv', '\n1\twrite\n', '\n1\tread\n', /x86_64\.tsv:\d+: read stands here twice/],
    ['x86_64.tsv', '\n1\twrite\n', '\n1\tWrite\n', /x86_64\.tsv:\d+: not a name of a call: Write/],
    ['x86_64.tsv', '# count: 385\n', '', /x86_64\.tsv:1: expected one "# count:" line/],
    ['since.tsv', '\tsh=6.10\t', '\tvax=6.10\t', /since\.tsv:\d+: not table=release: vax=6\.10/],
    ['errno.tsv', 'EPERM\t1\t', 'EPERM\t2\t', /errno\.tsv:1: two names have one number in the generic set/],
    [
      'errno.tsv',
      '=EAGAIN\t=EAGAIN\t',
      '=EAGAIN\t=ENONE\t',
      /errno\.tsv:\d+: no number for ENONE in the mips set/,
    ],
    ['errno.tsv', 'EPERM\t1\t', 'EPERM\tone\t', /errno\.tsv:1: a cell of the generic set/],
  ])('refuses a faulty %s: %j -> %j', async (file, from, to, message) => {
    edit(`syscall-tables/${file}`, (text) => {
      expect(text).toContain(from);
      return text.replace(from, to);
    });
    await expect(generate({ root })).rejects.toThrow(message);
  });

  it('stops at a new call until since.tsv and arguments.tsv know it, and at a release candidate', async () => {
    // Linux 7.3 adds fchroot as 472 on every architecture.
    const bases: Record<string, number> = { mips: 4000, mips64: 5000, mips64n32: 6000, x32: 0x40000000 };
    const insert = (text: string, before: string | undefined, row: string): string => {
      const grown = text.replace(/# count: (\d+)/, (_, count) => `# count: ${Number(count) + 1}`);
      return before === undefined ? `${grown}${row}` : grown.replace(`\n${before}`, `\n${row}${before}`);
    };
    for (const table of new Set(allArches().map((arch) => arch.table))) {
      const nr = 472 + (bases[table] ?? 0);
      edit(`syscall-tables/${table}.tsv`, (text) => {
        const next = text.split('\n').find((line) => Number(line.split('\t')[0]) > nr);
        return insert(text, next, `${nr}\tfchroot\n`);
      });
    }
    await expect(generate({ root })).rejects.toThrow(
      /since\.tsv:\d+: expected the row of fchroot, not fcntl/,
    );
    edit('syscall-tables/since.tsv', (text) => insert(text, 'fcntl\t', 'fchroot\t7.3\t-\ttest\n'));
    await expect(generate({ root })).rejects.toThrow(
      'arguments.tsv:1: has neither a row nor a word in "# none:" for fchroot',
    );
    edit('syscall-tables/arguments.tsv', (text) => insert(text, 'fcntl\t', 'fchroot\t*\tint fd:s32\t-\n'));
    const union = (await generate({ root })).find(({ path }) => path.endsWith('generated/union.ts'))!;
    expect(union.content).toContain('\nfchroot\n');
    edit('syscall-tables/x86_64.tsv', (text) =>
      text.replace('# source: linux-libc-dev 7.2.13-1 ', '# source: linux-libc-dev 7.3~rc4-1~exp1 '),
    );
    await expect(generate({ root })).rejects.toThrow(
      /x86_64\.tsv:1: made from a release candidate, whose numbers can change: linux-libc-dev 7\.3~rc4/,
    );
  });

  it('refuses a set of constants for an argument that no call has', async () => {
    edit('syscall-tables/constant-sets.tsv', (text) => text.replace('socket:family', 'socket:domain'));
    await expect(generate({ root })).rejects.toThrow(
      /constant-sets\.tsv:\d+: no such argument: socket:domain/,
    );
  });

  it('refuses a header with other content, and says both sums', () => {
    const file = 'usr/lib/linux/uapi/x86/asm/unistd_64.h';
    mkdirSync(join(root, 'usr/lib/linux/uapi/x86/asm'), { recursive: true });
    writeFileSync(join(root, file), header('#define __NR_read 0'));
    expect(() =>
      readHeader({ headers: root, 'headers-s390': root, 'headers-kernel': root }, NEWEST, file),
    ).toThrow(/unistd_64\.h: sha256 is [0-9a-f]{64}, but linux-libc-dev 7\.2\.13-1 has 261fc370ad799ba9/);
  });
});
