import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Option } from 'commander';
import { judgeAll } from '../../assert/judge.ts';
import type { Judgement } from '../../assert/judge.ts';
import { parseAssertions } from '../../assert/parse.ts';
import type { Assertion } from '../../assert/parse.ts';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { askKernel } from '../../oci/process/ask-kernel.ts';
import { answerParts, describeAnswer, describeCall } from '../../prove/describe.ts';
import type { Counterexample } from '../../prove/property.ts';
import { PropertyProver } from '../../prove/property.ts';
import { CliCommand } from '../command.ts';
import { hostArch } from '../../host.ts';
import type { Operand, OperandFlags } from '../options/operand.ts';
import { addOperandOptions, readOperand } from '../options/operand.ts';
import { withProcess } from '../options/process.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { junitReport } from '../output/junit.ts';
import type { JunitCase } from '../output/junit.ts';
import { makeProgress } from '../output/progress.ts';
import type { Progress } from '../output/progress.ts';
import { printDiagnostics, printable, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';
import { addBudgetOption } from '../options/comparison.ts';
import type { BudgetFlag } from '../options/comparison.ts';
import { witnessCall } from '../verdict.ts';

interface Options extends OperandFlags, BudgetFlag, OutputOptions {
  file?: string;
  format: 'text' | 'tap' | 'junit';
  kernelCheck?: true;
}

const HELP = `
An assertion is one line:
  allow read, write                    every call is executed (ALLOW or LOG)
  deny socket(AF_ALG)                  no such call is executed (KILL, TRAP or ERRNO)
  deny clone(flags & CLONE_NEWUSER)    with one of these bits set
  deny ioctl(_, TIOCSTI) on x86_64     on one architecture
  kill ptrace                          also trap, notify, trace, log
  errno ENOSYS clone3
  no-effect-on X32                     no call of the architecture is executed
  at-most base.json                    nowhere less strict than another profile or filter
  same-as base.json except socket      also at-least

Each is decided for all architectures of the filter, all arguments that the kernel takes for
the same (bits that it ignores included), and for socketcall and ipc too. Only "allow" asks
for the values that programs pass. FILE has one assertion on each line; # starts a comment.

Exit codes: 0 all hold, 1 one does not, with a call that shows it, 2 cannot be decided, 65 an
assertion or the profile is faulty.

Examples:
  seccompc assert profile.json 'deny socket(AF_VSOCK)' 'allow read, write'
  seccompc assert profile.json --file profile.assert --format junit
  seccompc assert --container web 'deny ptrace'`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('assert')
    .description('Proves statements about a profile or a filter, or shows a call that breaks them.')
    .usage('[options] PROFILE|FILTER|--pid N [ASSERTION...]')
    .argument('[PROFILE|FILTER]', 'a profile or a compiled filter; - for standard input')
    .argument('[ASSERTION...]', 'what must be true of it')
    .option('--file <FILE>', 'read assertions from a file')
    .addOption(
      new Option('--format <FORMAT>', 'how to print the results')
        .choices(['text', 'tap', 'junit'])
        .default('text'),
    )
    .option('--kernel-check', "ask this machine's kernel too about each call that breaks an assertion")
    .addHelpText('after', HELP)
    .runs(run);
  return addOperandOptions(addBudgetOption(command));
}

/** An assertion with what the proof says about it. */
export interface Result {
  assertion: Assertion;
  judgement: Judgement;
  /** What is wrong, for people; undefined if it holds. */
  reason: string | undefined;
}

async function run(first: string | undefined, others: string[], options: Options): Promise<number> {
  const [file, ...texts] = withProcess(first, others, 'PROFILE|FILTER', options);
  const assertions = [...texts.flatMap((text) => parseAssertions(text)), ...fromFile(options.file)];
  if (assertions.length === 0) fail('USAGE', { reason: 'give an assertion, or a file of them with --file' });
  const operand = await readOperand(file, options);
  await printDiagnostics(operand.diagnostics, options);
  const progress = makeProgress(assertions.length, options);
  const results = await judgeAssertions(operand, assertions, options, progress);
  for (const { assertion, judgement } of results)
    if ('vacuous' in judgement) await printDiagnostics([vacuous(assertion)], options);
  await writeProduct(
    options.json ? await jsonOf(results) : FORMATS[options.format](results, file ?? 'process'),
  );
  const verdicts = results.map(({ judgement }) => judgement.verdict);
  return verdicts.includes('fails') ? EXIT.no : verdicts.includes('undecided') ? EXIT.undecided : EXIT.ok;
}

