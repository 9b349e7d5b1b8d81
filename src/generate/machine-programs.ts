import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ElfHeader } from '../launcher/elf.ts';
import type { Output } from './output.ts';

/**
 * The programs in machine code: one module for each architecture, one constant for each file
 * `src/launcher/source/*.c`. To add a program, add its file and run `npm run generate`: `_start` of
 * system.h calls `begin(long *stack)`, program.ld leaves no memory for variables, and `programFile`
 * (src/oci/process/program-file.ts) gives the path of the executable.
 *
 * The same bytes come from these releases only, those of Debian 12. With others, or none, the
 * modules stay as they are.
 */
const GCC = '12.2.0';
const BINUTILS = '2.40';

const SOURCE = 'src/launcher/source';

/**
 * The prefix of a compiler, and the oldest machine of the architecture that the programs are for.
 */
const COMPILERS: Record<string, [prefix: string, ...flags: string[]]> = {
  x86_64: ['x86_64-linux-gnu', '-march=x86-64', '-fcf-protection=none'],
  aarch64: ['aarch64-linux-gnu', '-march=armv8-a', '-mgeneral-regs-only', '-mno-outline-atomics'],
  riscv64: ['riscv64-linux-gnu', '-march=rv64imac', '-mabi=lp64', '-mno-relax'],
  // Without floating point, so that it runs beside programs of both calling conventions.
  arm: ['arm-linux-gnueabi', '-march=armv5te', '-marm', '-mfloat-abi=soft'],
  s390x: ['s390x-linux-gnu', '-march=z10'],
  ppc64le: ['powerpc64le-linux-gnu', '-mcpu=power8', '-mtraceback=no'],
};

const FLAGS = [
  '-std=gnu11', '-Os', '-Wall', '-Wextra', '-Wno-unused-function', '-Werror', '-ffreestanding', '-fno-builtin', '-fomit-frame-pointer',
  '-fno-asynchronous-unwind-tables', '-fno-unwind-tables', '-fno-stack-protector', '-fno-tree-loop-distribute-patterns',
  '-fno-pie', '-no-pie', '-static', '-nostdlib', '-nostdinc', '-Wl,-T,program.ld', '-Wl,--build-id=none',
  '-Wl,-z,max-page-size=0x10000', '-Wl,-z,norelro', '-Wl,--no-warn-rwx-segments',
]; // prettier-ignore

const run = promisify(execFile);

/** A project without the sources has none. @throws Error where CI=true and a compiler is missing */
export async function machinePrograms(root: string): Promise<Output[]> {
  const folder = join(root, SOURCE);
  if (!existsSync(folder)) return [];
  const missing = (await Promise.all(Object.values(COMPILERS).map(([prefix]) => whyNot(prefix)))).filter(
    Boolean,
  );
  const modulePath = (arch: string) => `src/launcher/generated/${arch}.ts`;
  if (missing.length > 0) {
    const reason = `the programs of ${SOURCE} cannot be built: ${missing.join(', ')}`;
    if (process.env['CI'] === 'true') throw new Error(reason);
    console.warn(`NOT CHECKED: ${reason}`);
    return Object.keys(COMPILERS).map((arch) => ({
      path: modulePath(arch),
      content: readFileSync(join(root, modulePath(arch)), 'utf8'),
    }));
  }
  const programs = readdirSync(folder).flatMap((file) => (file.endsWith('.c') ? [file.slice(0, -2)] : []));
  const work = mkdtempSync(join(tmpdir(), 'seccompc-programs-'));
  try {
    return await Promise.all(
      Object.keys(COMPILERS).map(async (arch) => {
        const images = await Promise.all(
          programs
            .toSorted()
            .map(async (program) => [program, await build(folder, work, arch, program)] as const),
        );
        return { path: modulePath(arch), content: moduleText(arch, images) };
      }),
    );
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function whyNot(prefix: string): Promise<string | undefined> {
  try {
    const { stdout: gcc } = await run(`${prefix}-gcc`, ['-dumpfullversion']);
    const { stdout: ld } = await run(`${prefix}-ld`, ['--version']);
    const isRight = gcc.trim() === GCC && new RegExp(` ${BINUTILS.replace('.', '\\.')}$`, 'm').test(ld);
    return isRight ? undefined : `${prefix}-gcc is not gcc ${GCC} with binutils ${BINUTILS}`;
  } catch {
    return `there is no ${prefix}-gcc`;
  }
}

async function build(folder: string, work: string, arch: string, program: string): Promise<Uint8Array> {
  const [prefix, ...flags] = COMPILERS[arch]!;
  const output = join(work, `${program}-${arch}`);
  await run(`${prefix}-gcc`, [...FLAGS, ...flags, '-o', output, `${program}.c`], {
    cwd: folder,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return withoutSections(readFileSync(output));
}

/**
 * The segment that the kernel loads, which has the headers in it; the rest of the file is for
 * debuggers.
 */
function withoutSections(file: Uint8Array): Uint8Array {
  const image = file.slice(0, new ElfHeader(file).loaded);
  new ElfHeader(image).removeSections();
  return image;
}

function moduleText(arch: string, images: readonly (readonly [string, Uint8Array])[]): string {
  const constants = images.map(([program, image]) => {
    const name = program.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    return `\nexport const ${name} =\n  '${Buffer.from(image).toString('base64')}';\n`;
  });
  return `// Generated by "npm run generate" from ${SOURCE}/*.c, for ${arch}; do not edit.\n// prettier-ignore\n${constants.join('')}`;
}
