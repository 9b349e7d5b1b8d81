/** A decision tree in the languages of Graphviz and Mermaid. */
import { actionTone } from './tone.ts';
import type { Tone } from './tone.ts';
import type { DecisionTree, Node } from './tree.ts';

const FILLS: Record<Tone, string> = {
  allow: '#d5ead9',
  log: '#d3e7ea',
  notify: '#d9e1f5',
  trace: '#e6dcf3',
  errno: '#f7e3c8',
  kill: '#f4d3d0',
};

/** For Graphviz. */
export function formatDot({ nodes }: DecisionTree): string {
  const lines = [...nodes.values()].flatMap((node) => [
    `  n${node.id} [label=${JSON.stringify(node.label)}${dotStyle(node)}];`,
    ...edgesOf(node).map(([word, to]) => `  n${node.id} -> n${to} [label="${word}"];`),
  ]);
  return `digraph seccomp {\n  rankdir=LR;\n  node [shape=box, fontname="monospace"];\n${lines.join('\n')}\n}\n`;
}

function dotStyle({ kind, label }: Node): string {
  if (kind === 'fold') return ', style=dashed';
  return kind === 'action' ? `, style="rounded,filled", fillcolor="${FILLS[actionTone(label)]}"` : '';
}

/** For Markdown that renders Mermaid. */
export function formatMermaid({ nodes }: DecisionTree): string {
  const quoted = (label: string) =>
    `"${label.replaceAll(/[#"<>&]/g, (character) => `#${character.charCodeAt(0)};`)}"`;
  const lines = [...nodes.values()].flatMap((node) => {
    const text = quoted(node.label);
    const shape = node.kind === 'test' ? `[${text}]` : `(${text})`;
    const tone = node.kind === 'action' ? `:::${actionTone(node.label)}` : '';
    return [
      `  n${node.id}${shape}${tone}`,
      ...edgesOf(node).map(([word, to]) => `  n${node.id} -->|${word}| n${to}`),
    ];
  });
  const tones = new Set(
    [...nodes.values()].flatMap((node) => (node.kind === 'action' ? [actionTone(node.label)] : [])),
  );
  const classes = [...tones].toSorted().map((tone) => `  classDef ${tone} fill:${FILLS[tone]},color:#222`);
  return `${['flowchart LR', ...lines, ...classes].join('\n')}\n`;
}

function edgesOf(node: Node): [word: 'yes' | 'no', to: number][] {
  if (node.kind !== 'test') return [];
  const { yes, no } = node;
  return [
    ...(yes === undefined ? [] : [['yes', yes] as const]),
    ...(no === undefined ? [] : [['no', no] as const]),
  ].map(([word, to]) => [word, to]);
}