/** @throws SeccompcError if an assertion has no meaning */
export async function judgeAssertions(
  operand: Operand,
  assertions: readonly Assertion[],
  options: TargetFlags & BudgetFlag & Pick<Options, 'kernelCheck'>,
  progress?: Progress,
): Promise<Result[]> {
  const { nodeBudget, kernelCheck } = options;
  const others = new Map<string, PropertyProver>();
  const other = async (name: string, { file }: Assertion): Promise<PropertyProver> => {
    const path = file === undefined ? name : resolve(dirname(file), name);
    const known = others.get(path);
    if (known !== undefined) return known;
    const { side, calls } = await readOperand(path, options);
    const made = new PropertyProver(side, calls, nodeBudget);
    others.set(path, made);
    return made;
  };
  const results: Result[] = [];
  for await (const { assertion, judgement } of judgeAll(operand, assertions, { nodeBudget, other })) {
    const asksKernel = kernelCheck && judgement.verdict === 'fails';
    const confirmed = asksKernel ? await confirm(judgement.call, operand) : undefined;
    results.push({ assertion, judgement, reason: await reasonOf(judgement, confirmed) });
    progress?.show(results.length);
  }
  progress?.clear();
  return results;
}

function vacuous({ text, file, line }: Assertion): Diagnostic {
  return { ...diagnostic('ASSERTION_VACUOUS', { text }), ...(file !== undefined && { file, line }) };
}

/** The assertions of a file. @throws SeccompcError if it cannot be read, or one is faulty */
export function fromFile(file: string | undefined): Assertion[] {
  if (file === undefined) return [];
  try {
    return parseAssertions(readFileSync(file, 'utf8'), file);
  } catch (cause) {
    if (cause instanceof SeccompcError) throw cause;
    return fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { file, cause });
  }
}

/**
 * Whether the kernel gives the answer as well; a call of another architecture cannot be made here.
 */
async function confirm(
  { data, abi, answer }: Counterexample,
  operand: Operand,
): Promise<'confirmed by the kernel' | 'the kernel cannot be asked'> {
  const host = hostArch();
  if (abi !== host && !(abi === 'X32' && host === 'X86_64')) return 'the kernel cannot be asked';
  if (operand.program === undefined) return 'the kernel cannot be asked';
  const { program, endian } = await operand.program();
  const found = askKernel(program, endian, data, host);
  if (found === undefined) return 'the kernel cannot be asked';
  if (found !== answer)
    throw new Error(
      `the kernel answers ${describeAnswer(found, abi)} to ${await describeCall(data, abi)}, not ${describeAnswer(answer, abi)}`,
    );
  return 'confirmed by the kernel';
}

async function reasonOf(judgement: Judgement, confirmed: string | undefined): Promise<string | undefined> {
  if (judgement.verdict === 'undecided') return judgement.reason;
  if (judgement.verdict === 'holds') return undefined;
  const { call, others } = judgement;
  const other = others === undefined ? '' : `, the other ${describeAnswer(others, call.abi)}`;
  const kernel = confirmed === undefined ? '' : ` (${confirmed})`;
  return `${await describeCall(call.data, call.abi)} gets ${describeAnswer(call.answer, call.abi)}${other}${kernel}`;
}

async function jsonOf(results: readonly Result[]): Promise<string> {
  const assertions = results.map(async ({ assertion: { text, line }, judgement, reason }) => {
    const failed = judgement.verdict === 'fails' ? judgement : undefined;
    return {
      text,
      line,
      verdict: judgement.verdict,
      call: failed === undefined ? null : await witnessCall(failed.call),
      answer: failed === undefined ? null : answerParts(failed.call.answer, failed.call.abi),
      reason: reason ?? null,
    };
  });
  return toJson({ assertions: await Promise.all(assertions) });
}

const WORDS = { holds: 'ok', fails: 'FAILS', undecided: 'UNDECIDED' } as const;

const FORMATS: Record<Options['format'], (results: readonly Result[], file: string) => string> = {
  text: (results) =>
    results
      .map(({ assertion, judgement: { verdict }, reason }) => {
        const why = reason === undefined ? '' : `: ${reason}`;
        return `${WORDS[verdict]}: ${printable(assertion.text)}${why}\n`;
      })
      .join(''),
  tap: (results) =>
    [
      'TAP version 14',
      `1..${results.length}`,
      ...results.flatMap(({ assertion, judgement: { verdict }, reason }, index) => [
        `${verdict === 'holds' ? 'ok' : 'not ok'} ${index + 1} - ${printable(assertion.text).replaceAll('#', '\\#')}`,
        ...(reason === undefined ? [] : [`# ${reason}`]),
      ]),
      '',
    ].join('\n'),
  junit: (results, file) => {
    const cases = results.map(({ assertion: { text }, judgement: { verdict }, reason }): JunitCase => {
      if (reason === undefined) return { name: text };
      return { name: text, problem: { kind: verdict === 'fails' ? 'failure' : 'error', message: reason } };
    });
    return junitReport([{ name: file, cases }]);
  },
};
