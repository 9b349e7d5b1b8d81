/** What the first file (main.ts) loads when it cannot answer by itself. */
export { keepCode } from './code/keep.ts';
export { runQuickly } from './quick.ts';

/** The whole command, with the parser of command lines. */
export const loadProgram = () => import('./program.ts');
