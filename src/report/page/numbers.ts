/** Every number of every architecture, in the colour of its action. */
import { actionTone } from '../../graph/tone.ts';
import { describeAnswer } from '../../prove/describe.ts';
import type { Study } from '../study.ts';
import { byId, el, svg } from './dom.ts';

const COLUMNS = 64;
const LEGEND: [tone: string, words: string][] = [
  ['allow bitmap', 'always allowed, in the kernel’s bitmap'],
  ['allow', 'allowed by the filter'],
  ['errno', 'refused with an errno'],
  ['kill', 'ended'],
  ['mixed', 'by its arguments'],
];

export function drawLegend(): void {
  byId('legend').append(
    ...LEGEND.map(([tone, words]) => {
      const cell = svg('rect', { width: 10, height: 10, class: `cell ${tone}` });
      return el('span', {}, svg('svg', { viewBox: '0 0 10 10', 'aria-hidden': 'true' }, cell), words);
    }),
  );
}

/** By the index of their row. */
let cellsOf: Element[][] = [];
let lit: readonly Element[] = [];

export function drawNumbers(study: Study, pick: (row: number) => void): void {
  cellsOf = study.rows.map(() => []);
  const figures = study.lowered.arches.map((abi) => {
    const cells = study.rows.flatMap((row, index) =>
      row.places.filter((place) => place.abi === abi).map((place) => ({ row, index, ...place })),
    );
    const base = cells.reduce((least, { nr }) => Math.min(least, nr), Infinity);
    const first = base - (base % COLUMNS);
    const last = cells.reduce((most, { nr }) => Math.max(most, nr), 0);
    const height = Math.ceil((last - first + 1) / COLUMNS);
    const text = study.lowered.reference.tables.of(abi.name);
    const picture = svg('svg', {
      viewBox: `0 0 ${COLUMNS * 10} ${height * 10}`,
      role: 'img',
      'aria-label': `Numbers of ${abi.name}`,
    });
    for (const { row, index, nr, isInBitmap } of cells) {
      const at = nr - first;
      const tone = toneOf(row);
      const says = `${nr} ${text.nameOf(nr) ?? ''}: ${tone === 'mixed' ? 'by its arguments' : tone}`;
      const cell = svg(
        'rect',
        {
          x: (at % COLUMNS) * 10 + 0.5,
          y: Math.floor(at / COLUMNS) * 10 + 0.5,
          width: 9,
          height: 9,
          class: `cell ${tone}${isInBitmap ? ' bitmap' : ''}`,
          click: () => pick(index),
        },
        svg('title', {}, says),
      );
      cellsOf[index]!.push(cell);
      picture.append(cell);
    }
    const inBitmap = cells.filter(({ isInBitmap }) => isInBitmap).length;
    const byArguments = cells.filter(({ row }) => row.rules.length > 0).length;
    const caption = `${abi.name}: ${cells.length} calls from ${first < 1 << 30 ? first : `0x${first.toString(16)}`}; ${byArguments} by their arguments; ${inBitmap} always allowed, which the kernel remembers`;
    return el('figure', {}, el('figcaption', {}, caption), picture);
  });
  byId('numbers').replaceChildren(...figures);
}

export function markNumbers(rows: ReadonlySet<number>): void {
  for (const cell of lit) cell.classList.remove('on');
  lit = [...rows].flatMap((row) => cellsOf[row]!);
  for (const cell of lit) cell.classList.add('on');
}

function toneOf({ rules, otherwise }: Study['rows'][number]): string {
  return rules.length > 0 ? 'mixed' : actionTone(describeAnswer(otherwise, undefined));
}
