/** The forms a filter can be written in, JSON apart: that one also tells how it was made (see src/cli). */
export const FORMAT_NAMES = ['raw', 'hex', 'base64', 'c', 'rust', 'go', 'asm'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];
