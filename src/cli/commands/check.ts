import type { CliCommand } from '../command.ts';
import { makeLint } from './lint.ts';

export function makeCommand(): CliCommand {
  return makeLint('check');
}
