/** How long libseccomp takes for a profile and for its simplified form. */
import { simplifiedProfile } from '../../src/merge/proved-profile.ts';
import { readProfile } from '../../src/profile/read.ts';
import { allArches } from '../../src/arch.ts';
import { resolveProfile } from '../../src/profile/docker.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { libraryMaker } from './filters.ts';
import type { Measured } from './filters.ts';
import { rulesText } from './libseccomp.ts';
import type { Libseccomp } from './libseccomp.ts';
import type { Table } from './table.ts';

/** In one process, before the other form's turn. */
const TURN = 5;

export async function simplifyTable(
  measured: readonly Measured[],
  library: Libseccomp,
  rounds: number,
): Promise<Table> {
  const tables = await loadTables(allArches().map(({ table }) => table));
  const rows: Table['rows'] = [];
  for (const { subject } of measured) {
    const { seccomp, target, arches, title } = subject;
    const { architectures: _, ...reader } = target;
    const made = await simplifiedProfile({ seccomp, target, tables: subject.tables }, { target, tables });
    const shorter = resolveProfile(readProfile(made.text, { file: '-' }), reader).seccomp!;
    const texts = [rulesText(seccomp, arches), rulesText(shorter, arches)];
    const row: Table['rows'][number] = {
      profile: title,
      entries: seccomp.syscalls.length,
      shorter: made.entries,
      rules: rulesIn(texts[0]!),
      fewer: rulesIn(texts[1]!),
    };
    for (const optimize of [1, 2] as const) {
      const least = [Infinity, Infinity];
      for (let round = 0; round < rounds; round++)
        for (const [at, text] of texts.entries()) {
          const built = library.build(text, optimize, TURN, arches[0]!.endian);
          if ('refused' in built) throw new Error(`${title}: ${built.refused}`);
          least[at] = Math.min(least[at]!, ...built.ns);
        }
      row[`before${optimize}`] = least[0]! / 1e6;
      row[`ratio${optimize}`] = least[1]! / least[0]!;
    }
    rows.push(row);
  }
  return {
    title: 'libseccomp before and after simplify',
    method:
      `Milliseconds of processor time from rules in memory to the exported program, the least of ${rounds} processes ` +
      `of ${TURN} each, the two forms taking turns; after : before, below 1 the simplified profile is faster.`,
    columns: [
      { key: 'profile', title: 'profile' },
      { key: 'entries', title: 'entries' },
      { key: 'shorter', title: 'simplified' },
      { key: 'rules', title: 'rules' },
      { key: 'fewer', title: 'simplified' },
      ...([1, 2] as const).flatMap((level) => [
        { key: `before${level}`, title: libraryMaker(level), digits: 2 },
        { key: `ratio${level}`, title: 'after : before', digits: 2 },
      ]),
    ],
    rows,
  };
}

const rulesIn = (text: string) => text.split('\n').filter((line) => line.startsWith('rule ')).length;
