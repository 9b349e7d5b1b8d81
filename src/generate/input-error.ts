/** A fault in an input of the generator, with its position. Lines count from 1. */
export class InputError extends Error {
  override readonly name = 'InputError';

  constructor(file: string, line: number, message: string) {
    super(`${file}:${line}: ${message}`);
  }
}
