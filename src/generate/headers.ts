import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TableName } from '../arch.ts';
import sums from './header-sums.json' with { type: 'json' };
import { byCodeUnit } from './tsv.ts';

/** SHA-256 of every header that is read, by its path. */
const SUMS: Readonly<Record<string, string>> = sums;

/**
 * The kernel headers that the tables are made from: packages, files and their hashes.
 *
 * A newer kernel means new versions and new sums here, nothing else. Both packages are Debian's
 * `linux-libc-dev` (Architecture: all), unpacked with `dpkg-deb -x`.
 */

export interface HeaderPackage {
  readonly name: string;
  readonly version: string;
  /** The option of the generate command that names the folder it was unpacked to. */
  readonly option: 'headers' | 'headers-s390' | 'headers-kernel';
}

export const NEWEST: HeaderPackage = { name: 'linux-libc-dev', version: '7.2.13-1', option: 'headers' };
/** The kernel's own headers: its prototypes, and constants that programs get from their libc. */
export const KERNEL: HeaderPackage = {
  name: 'linux-headers-7.2.13+deb14-common',
  version: '7.2.13-1',
  option: 'headers-kernel',
};
/** Linux 6.19 removed 31-bit s390, so its table comes from an older package. */
const LAST_WITH_S390: HeaderPackage = {
  name: 'linux-libc-dev',
  version: '6.12.107-1',
  option: 'headers-s390',
};

/** Where the files of the kernel's own headers begin. */
export const KERNEL_ROOT = `usr/src/${KERNEL.name}/`;
const UAPI = 'usr/lib/linux/uapi/';
const GENERIC = 'usr/include/asm-generic/';

/**
 * The header of one table. `base` is the macro that its numbers count from, with the header that
 * defines it.
 */
export interface TableHeader {
  readonly table: TableName;
  readonly file: string;
  readonly from: HeaderPackage;
  readonly base?: { readonly macro: string; readonly file: string };
}

function header(
  table: TableName,
  file: string,
  extra: { from?: HeaderPackage; macro?: string } = {},
): TableHeader {
  const { from = NEWEST, macro } = extra;
  const base = macro && { macro, file: `${UAPI}${file.slice(0, file.indexOf('/'))}/asm/unistd.h` };
  return { table, file: UAPI + file, from, ...(base ? { base } : {}) };
}

export const TABLE_HEADERS: readonly TableHeader[] = [
  header('x86', 'x86/asm/unistd_32.h'),
  header('x86_64', 'x86/asm/unistd_64.h'),
  header('x32', 'x86/asm/unistd_x32.h', { macro: '__X32_SYSCALL_BIT' }),
  header('arm', 'arm/asm/unistd-eabi.h', { macro: '__NR_SYSCALL_BASE' }),
  header('aarch64', 'arm64/asm/unistd_64.h'),
  header('mips', 'mips/asm/unistd_o32.h', { macro: '__NR_Linux' }),
  header('mips64', 'mips/asm/unistd_n64.h', { macro: '__NR_Linux' }),
  header('mips64n32', 'mips/asm/unistd_n32.h', { macro: '__NR_Linux' }),
  header('ppc', 'powerpc/asm/unistd_32.h'),
  header('ppc64', 'powerpc/asm/unistd_64.h'),
  header('s390', 's390/asm/unistd_32.h', { from: LAST_WITH_S390 }),
  header('s390x', 's390/asm/unistd_64.h'),
  header('parisc', 'parisc/asm/unistd_32.h'),
  header('parisc64', 'parisc/asm/unistd_64.h'),
  header('riscv64', 'riscv/asm/unistd_64.h'),
  header('loongarch64', 'loongarch/asm/unistd_64.h'),
  header('m68k', 'm68k/asm/unistd_32.h'),
  header('sh', 'sh/asm/unistd_32.h'),
];

/** The headers of each errno numbering, in the order a compiler reads them. */
export const ERRNO_HEADERS = {
  generic: [`${GENERIC}errno-base.h`, `${GENERIC}errno.h`],
  mips: [`${GENERIC}errno-base.h`, `${UAPI}mips/asm/errno.h`],
  parisc: [`${GENERIC}errno-base.h`, `${UAPI}parisc/asm/errno.h`],
} as const;

/** One header, verified. */
export interface Header {
  readonly file: string;
  readonly text: string;
  /** The line that says in a table where it came from: package, version, file, SHA-256. */
  readonly source: string;
}

/** Folders the packages were unpacked to. */
export type HeaderFolders = Readonly<Record<HeaderPackage['option'], string>>;

/** Reads a header and holds it to its sum. @throws Error for another content, naming both sums. */
export function readHeader(folders: HeaderFolders, from: HeaderPackage, file: string): Header {
  const bytes = readFileSync(join(folders[from.option], file));
  const sum = createHash('sha256').update(bytes).digest('hex');
  const expected = SUMS[file];
  if (sum !== expected)
    throw new Error(`${file}: sha256 is ${sum}, but ${from.name} ${from.version} has ${expected}`);
  return { file, text: bytes.toString('utf8'), source: `${from.name} ${from.version} ${file} sha256:${sum}` };
}

/**
 * SHA-256 of the lines `SUM  PATH` of all headers below {@link UAPI_FOLDERS}, in the order of their
 * paths.
 */
const UAPI_SUM = '8d254dce20b2dcb3848e3c44eccdcbd37ac03e64a1114bca44091b5f70e79f8f';
const UAPI_FOLDERS = ['usr/include/asm-generic', 'usr/include/linux', 'usr/lib/linux/uapi'];

/**
 * Holds all of linux-libc-dev to one sum; gives the line that says where constants come from.
 * @throws Error otherwise.
 */
export function verifyUapi(folders: HeaderFolders): string {
  const root = folders[NEWEST.option];
  const sum = createHash('sha256');
  for (const folder of UAPI_FOLDERS)
    for (const path of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).toSorted(
      byCodeUnit,
    ))
      if (path.endsWith('.h'))
        sum.update(
          `${createHash('sha256')
            .update(readFileSync(join(root, folder, path)))
            .digest('hex')}  ${folder}/${path}\n`,
        );
  const found = sum.digest('hex');
  if (found !== UAPI_SUM)
    throw new Error(`headers of ${NEWEST.name} ${NEWEST.version}: sha256 is ${found}, expected ${UAPI_SUM}`);
  return `${NEWEST.name} ${NEWEST.version} ${UAPI_FOLDERS.join(' ')} sha256:${found}`;
}
