/** The file of a report: the page that the build made, with one profile in it. */
import type { Endian } from '../bpf/instruction.ts';
import type { Target } from '../target.ts';

/** What the page reads from the file. */
export interface ReportData {
  file: string;
  text: string;
  target: Target;
  /** Profiles for the same target and filters to compare with. */
  against: ({ name: string; text: string } | { name: string; filter: FilterData })[];
}

export interface FilterData {
  endian: Endian;
  /** Raw, little endian, as base64. */
  bytes: string;
}

/** @param page the page of the build, with a place for the data */
export function makeReport(page: string, data: ReportData, facts: Record<string, unknown>): string {
  const blocks: Record<string, string> = {
    TITLE: `${data.file} · seccompc`.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`),
    DATA: inScript(data),
    FACTS: inScript(facts),
  };
  return page.replaceAll(/%(TITLE|DATA|FACTS)%/g, (_, name: string) => blocks[name]!);
}

/** JSON that nothing in it can end the element around it. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
