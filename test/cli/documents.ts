/**
 * The fenced blocks of a Markdown page that say what a test shall do with them. After the language
 * come words:
 *
 *   ```console run           each line that begins with `$ ` is run; what follows is its output
 *   ```console run exit=65   the same, and the exit code must be 65 instead of 0
 *   ```sh run                the whole block is one script; its output does not matter
 *   ```json file=x.json      is written to a file of that name, for the blocks that follow
 *   ```console skip          is for the reader only (installing, needs root ...)
 */

export interface Block {
  /** 1-based line of the opening fence. */
  line: number;
  language: string;
  words: string[];
  /** What stands between the fences. */
  lines: string[];
}

export interface Step {
  line: number;
  command: string;
  /** Undefined when the page does not show any. */
  output: string[] | undefined;
  exitCode: number;
}

/** All fenced blocks of a page. @throws Error when one is not closed. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | undefined;
  page.split('\n').forEach((text, index) => {
    const fence = /^```(.*)$/.exec(text);
    if (!fence) open?.lines.push(text);
    else if (open) {
      blocks.push(open);
      open = undefined;
    } else {
      const [language = '', ...words] = fence[1]!.trim().split(/\s+/);
      open = { line: index + 1, language, words, lines: [] };
    }
  });
  if (open) throw new Error(`the block of line ${open.line} is not closed`);
  return blocks;
}

export function isShell({ language }: Block): boolean {
  return language === 'console' || language === 'sh';
}

/** The name after `file=`; undefined for other blocks. */
export function fileOf({ words }: Block): string | undefined {
  return words.find((word) => word.startsWith('file='))?.slice('file='.length);
}

/** The commands of a block marked `run`, in order. */
export function stepsOf(block: Block): Step[] {
  const exit = block.words.find((word) => word.startsWith('exit='));
  const exitCode = exit === undefined ? 0 : Number(exit.slice('exit='.length));
  if (block.language === 'sh')
    return [{ line: block.line, command: block.lines.join('\n'), output: undefined, exitCode }];
  const steps: Step[] = [];
  block.lines.forEach((text, index) => {
    const last = steps.at(-1);
    if (text.startsWith('$ '))
      steps.push({ line: block.line + 1 + index, command: text.slice(2), output: undefined, exitCode });
    else if (last === undefined) throw new Error(`line ${block.line}: output before the first command`);
    else if (last.output === undefined && last.command.endsWith('\\')) last.command += `\n${text}`;
    else last.output = [...(last.output ?? []), text];
  });
  return steps;
}

/**
 * Whether an output is the one that is shown. `...` inside a line stands for any characters, a line
 * of nothing else for any lines.
 */
export function matches(shown: readonly string[], output: string): boolean {
  const pattern = shown
    .map((line) => (line.trim() === '...' ? '(?:[^\n]*\n)*' : `${pieceOf(line)}\n`))
    .join('');
  return new RegExp(`^${pattern}$`).test(output);
}

function pieceOf(line: string): string {
  return line
    .split('...')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^\n]*');
}
