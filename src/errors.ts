/**
 * The one table of everything this project says about its input, and the error that carries it.
 *
 * Codes are API: scripts match on them. A message states the cause; a hint says what to do.
 * docs/errors.md is generated from this table.
 */

export type Severity = 'error' | 'warning' | 'note';

/** One thing that was found. Positions are 1-based; `pointer` is RFC 6901 into the user's file. */
export interface Diagnostic {
  code: Code;
  severity: Severity;
  file?: string;
  line?: number;
  column?: number;
  pointer?: string;
  message: string;
  hint?: string;
}

/** Exit codes, after sysexits.h; the contract is docs/cli.md. */
export const EXIT = {
  ok: 0,
  no: 1,
  undecided: 2,
  usage: 64,
  dataError: 65,
  noInput: 66,
  unavailable: 69,
  software: 70,
  cannotCreate: 73,
  ioError: 74,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface Entry {
  severity: Severity;
  /** Exit code when this is an error that ends the command; 65 unless said. */
  exit?: ExitCode;
  /** `{word}` is replaced by the parameter of that name. */
  message: string;
  hint?: string;
}

// Sections by stage. Keep each sorted by the order in which the stage can find it.
const TABLE = {
  // -- policy: the resolved profile against its target (src/policy)
  MISSING_DEFAULT_ACTION: {
    severity: 'error',
    message: 'there is no defaultAction, so a runtime might start the container without any filter',
    hint: 'add "defaultAction": "SCMP_ACT_ERRNO"',
  },

  // -- check: the kernel's acceptance rules (src/bpf/check.ts)
  FILTER_EMPTY: { severity: 'error', message: 'the filter has no instructions, which the kernel refuses' },
  FILTER_TOO_LONG: {
    severity: 'error',
    message: 'the filter has {length} instructions, but the kernel takes at most {limit}',
    hint: 'split the argument rules over fewer architectures (--architectures), or allow a call without conditions',
  },
  FILTER_INVALID: { severity: 'error', message: 'the kernel would refuse instruction {index}: {reason}' },
} as const satisfies Record<string, Entry>;

export type Code = keyof typeof TABLE;

/** Makes a diagnostic of the table's text. `values` fills the `{word}`s; `hint` replaces the table's. */
export function diagnostic(
  code: Code,
  values: Record<string, string | number | bigint> = {},
  where: { pointer?: string; hint?: string; severity?: Severity } = {},
): Diagnostic {
  const entry: Entry = TABLE[code];
  const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (_, key: string) => String(values[key] ?? ''));
  const hint = where.hint ?? (entry.hint === undefined ? undefined : fill(entry.hint));
  return {
    code,
    severity: where.severity ?? entry.severity,
    message: fill(entry.message),
    ...(where.pointer === undefined ? {} : { pointer: where.pointer }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** All codes with their texts, in table order: for docs/errors.md. */
export function codeTable(): ReadonlyArray<Entry & { code: Code }> {
  return Object.entries(TABLE).map(([code, entry]) => ({ code: code as Code, ...entry }));
}

/** The only error this project throws on purpose: one or more diagnostics, and what to exit with. */
export class SeccompcError extends Error {
  override readonly name = 'SeccompcError';
  readonly diagnostics: readonly Diagnostic[];
  readonly exitCode: ExitCode;

  constructor(diagnostics: readonly Diagnostic[], options: { cause?: unknown } = {}) {
    const errors = diagnostics.filter((d) => d.severity === 'error');
    super(
      errors.map((d) => `${d.message} [${d.code}]`).join('\n'),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.diagnostics = diagnostics;
    const first = errors[0];
    const entry: Entry | undefined = first && TABLE[first.code];
    this.exitCode = entry?.exit ?? EXIT.dataError;
  }
}

/** Throws a single fault of the table. */
export function fail(
  code: Code,
  values: Record<string, string | number | bigint> = {},
  where: { pointer?: string; hint?: string; cause?: unknown } = {},
): never {
  throw new SeccompcError([diagnostic(code, values, where)], { cause: where.cause });
}
