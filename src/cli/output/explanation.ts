/** Explanations of calls, and overviews of profiles and filters, as text and as JSON. */
import type { ArchName } from '../../arch.ts';
import type { SeccompData } from '../../bpf/instruction.ts';
import type { Explanation } from '../../explain/explain.ts';
import type { Overview } from '../../explain/overview.ts';
import { describeDecision, describePart, describeSource } from '../../explain/text.ts';
import type { Position } from '../../profile/types.ts';
import { answerParts, describeAnswer } from '../../prove/describe.ts';

/** A call, with its name on the architecture if it has one. */
interface Asked {
  data: SeccompData;
  name: string | undefined;
}

interface Shown {
  arch: ArchName;
  isListed: boolean;
  file: string;
  locate: (pointer: string) => Position | undefined;
  steps: number;
  bitmap: boolean;
}

function placeIn({ file, locate }: Shown): (pointer: string) => string {
  return (pointer) => {
    const { line, column } = locate(pointer) ?? {};
    return [file, line, column].filter((part) => part !== undefined).join(':');
  };
}

export function callJson(
  { answer, source, entry, considered }: Explanation,
  asked: Asked,
  shown: Shown,
): unknown {
  const place = (pointer: string) => {
    const { line = null, column = null } = shown.locate(pointer) ?? {};
    return { pointer, line, column };
  };
  return {
    ...answerParts(answer, shown.arch),
    source,
    entry: entry === undefined ? null : place(entry),
    considered: considered.map((each) => ({
      ...place(each.pointer),
      part: each.part,
      why: describePart(each, { ...asked, arch: shown.arch }, placeIn(shown)),
    })),
    steps: shown.steps,
    bitmap: shown.bitmap,
    call: callOf(shown.arch, asked),
  };
}

export function callOf(arch: ArchName, { data, name }: Asked): unknown {
  return { arch, nr: data.nr, name: name ?? null, args: data.args.map(String) };
}

export function endLines(steps: number, bitmap: boolean): string[] {
  return [`steps: ${steps}`, `bitmap: ${bitmap ? 'yes' : 'no'}`];
}

export function callText(
  { answer, source, entry, considered }: Explanation,
  asked: Asked,
  shown: Shown,
): string {
  const { arch, isListed, steps, bitmap } = shown;
  const placeOf = placeIn(shown);
  const decided = entry === undefined ? describeSource(source, arch, isListed) : placeOf(entry);
  const others = considered
    .filter(({ part }) => part !== 'decides')
    .map((each) => `${placeOf(each.pointer)}: ${describePart(each, { ...asked, arch }, placeOf)}`);
  const lines = [
    describeAnswer(answer, arch),
    `decided by: ${decided}`,
    ...others,
    ...endLines(steps, bitmap),
  ];
  return `${lines.join('\n')}\n`;
}

export function overviewText({ groups, conditional, otherwise }: Overview): string {
  const lines = groups.map(
    ({ answer, arches, calls }) =>
      `${describeAnswer(answer, arches[0])}, ${calls.length} on ${arches.join(', ')}: ${calls.join(', ')}`,
  );
  const byArguments = conditional.map(
    ({ call, arches, decision }) =>
      `${call} on ${arches.join(', ')}: ${describeDecision(decision, arches[0]!, call)}`,
  );
  const rest = otherwise === undefined ? [] : [`any other number: ${describeAnswer(otherwise, undefined)}`];
  return `${[...lines, ...byArguments, ...rest].join('\n')}\n`;
}

export function overviewJson({ groups, conditional, otherwise }: Overview): unknown {
  return {
    otherwise: otherwise === undefined ? null : answerParts(otherwise, undefined),
    groups: groups.map(({ answer, ...rest }) => ({ ...answerParts(answer, rest.arches[0]), ...rest })),
    conditional: conditional.map(({ call, arches, decision }) => ({
      call,
      arches,
      decision: describeDecision(decision, arches[0]!, call),
    })),
  };
}
