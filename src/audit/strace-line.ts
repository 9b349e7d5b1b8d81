/**
 * How a line of strace begins, for all readers of its logs: with -f, -t, -r, -i and -n, and what
 * strace itself says.
 */
export interface StraceLine {
  /** Empty where strace follows one process. */
  pid: string;
  /** Of `-n`. */
  number: number | undefined;
  rest: string;
}

const HEAD =
  /^(?:strace: )?(?:\[pid +(?=\d))?((?:\d[\d:.]*\]? +)*)(?:\[(?:[\da-f]{8}|[\da-f]{16}|\?+)\] )?(?:\[ *(\d+|0x[\da-f]+)\] )?(.*)$/;

export function straceLine(line: string): StraceLine {
  const [, first = '', digits, rest = ''] = HEAD.exec(line) ?? [];
  const number = digits === undefined ? undefined : Number(digits);
  return { pid: /^\d+(?=[\] ])/.exec(first)?.[0] ?? '', number, rest };
}
