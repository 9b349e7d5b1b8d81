import { InputError } from './input-error.ts';

/** Each errno name of one numbering: its number, or the name it is another spelling of. */
export type ErrnoNames = Map<string, number | string>;

const DEFINE = /^#define\s+(E[A-Z0-9]+)\s+(?:([1-9][0-9]*)|(E[A-Z0-9]+))(?:\s+\/\*.*\*\/)?$/;
const OTHER = /^(#ifndef _\w+|#define _\w+_H|#endif(\s+\/\*.*\*\/)?|#include <asm-generic\/errno-base\.h>)$/;

/**
 * Adds the errnos of one header to `names`: numbers, and aliases such as `EWOULDBLOCK` -> `EAGAIN`.
 * @throws InputError for a line of another form, a repeated name or number, or an alias of an
 *   unknown name.
 */
export function parseErrnos(file: string, text: string, names: ErrnoNames): void {
  const numbers = new Set([...names.values()].filter((value) => typeof value === 'number'));
  let inComment = false;
  for (const [index, line] of text.split('\n').entries()) {
    const fault = (message: string) => new InputError(file, index + 1, message);
    if (inComment || line.startsWith('/*')) {
      inComment = !line.trimEnd().endsWith('*/');
      continue;
    }
    if (line === '' || OTHER.test(line)) continue;
    const match = DEFINE.exec(line);
    if (!match) throw fault(`not an errno definition: ${line}`);
    const [, name, digits, alias] = match;
    if (names.has(name!)) throw fault(`${name} is defined twice`);
    if (alias !== undefined && !names.has(alias))
      throw fault(`${name} stands for ${alias}, which is not defined`);
    if (digits !== undefined && numbers.has(Number(digits))) throw fault(`number ${digits} is used twice`);
    if (digits !== undefined) numbers.add(Number(digits));
    names.set(name!, alias ?? Number(digits));
  }
}

/**
 * Makes `canonical` the name that has the number where a header made it an alias of `other`.
 * @throws Error when the header does not say so: then the exception has no reason any more.
 */
export function swapAlias(names: ErrnoNames, canonical: string, other: string): void {
  const number = names.get(other);
  if (names.get(canonical) !== other || number === undefined)
    throw new Error(`${canonical} is no alias of ${other}`);
  names.set(canonical, number);
  names.set(other, canonical);
}
