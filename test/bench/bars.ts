/** Groups of bars as SVG. Text and bars follow the reader's colours. */
export interface Bars {
  title: string;
  unit: string;
  /** Those of the own colour are marked. */
  values: readonly { name: string; value: number; own: boolean }[];
}

const WIDTH = 640;
const BAR = { left: 120, height: 18, gap: 6, longest: 420 };
const GROUP_TITLE = 28;

/** @param left where the bars begin, behind their names */
export function bars(title: string, groups: readonly Bars[], left = BAR.left): string {
  const width = WIDTH - BAR.left + left;
  let y = 0;
  const parts: string[] = [];
  for (const { title: heading, unit, values } of groups) {
    y += GROUP_TITLE;
    parts.push(`<text class="heading" x="0" y="${y - 8}">${heading}</text>`);
    const longest = Math.max(...values.map(({ value }) => value));
    for (const { name, value, own: isOwn } of values) {
      const length = Math.max(Math.round((value / longest) * BAR.longest), 1);
      const middle = y + BAR.height / 2;
      const own = isOwn ? 'own' : 'other';
      parts.push(
        `<text class="name" x="${left - 8}" y="${middle}">${name}</text>`,
        `<rect class="${own}" x="${left}" y="${y}" width="${length}" height="${BAR.height}" rx="2"/>`,
        `<text class="value" x="${left + length + 8}" y="${middle}">${Math.round(value)}${unit}</text>`,
      );
      y += BAR.height + BAR.gap;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img">`,
    `<title>${title}</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

const STYLE = [
  'text { font: 13px system-ui, sans-serif; fill: #24292f; dominant-baseline: central }',
  '.heading { font-weight: 600; dominant-baseline: auto }',
  '.name { text-anchor: end }',
  '.own { fill: #1a7f37 }',
  '.other { fill: #8c959f }',
  '@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .own { fill: #3fb950 } .other { fill: #6e7681 } }',
].join(' ');
