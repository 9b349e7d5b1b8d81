/** How an action is coloured: calls that run, run with somebody told, or do not run. */
export type Tone = 'allow' | 'log' | 'notify' | 'trace' | 'errno' | 'kill';

const TONES: [start: string, tone: Tone][] = [
  ['ALLOW', 'allow'],
  ['LOG', 'log'],
  ['USER_NOTIF', 'notify'],
  ['TRACE', 'trace'],
  ['ERRNO', 'errno'],
];

/** @param label of a return value: `ERRNO EPERM`, `ALLOW` */
export function actionTone(label: string): Tone {
  return TONES.find(([start]) => label.startsWith(start))?.[1] ?? 'kill';
}
