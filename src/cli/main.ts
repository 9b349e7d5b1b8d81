#!/usr/bin/env node
import { answerHot } from './hot-answer.ts';

const [, script = '', ...args] = process.argv;

// Exit at once: a cache that hangs must not keep a finished command alive.
void main().then((code) => process.exit(code));

async function main(): Promise<number> {
  try {
    const code = await answerHot(args);
    if (code !== undefined) return code;
  } catch (error) {
    const { reportFailure } = await import('./program.ts');
    return reportFailure(error, args);
  }
  const { runCommandLine } = await import('./program.ts');
  return runCommandLine({ args, script });
}
