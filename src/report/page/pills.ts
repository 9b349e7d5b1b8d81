import type { ArchName } from '../../arch.ts';
import { actionTone } from '../../graph/tone.ts';
import { describeAnswer } from '../../prove/describe.ts';
import { el } from './dom.ts';

/** `ALLOW`, `ERRNO EPERM`, in the colour of the action. */
export function pill(value: number, abi: ArchName | undefined): HTMLElement {
  const text = describeAnswer(value, abi);
  const [, errno] = /^ERRNO (E\w+) \(\d+\)$/.exec(text) ?? [];
  // Where there is little room, the name of the errno is enough.
  const shown = errno === undefined ? [text] : [el('i', {}, 'ERRNO '), errno];
  return el('span', { class: `pill ${actionTone(text)}`, title: text }, ...shown);
}
