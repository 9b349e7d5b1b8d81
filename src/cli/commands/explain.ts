import { SECCOMP_RET_KILL_THREAD } from '../../action.ts';
import type { ArchName } from '../../arch.ts';
import { runPrograms } from '../../bpf/stack.ts';
import type { Programs } from '../../bpf/stack.ts';
import type { LoggedArgs } from '../../audit/records.ts';
import { compile, lowerProfile } from '../../compile.ts';
import type { LoweredProfile } from '../../compile.ts';
import { readInput as readProfile } from '../../compile/findings.ts';
import { fail, SeccompcError } from '../../errors.ts';
import { decisionOn, explainCall } from '../../explain/explain.ts';
import { FilterDecisions } from '../../explain/filter-decisions.ts';
import { overviewOf } from '../../explain/overview.ts';
import { describeDecision } from '../../explain/text.ts';
import type { Decision } from '../../policy/types.ts';
import type { NamedCalls } from '../../prove/compare.ts';
import { Undecided } from '../../prove/bdd/bdd.ts';
import { answerParts, describeAnswer } from '../../prove/describe.ts';
import { isAlwaysAllowed } from '../../prove/program/bitmap.ts';
import { loadCallFacts } from '../../syscalls/constants.ts';
import { CliCommand } from '../command.ts';
import { addCallOptions, parseCall, splitWords } from '../options/call.ts';
import type { Call, CallFlags } from '../options/call.ts';
import { notConfined } from '../options/confined.ts';
import { hostArch } from '../../host.ts';
import { readInput } from '../options/input-file.ts';
import { filterOperand, readGiven, refuseTwiceStdin } from '../options/operand.ts';
import type { Operand } from '../options/operand.ts';
import { targetOf } from '../options/target-options.ts';
import { callJson, callOf, callText, endLines, overviewJson, overviewText } from '../output/explanation.ts';
import { printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends CallFlags, OutputOptions {
  audit?: string;
}

const HELP = `
With CALL: the answer, the entry that gives it, and for each other entry that names the call
why it does not. Missing arguments are 0.

Without CALL: the whole profile by action. Calls whose answer depends on arguments come last,
with their conditions. Of a filter, these are all that there is to explain.

Examples:
  seccompc explain profile.json
  seccompc explain profile.json clone3
  seccompc explain profile.json socket AF_VSOCK
  seccompc explain profile.json --call-arch x86 socketcall 1
  dmesg | seccompc explain profile.json --audit -
  seccompc explain --container web`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('explain')
    .description('Says which entry of a profile decides a call, and why the others do not.')
    .option(
      '--audit <FILE>',
      'explain the calls in a log of refused calls (see "seccompc audit"); - for standard input',
    )
    .addHelpText('after', HELP)
    .runs(run);
  return addCallOptions(command, '[CALL] [ARG...]');
}

async function run(
  first: string | undefined,
  second: string | undefined,
  others: string[],
  options: Options,
): Promise<void> {
  const [path, call, ...args] = splitWords([first, second, others], options);
  if (options.audit !== undefined) {
    if (call !== undefined) fail('USAGE', { reason: 'give either CALL or --audit, not both' });
    refuseTwiceStdin(path, options.audit);
  }
  await loadCallFacts();
  const given = await readGiven(path, options);
  if ('side' in given)
    return explainFilter(await filterOperand(given, options.arch), { call, args }, options);
  const target = targetOf(options);
  const { bytes, file, notes } = given;
  await printDiagnostics(notes, options);
  const { profile, findings } = readProfile(bytes, { file, semantics: target.semantics });
  findings.refuseErrors();
  const lowered = await lowerProfile(profile, { target, file });
  if (!lowered.confined) throw new SeccompcError([...lowered.diagnostics, notConfined(file)]);
  if (call === undefined && options.audit === undefined) {
    await printDiagnostics(lowered.diagnostics, options);
    const { arches, policy, reference } = lowered;
    const calls = arches.map((abi) => ({ abi, table: reference.tables.of(abi.name) }));
    const overview = overviewOf({ calls, decisionOn: (arch, nr) => decisionOn(policy, { arch, nr }) });
    return writeProduct(options.json ? toJson(overviewJson(overview)) : overviewText(overview));
  }
  const { instructions: program, endian } = await compile(profile, { target, prove: 'never', file });
  const explained = (asked: Call, arch: ArchName): Explained => {
    const explanation = explainCall(profile, lowered, asked.data);
    const { value, steps } = runPrograms({ program, endian }, asked.data);
    if (value !== explanation.answer)
      throw new Error(
        `the program answers ${value} to number ${asked.data.nr}, the rules ${explanation.answer}`,
      );
    const bitmap = isAlwaysAllowed({ program, endian }, arch, asked.data);
    const isListed = lowered.arches.some(({ name }) => name === arch);
    const locate = (pointer: string) => profile.locate(pointer);
    const shown = { arch, isListed, file, locate, steps, bitmap };
    return { json: callJson(explanation, asked, shown), text: callText(explanation, asked, shown) };
  };
  if (options.audit !== undefined) return explainLog(options.audit, target.arch, lowered, explained, options);
  const arch = options.callArch ?? target.arch;
  const { json, text } = explained(await parseCall({ call: call!, args, ip: '0', arch }), arch);
  await writeProduct(options.json ? toJson(json) : text);
}

