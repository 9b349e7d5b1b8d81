import { compareStrictness } from '../../action.ts';
import { diagnostic } from '../../errors.ts';
import type { Severity } from '../../errors.ts';
import type { Disagreement, EntryEffect } from '../../explain/effects.ts';
import { explainCall } from '../../explain/explain.ts';
import { constantTruth, normalise } from '../../policy/condition.ts';
import { describeAnswer } from '../../prove/describe.ts';
import { listed } from '../rule.ts';
import type { Finding, Rule, Subject } from '../rule.ts';

/** Names of one entry that are listed in one message. */
const MOST_NAMES = 5;

export const entryWithoutEffect: Rule = {
  code: 'ENTRY_WITHOUT_EFFECT',
  reason:
    'An entry that never decides a call is a refusal, or a permission, that its author believes in and nobody gets.',
  evidence:
    'semantics.md 5.1 and 7.1: entries with the default action are dropped, and the first unconditional rule decides.',
  *find(subject) {
    for (const effect of subject.effects) {
      if (effect.effect === 'none' && !isForElsewhere(effect, subject)) yield useless(effect, subject);
      for (const finding of overruled(effect, subject)) yield finding;
    }
  },
};

function useless(effect: EntryEffect, subject: Subject): Finding {
  const { entry, action, absent, isDefault, disagreement } = effect;
  const { usual } = subject.survey;
  const { arches } = subject.lowered;
  const found = (why: string, severity: Severity, hint?: string) =>
    diagnostic('ENTRY_WITHOUT_EFFECT', { on: '', why }, { pointer: entry.pointer, severity, hint });
  if (absent) {
    const refuses = compareStrictness(action, usual) < 0;
    const why = `${listed(arches.map(({ name }) => name))} ${arches.length === 1 ? 'has' : 'have'} none of its calls`;
    const hint = 'name the calls that do the same there; "seccompc lookup NAME" shows where a call exists';
    return { diagnostic: found(why, refuses ? 'warning' : 'note', refuses ? hint : undefined) };
  }
  const answer = describeAnswer(action, arches[0]!.name);
  if (disagreement !== undefined) {
    const decided = decidedBy(disagreement, subject);
    const why = isDefault
      ? `${answer} is the default action, so it makes no rule, and ${decided}`
      : `it asks for ${answer}, but ${decided}`;
    const hint = isDefault
      ? 'give it another errno than the default action has, or remove it'
      : 'of entries without conditions the first decides, and one without conditions decides over those with: change that entry, or remove this one';
    return { diagnostic: found(why, 'warning', hint), call: disagreement };
  }
  const why = isDefault
    ? `${answer} is the default action`
    : entry.args.some((arg) => constantTruth(normalise(arg, 64)) === false)
      ? 'its conditions hold for no value'
      : `other entries give ${answer} to the same calls`;
  const fix = isRemovable(subject)
    ? { fix: { changes: [{ pointer: entry.pointer, value: undefined }], relation: 'equal' as const } }
    : {};
  return { diagnostic: found(why, 'note', 'remove it'), ...fix };
}

/** Names of an entry that another one decides otherwise: one finding for each deciding entry. */
function overruled({ entry, action, overruled: names }: EntryEffect, subject: Subject): Finding[] {
  const groups = new Map<string | undefined, typeof names>();
  for (const each of names) {
    const decider = deciderOf(each.disagreement, subject);
    groups.set(decider, [...(groups.get(decider) ?? []), each]);
  }
  return [...groups.values()].map((group) => {
    const [{ name, disagreement }] = group as [(typeof names)[number]];
    const all = group.map((each) => each.name);
    const index = entry.names!.indexOf(name);
    const pointer = entry.singular ? `${entry.pointer}/name` : `${entry.pointer}/names/${index}`;
    const asked = describeAnswer(action, subject.lowered.arches[0]!.name);
    const why = `it asks for ${asked}, but ${decidedBy(disagreement, subject)}`;
    const values = { on: ` on ${listed(all, MOST_NAMES)}`, why };
    const hint = 'of entries without conditions the first decides: take the name out of one of the two';
    return {
      diagnostic: diagnostic('ENTRY_WITHOUT_EFFECT', values, { pointer, severity: 'warning', hint }),
      call: disagreement,
    };
  });
}

function deciderOf({ data }: Disagreement, { profile, lowered }: Subject): string | undefined {
  return explainCall(profile, lowered, data).entry;
}

/** Harmless here, and meant for other targets: other architectures, capabilities or kernels. */
function isForElsewhere({ entry, absent, action, disagreement }: EntryEffect, subject: Subject): boolean {
  const { profile, survey } = subject;
  if (profile.dialect === 'oci' || disagreement !== undefined) return false;
  if (absent) return profile.docker.archMap.length > 0 && compareStrictness(action, survey.usual) >= 0;
  const written = profile.docker.syscalls.find(({ pointer }) => pointer === entry.pointer)!;
  return [written.includes, written.excludes].some(
    ({ caps, arches, minKernel }) => caps.length + arches.length > 0 || minKernel !== undefined,
  );
}

/** `ioctl on X86_64 gets ALLOW by line 8` */
function decidedBy(disagreement: Disagreement, subject: Subject): string {
  const { data, answer } = disagreement;
  const entry = deciderOf(disagreement, subject);
  const by = entry === undefined ? '' : ` by the entry at ${subject.lineOf(entry)}`;
  return `${subject.describe(data)} gets ${describeAnswer(answer, subject.lowered.arches[0]!.name)}${by}`;
}

/**
 * An entry that repeats another here can be needed where a file of the Docker dialect is resolved
 * otherwise.
 */
function isRemovable({ profile, lowered }: Subject): boolean {
  return profile.dialect === 'oci' && lowered.reference.seccomp.architectures.length > 0;
}
