import type { ArchName } from '../../arch.ts';
import { run as runProgram } from '../../bpf/interpreter.ts';
import { compile, lowerProfile } from '../../compile.ts';
import { readInput as readProfile } from '../../compile/findings.ts';
import { SeccompcError } from '../../errors.ts';
import { explainCall } from '../../explain/explain.ts';
import type { Explanation } from '../../explain/explain.ts';
import { overviewOf } from '../../explain/overview.ts';
import type { Overview } from '../../explain/overview.ts';
import { describeDecision, describePart, describeSource } from '../../explain/text.ts';
import { answerParts, describeAnswer } from '../../prove/describe.ts';
import { isAlwaysAllowed } from '../../prove/program/bitmap.ts';
import { CliCommand } from '../command.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { parseCall } from '../options/call.ts';
import type { Call } from '../options/call.ts';
import { notConfined } from '../options/confined.ts';
import { readInput } from '../options/input-file.ts';
import { addTargetOptions, archArgument, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

interface Options extends TargetFlags, OutputOptions {
  callArch?: ArchName;
}

const HELP = `
With CALL: the answer, the entry that gives it, and for each other entry that names the call
why it does not. Missing arguments are 0.

Without CALL: the whole profile by action. Calls whose answer depends on arguments come last,
with their conditions.

Examples:
  seccompc explain profile.json
  seccompc explain profile.json clone3
  seccompc explain profile.json socket AF_VSOCK
  seccompc explain profile.json --call-arch x86 socketcall 1`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('explain')
    .description('Says which entry of a profile decides a call, and why the others do not.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .argument('[CALL]', 'name or number of the call')
    .argument('[ARG...]', 'its arguments, up to six')
    .option('--call-arch <A>', 'architecture of the call, if not --arch', archArgument)
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addOutputOptions(command));
}

async function run(file: string, call: string | undefined, args: string[], options: Options): Promise<void> {
  const target = targetOf(options);
  const { profile, findings } = readProfile(await readInput(file), { file, semantics: target.semantics });
  findings.refuseErrors();
  const lowered = await lowerProfile(profile, { target, file });
  if (!lowered.confined) throw new SeccompcError([...lowered.diagnostics, notConfined(file)]);
  const lineOf = (pointer: string): string => {
    const { line, column } = profile.locate(pointer) ?? {};
    return [file, line, column].filter((part) => part !== undefined).join(':');
  };
  if (call === undefined) {
    await printDiagnostics(lowered.diagnostics, options);
    const overview = overviewOf(lowered);
    return writeProduct(options.json ? toJson(overviewJson(overview)) : overviewText(overview));
  }
  const arch = options.callArch ?? target.arch;
  const asked = await parseCall({ call, args, ip: '0', arch });
  const { instructions, endian } = await compile(profile, { target, prove: 'never', file });
  const explanation = explainCall(profile, lowered, asked.data);
  const { value, steps } = runProgram(instructions, asked.data, endian);
  if (value !== explanation.answer)
    throw new Error(
      `the program answers 0x${value.toString(16)}, the rules 0x${explanation.answer.toString(16)}`,
    );
  const bitmap = isAlwaysAllowed(instructions, arch, asked.data);
  if (options.json) {
    const place = (pointer: string) => {
      const { line, column } = profile.locate(pointer) ?? {};
      return { pointer, line: line ?? null, column: column ?? null };
    };
    const considered = explanation.considered.map((each) => ({
      ...place(each.pointer),
      part: each.part,
      why: describePart(each, asked.data, lineOf),
    }));
    const { entry } = explanation;
    const answer = answerParts(value, arch);
    return writeProduct(
      toJson({
        ...answer,
        source: explanation.source,
        entry: entry === undefined ? null : place(entry),
        considered,
        steps,
        bitmap,
        call: { arch, nr: asked.data.nr, name: asked.name ?? null, args: asked.data.args.map(String) },
      }),
    );
  }
  const isListed = lowered.arches.some(({ name }) => name === arch);
  await writeProduct(callText(explanation, asked, { arch, isListed, lineOf, steps, bitmap }));
}

function callText(
  { answer, source, entry, considered }: Explanation,
  { data }: Call,
  shown: {
    arch: ArchName;
    isListed: boolean;
    lineOf: (pointer: string) => string;
    steps: number;
    bitmap: boolean;
  },
): string {
  const { arch, isListed, lineOf, steps, bitmap } = shown;
  const decided = entry === undefined ? describeSource(source, arch, isListed) : lineOf(entry);
  const others = considered
    .filter(({ part }) => part !== 'decides')
    .map((each) => `${lineOf(each.pointer)}: ${describePart(each, data, lineOf)}`);
  const lines = [
    describeAnswer(answer, arch),
    `decided by: ${decided}`,
    ...others,
    `steps: ${steps}`,
    `bitmap: ${bitmap ? 'yes' : 'no'}`,
  ];
  return `${lines.join('\n')}\n`;
}

function overviewText({ groups, conditional, otherwise }: Overview): string {
  const lines = groups.map(
    ({ answer, arches, calls }) =>
      `${describeAnswer(answer, arches[0])}, ${calls.length} on ${arches.join(', ')}: ${calls.join(', ')}`,
  );
  const byArguments = conditional.map(
    ({ call, arches, decision }) =>
      `${call} on ${arches.join(', ')}: ${describeDecision(decision, arches[0]!)}`,
  );
  const rest = `any other number: ${describeAnswer(otherwise, undefined)}`;
  return `${[...lines, ...byArguments, rest].join('\n')}\n`;
}

function overviewJson({ groups, conditional, otherwise }: Overview): unknown {
  return {
    otherwise: answerParts(otherwise, undefined),
    groups: groups.map(({ answer, ...rest }) => ({ ...answerParts(answer, rest.arches[0]), ...rest })),
    conditional: conditional.map(({ call, arches, decision }) => ({
      call,
      arches,
      decision: describeDecision(decision, arches[0]!),
    })),
  };
}
