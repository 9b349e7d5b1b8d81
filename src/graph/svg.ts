/** A decision tree as a picture for documents; it follows the colours of the reader's system. */
import { layOut, ROW } from './layout.ts';
import type { Placed } from './layout.ts';
import { actionTone } from './tone.ts';
import type { DecisionTree } from './tree.ts';

const STYLE = `
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#24292f}
rect{fill:#f4f5f6;stroke:#d0d4d9}path{fill:none;stroke:#9aa3ad}.no{stroke-dasharray:3 3}.fold{stroke-dasharray:3 3}
.mention{fill:none;stroke:none}.allow{fill:#d5ead9;stroke:#9cc9a6}.log{fill:#d3e7ea;stroke:#9ac4cb}
.notify{fill:#d9e1f5;stroke:#a9b9e3}.trace{fill:#e6dcf3;stroke:#c5aee0}.errno{fill:#f7e3c8;stroke:#dfb983}
.kill{fill:#f4d3d0;stroke:#dd9f99}
@media(prefers-color-scheme:dark){text{fill:#dde1e6}rect{fill:#22272d;stroke:#444c55}path{stroke:#69737e}
.mention{fill:none}.allow{fill:#1d3b26;stroke:#38704a}.log{fill:#17383d;stroke:#2d6a73}.notify{fill:#222f52;stroke:#44599a}
.trace{fill:#35264c;stroke:#65488f}.errno{fill:#46310f;stroke:#8a6425}.kill{fill:#4d211e;stroke:#95423c}}
`.replaceAll('\n', '');

/** An SVG document; the same for the same tree. */
export function formatSvg(tree: DecisionTree, title: string): string {
  const { placed, width, height } = layOut(tree);
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    '<desc>Each test leads up or straight on if it holds, and along the dashed line if it does not.</desc>',
    `<style>${STYLE}</style>`,
    ...placed.flatMap(edge),
    ...placed.map(box),
    '</svg>\n',
  ].join('\n');
}

function edge({ x, y, from }: Placed): string[] {
  if (from === undefined) return [];
  return [`<path class="${from.answer}" d="${curve(from.parent, x, y)}"/>`];
}

/** From the right edge of a node to the left edge of another. */
export function curve({ x, y, width }: Pick<Placed, 'x' | 'y' | 'width'>, toX: number, toY: number): string {
  const right = x + width;
  const bend = right + 18;
  return `M${right} ${y}C${bend} ${y} ${bend} ${toY} ${bend + 12} ${toY}L${toX} ${toY}`;
}

function box({ node, isMention, x, y, width }: Placed): string {
  const { kind, label, id } = node;
  const style = isMention ? 'mention' : kind === 'action' ? actionTone(label) : kind;
  const height = ROW - 4;
  const radius = kind === 'action' ? height / 2 : 3;
  const text = `<text x="${x + 8}" y="${y + 4}">${escaped(isMention ? `↗ ${label}` : label)}</text>`;
  const rect = `<rect class="${style}" x="${x}" y="${y - height / 2}" width="${width}" height="${height}" rx="${radius}"/>`;
  if (isMention) return `<a href="#n${id}">${rect}${text}</a>`;
  return kind === 'action' ? `<g>${rect}${text}</g>` : `<g id="n${id}">${rect}${text}</g>`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