interface Explained {
  json: unknown;
  text: string;
}

/**
 * Explains each call of a log of refused calls. The kernel's records have no arguments, so
 * conditions are shown.
 */
async function explainLog(
  path: string,
  arch: ArchName,
  lowered: LoweredProfile & { confined: true },
  explained: (asked: Call, arch: ArchName) => Explained,
  options: Options,
): Promise<void> {
  const { foldRecords, readLog } = await import('../../audit/records.ts');
  const { records } = await readLog(new TextDecoder().decode(await readInput(path)), arch);
  if (records.length === 0) fail('NO_RECORDS', {}, { file: path });
  const found = foldRecords(records).flatMap((record): Explained[] => {
    const { abi, nr, name, auditArch } = record;
    if (abi === undefined) return [];
    const decision = decisionOn(lowered.policy, { arch: auditArch, nr });
    const head = `${name ?? `number ${nr}`} on ${abi}`;
    const lists = record.args.length === 0 ? [[]] : record.args;
    const isKnown = (list: LoggedArgs) =>
      decision?.rules.every(({ conditions }) => conditions.every((c) => list[c.arg] !== undefined)) ?? true;
    return lists.map((list) => {
      if (!isKnown(list)) {
        const conditions = describeDecision(decision, abi, name);
        return {
          json: { call: { arch: abi, nr, name: name ?? null }, conditions },
          text: `${head}\nconditions: ${conditions}\n`,
        };
      }
      const values = Array.from({ length: 6 }, (_, index) => list[index] ?? 0n);
      const { json, text } = explained({ data: { arch: auditArch, nr, args: values, ip: 0n }, name }, abi);
      return { json, text: `${head}\n${text}` };
    });
  });
  await writeProduct(
    options.json
      ? toJson({ calls: found.map(({ json }) => json) })
      : found.map(({ text }) => text).join('\n'),
  );
}

/** A filter has no entries: the conditions of its decision take their place. */
async function explainFilter(
  { side, calls, diagnostics }: Operand & { side: Programs },
  { call, args }: { call: string | undefined; args: string[] },
  options: Options,
): Promise<void> {
  if (options.audit !== undefined)
    fail('USAGE', { reason: '--audit needs a profile: a filter has no entries' });
  await printDiagnostics(diagnostics, options);
  const decisions = decisionsOf(side);
  if (call === undefined) {
    if (calls.length === 0)
      fail('USAGE', { reason: 'the filter tests no architecture: name one with --arch' });
    const decisionIn = (arch: number, nr: number) => decisions.on(arch, nr);
    const overview = overviewOf({
      calls: calls.filter((each) => isFiltered(each, decisionIn)),
      decisionOn: decisionIn,
    });
    return writeProduct(options.json ? toJson(overviewJson(overview)) : overviewText(overview));
  }
  const arch = options.callArch ?? options.arch ?? calls[0]?.abi.name ?? hostArch();
  const asked = await parseCall({ call, args, ip: '0', arch });
  const { value, steps } = runPrograms(side, asked.data);
  const bitmap = isAlwaysAllowed(side, arch, asked.data);
  const conditions = describeDecision(decisions.on(asked.data.arch, asked.data.nr), arch, asked.name);
  if (options.json)
    return writeProduct(
      toJson({
        ...answerParts(value, arch),
        entry: null,
        considered: [],
        conditions,
        steps,
        bitmap,
        call: callOf(arch, asked),
      }),
    );
  const lines = [describeAnswer(value, arch), `conditions: ${conditions}`, ...endLines(steps, bitmap)];
  await writeProduct(`${lines.join('\n')}\n`);
}

/** A filter that kills every call of X32 tests X86_64 only. */
function isFiltered(
  { abi, table }: NamedCalls,
  decisionIn: (arch: number, nr: number) => Decision | undefined,
): boolean {
  return (
    abi.name !== 'X32' ||
    table.numbers.some((nr) => decisionIn(abi.auditArch, nr)?.otherwise !== SECCOMP_RET_KILL_THREAD)
  );
}

function decisionsOf(side: Programs): FilterDecisions {
  try {
    return new FilterDecisions(side);
  } catch (error) {
    if (error instanceof Undecided) return fail('UNDECIDED', { reason: error.message });
    throw error;
  }
}
