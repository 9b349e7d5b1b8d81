import { banner, fields } from './program.ts';
import type { ProgramImage } from './program.ts';

/** A Rust source that needs no crate: `SockFilter` has the layout of the kernel's `struct sock_filter`. */
export function toRust(image: ProgramImage): string {
  const rows = image.instructions.map((instruction) => {
    const { code, jt, jf, k } = fields(instruction);
    return `    SockFilter { code: ${code}, jt: ${jt}, jf: ${jf}, k: ${k} },`;
  });
  return [
    ...banner(image).map((line) => `// ${line}`),
    '',
    '/// `struct sock_filter` of linux/filter.h.',
    '#[repr(C)]',
    '#[derive(Clone, Copy, Debug, PartialEq, Eq)]',
    'pub struct SockFilter {',
    '    pub code: u16,',
    '    pub jt: u8,',
    '    pub jf: u8,',
    '    pub k: u32,',
    '}',
    '',
    `pub const SECCOMP_FILTER: [SockFilter; ${rows.length}] = [`,
    ...rows,
    '];',
    '',
  ].join('\n');
}
