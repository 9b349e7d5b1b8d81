import { codeTable, EXIT } from '../errors.ts';

/** A section for each message. */
export function messageList(): string {
  const entries = codeTable().map(({ code, severity, exit, message, hint }) => {
    const consequence = severity === 'error' ? `error, exit code ${exit ?? EXIT.dataError}` : severity;
    const advice = hint === undefined ? '' : `>\n> ${plain(hint)}\n`;
    return `## ${code}\n\n${consequence}\n\n> ${plain(message)}\n${advice}`;
  });
  return entries.join('\n');
}

/** Text in which Markdown finds no markup. Underscores and braces inside words are none. */
function plain(text: string): string {
  return text.replaceAll(/[<>*`[\]|\\]/g, (character) => `\\${character}`);
}
