import { banner, fields } from './program.ts';
import type { ProgramImage } from './program.ts';

/**
 * A C source: the instructions and the `struct sock_fprog` that seccomp(2) takes. The compiler that builds it
 * for the target chooses the byte order, so the text is the same for both. Both objects are static, and marked
 * as possibly unused, so that the file can be included.
 */
export function toC(image: ProgramImage): string {
  const rows = image.instructions.map((instruction) => {
    const { code, jt, jf, k } = fields(instruction);
    return `    { ${code}, ${jt}, ${jf}, ${k} },`;
  });
  return [
    ...banner(image).map((line) => `/* ${line} */`),
    '#include <linux/filter.h>',
    '',
    `__attribute__((unused)) static struct sock_filter seccomp_filter[${rows.length}] = {`,
    ...rows,
    '};',
    '',
    '__attribute__((unused)) static const struct sock_fprog seccomp_program = {',
    `    .len = ${rows.length},`,
    '    .filter = seccomp_filter,',
    '};',
    '',
  ].join('\n');
}
