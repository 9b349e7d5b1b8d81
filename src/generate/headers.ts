import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TableName } from '../arch.ts';
import { byCodeUnit } from './tsv.ts';

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
export const LAST_WITH_S390: HeaderPackage = {
  name: 'linux-libc-dev',
  version: '6.12.107-1',
  option: 'headers-s390',
};

/** Where the files of the kernel's own headers begin. */
export const KERNEL_ROOT = `usr/src/${KERNEL.name}/`;
const UAPI = 'usr/lib/linux/uapi/';
const GENERIC = 'usr/include/asm-generic/';

/** The header of one table. `base` is the macro that its numbers count from, with the header that defines it. */
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

/** SHA-256 of every header that is read, by package version and path. */
const SUMS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [NEWEST.version]: {
    [`${UAPI}x86/asm/unistd_32.h`]: '8587fe35573089bf483f1a94210d23bd7c4e036d5980530c0d77dea10b7e0792',
    [`${UAPI}x86/asm/unistd_64.h`]: '261fc370ad799ba94c342ce4a3f8a83232e5e76339ca3cea5e5090efcc22370a',
    [`${UAPI}x86/asm/unistd_x32.h`]: '72e17ec104c66ec1a142f2aa5d6a28064a1544a2acc4008767105440e4680259',
    [`${UAPI}x86/asm/unistd.h`]: 'a83776c3b064c9d1f04ea0a8228e20eef166508c6c13cd75afbabd3237acc445',
    [`${UAPI}arm/asm/unistd-eabi.h`]: '249c96f0b831f7fe3fd01a288de8c4ff65739e82d355db2e79b30ad2d6052301',
    [`${UAPI}arm/asm/unistd.h`]: 'ba6e49c6c6e16c8f308cd57faa45b5fe7af91292bd32d05161ae4b6854a05b8d',
    [`${UAPI}arm64/asm/unistd_64.h`]: 'a6277c8757890bd4fe8afaf76a8ea79274e7b0484ec147e717634c16fe54e1d9',
    [`${UAPI}mips/asm/unistd_o32.h`]: '84af90b8848e42cd3e26e04a4abbbdb872c4d41fa3a2b76de74ed640da1b35cf',
    [`${UAPI}mips/asm/unistd_n64.h`]: '7befecd0b82dc4c2464f0fce58f4081c53596de3bb67709ad853c95d40d4822c',
    [`${UAPI}mips/asm/unistd_n32.h`]: 'f84d8577daea4ce1b3ab6dfa224e37081ba314697e75ec90162bb5e71a5c2a17',
    [`${UAPI}mips/asm/unistd.h`]: 'd35bde656634bdd236e4ff2c38d96127242d4a972ca2eab11e812748ed23ba67',
    [`${UAPI}powerpc/asm/unistd_32.h`]: '7c17748e836f85e89f43f5a2dd500395df5ac8122b1d8d3eb10dad0cbcf47797',
    [`${UAPI}powerpc/asm/unistd_64.h`]: '87a1a6303e1677c6d84e3011cf4b8349ee636a5f57423ed485bcd30d1b661703',
    [`${UAPI}s390/asm/unistd_64.h`]: '1515d895fbf6bd413e9c8078427fe1fff7ad42c7f992ded5bf93c6ed79838265',
    [`${UAPI}parisc/asm/unistd_32.h`]: 'd9525a8c88b1954db55024e8bdf7b6a26db990c5fc2d141eebd2a79ed428be70',
    [`${UAPI}parisc/asm/unistd_64.h`]: '2c3c6aff41dea3bec026bf436f4e745fac9e851be7a6a4ffd3f064ffd234cca0',
    [`${UAPI}riscv/asm/unistd_64.h`]: '5845303aba2752c38a3694b7377d7c09fe5e1854d6d5210e155e6000491c2abe',
    [`${UAPI}loongarch/asm/unistd_64.h`]: 'd9c721674b6a9a43c487450dcbcdc03604f158b5072e43758953963e90f8a0ab',
    [`${UAPI}m68k/asm/unistd_32.h`]: 'c3c9ed8f9e37c20480a60ec10a1029c199cf5acdf4ebad500d6462bace0ef121',
    [`${UAPI}sh/asm/unistd_32.h`]: '60ade0bb5432e5ce62bae88c3099a6ea05ac62138d5d6a82f2e1571c5839a302',
    [`${GENERIC}errno-base.h`]: '2c148e92b8318deeb767fabd60822113e575ee664ff09a1873aed8f7a495793c',
    [`${GENERIC}errno.h`]: '66a5ad60566fdd62e41701bcfc42bfeca5e5696ad1d47d78981575e0c51622be',
    [`${UAPI}mips/asm/errno.h`]: 'b0a6dfac497acb9bfdd8ea63a97934324fc3565e9859b6faebbc3047ba5fba56',
    [`${UAPI}parisc/asm/errno.h`]: '1f5ce6ac161097a4fecf7a57a9d5fef58ae6a1280b575970e895861130999c40',
    [`${KERNEL_ROOT}include/linux/compat.h`]:
      '1d97b75af2b9f934da5e38aec84c6281734d68619082661bde525b88cc584858',
    [`${KERNEL_ROOT}include/asm-generic/syscalls.h`]:
      '47a9beda839ff848d7a57182357eaf1672bf9b2c36ade64c0cfff4a40b51123a',
    [`${KERNEL_ROOT}include/linux/syscalls.h`]:
      '03f684a67cb83277fc5ffaf2fa9b48e2c97cf261ea0cb23bdb4139e23a63ffc0',
    [`${KERNEL_ROOT}arch/arm/include/asm/syscalls.h`]:
      'c2e43cb284cb9b2bbf3bd70a3c38d4fe9a968ed7e6376640e32892e789a37c0f',
    [`${KERNEL_ROOT}arch/m68k/include/asm/syscalls.h`]:
      'badc58a4984f3c2ec77f024c3943f2e666fad2c215380453674be0bd745f7520',
    [`${KERNEL_ROOT}arch/powerpc/include/asm/syscalls.h`]:
      '8adde1d66cf77a2b1fd5741b162bfb204e618c818804c659e7e6ff09e8927682',
    [`${KERNEL_ROOT}arch/sh/include/asm/syscalls.h`]:
      '9139e15a9585476160ecba4d387a2ffaf3c389699abb7a7564c87207fc469302',
    [`${KERNEL_ROOT}arch/sh/include/asm/syscalls_32.h`]:
      '8c67e1fa7d4295dfa3022d3e8d0a4bbe506427c782eb2ed0e14a74cacdd5a1f6',
    [`${KERNEL_ROOT}include/linux/net.h`]: '415896d332500c1879c38449e53818a005de2dd33509fe8be28bbec18df5c0ef',
    [`${KERNEL_ROOT}include/linux/socket.h`]:
      '0ae8660124027be304db61b51eef511232358a7efa2e01580ea929ad4e4e53bd',
  },
  [LAST_WITH_S390.version]: {
    [`${UAPI}s390/asm/unistd_32.h`]: '7a71e617eb2730917a73f38022a9be1610bcf4ed8547f32ddf885f363c07f4c5',
  },
};

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
  const expected = SUMS[from.version]?.[file];
  if (sum !== expected)
    throw new Error(`${file}: sha256 is ${sum}, but ${from.name} ${from.version} has ${expected}`);
  return { file, text: bytes.toString('utf8'), source: `${from.name} ${from.version} ${file} sha256:${sum}` };
}

/** SHA-256 of the lines `SUM  PATH` of all headers below {@link UAPI_FOLDERS}, in the order of their paths. */
const UAPI_SUM = '8d254dce20b2dcb3848e3c44eccdcbd37ac03e64a1114bca44091b5f70e79f8f';
const UAPI_FOLDERS = ['usr/include/asm-generic', 'usr/include/linux', 'usr/lib/linux/uapi'];

/** Holds all of linux-libc-dev to one sum; gives the line that says where constants come from. @throws Error otherwise. */
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
