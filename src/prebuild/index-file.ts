import type { Target } from '../target.ts';
import type { FilterDocument } from '../format/filter-document.ts';
import type { Built } from './prebuild.ts';

/** Version of the index below. */
const INDEX_FORMAT = 1;

/** Where a program is, below the folder of the index. */
export function programPath(digest: string): string {
  return `filters/${digest}.bpf`;
}

type Facts = ReturnType<typeof factsOf>;

function factsOf(document: FilterDocument) {
  const { confined, sha256, instructions, convertedLength } = document;
  const { endian, arches, flags, listenerPath, proved } = document;
  return {
    /** null: the profile asks for no filter. */
    filter: confined ? { path: programPath(sha256), sha256 } : null,
    instructions,
    convertedLength,
    endian,
    arches,
    flags,
    listenerPath,
    proved,
  };
}

/** The programs by name. Depends on nothing but the profiles, the targets and the version. */
export class Index {
  readonly #targets: readonly Target[];
  /** A profile is small here: what is said of a filter is kept once, whichever profiles have it. */
  readonly #facts = new Map<string, Facts>();
  readonly #profiles: { profile: string; profileSha256: string; filters: (Facts | undefined)[] }[] = [];

  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  /** @param at Position of the profile in the index */
  add({ file, sha256, filters }: Built, at: number): void {
    this.#profiles[at] = {
      profile: file.name,
      profileSha256: sha256,
      filters: filters.map((filter) => filter && this.#once(factsOf(filter.document))),
    };
  }

  #once(facts: Facts): Facts {
    const text = JSON.stringify(facts);
    const known = this.#facts.get(text) ?? facts;
    this.#facts.set(text, known);
    return known;
  }

  /** What is no filter for a target. */
  failed(): { profile: string; target: Target }[] {
    return [...this.#pairs()].flatMap(({ profile, target, facts }) =>
      facts === undefined ? [{ profile, target }] : [],
    );
  }

  /** The JSON text in parts, as JSON.stringify gives it with an indentation of 2. */
  *text(version: string, more: object = {}): Generator<string> {
    const empty = '"filters": []';
    const document = JSON.stringify({ format: INDEX_FORMAT, version, filters: [], ...more }, null, 2);
    const [before] = document.split(empty, 1) as [string];
    yield `${before}"filters": [`;
    let isFirst = true;
    for (const { facts, ...row } of this.#pairs()) {
      if (facts === undefined) continue;
      const text = JSON.stringify({ ...row, ...facts }, null, 2).replaceAll('\n', '\n    ');
      yield `${isFirst ? '' : ','}\n    ${text}`;
      isFirst = false;
    }
    yield `${isFirst ? '' : '\n  '}]${document.slice(before.length + empty.length)}\n`;
  }

  *#pairs(): Generator<{ profile: string; profileSha256: string; target: Target; facts: Facts | undefined }> {
    for (const { profile, profileSha256, filters } of this.#profiles.filter((one) => one !== undefined))
      for (const [at, facts] of filters.entries())
        yield { profile, profileSha256, target: this.#targets[at]!, facts };
  }
}
