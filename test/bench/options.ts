import { parseArgs } from 'node:util';

export const PARTS = ['static', 'attach', 'calls', 'compile', 'cold', 'growth', 'simplify'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  parts: Part[];
  /** Loads of each filter; the other parts take their number of rounds from it. */
  rounds: number;
  json: boolean;
  library: 'newest' | 'system';
  /** Files of other people's profiles, instead of those that are installed. */
  docker: string | undefined;
  podman: string | undefined;
  /** File to draw the picture of the README into. */
  picture: string | undefined;
  /** File to draw the growth table into. */
  growthPicture: string | undefined;
}

export const HELP = `npm run bench -- [OPTION...]

  --only PART[,PART...]   ${PARTS.join(', ')} (default: all)
  --rounds N              loads of each filter (default: 300); the other parts take a tenth
  --json                  one JSON document instead of Markdown
  --libseccomp WHICH      newest (default) or system
  --docker FILE           Docker's default profile; also SECCOMPC_BENCH_DOCKER, or as Debian installs it
  --picture FILE          also draw the first profile's figures as SVG (docs/bench.svg)
  --growth-picture FILE   also draw the growth table as SVG (docs/growth.svg)
  --podman FILE           Podman's default profile; also SECCOMPC_BENCH_PODMAN, or as Debian installs it
`;

/** Undefined when help was asked for. @throws Error for anything it does not know */
export function readOptions(args: string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    args,
    options: {
      only: text,
      rounds: text,
      libseccomp: text,
      docker: text,
      podman: text,
      picture: text,
      'growth-picture': text,
      json: flag,
      help: flag,
    },
  });
  if (values.help) return undefined;
  const rounds = Number(values.rounds ?? 300);
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${values.rounds}: give a number`);
  const library = values.libseccomp ?? 'newest';
  if (library !== 'newest' && library !== 'system')
    throw new Error(`--libseccomp ${library}: newest or system`);
  return {
    parts: values.only === undefined ? [...PARTS] : values.only.split(',').map(partNamed),
    rounds,
    json: values.json ?? false,
    library,
    docker: values.docker ?? process.env['SECCOMPC_BENCH_DOCKER'],
    podman: values.podman ?? process.env['SECCOMPC_BENCH_PODMAN'],
    picture: values.picture,
    growthPicture: values['growth-picture'],
  };
}

function partNamed(name: string): Part {
  const part = PARTS.find((p) => p === name);
  if (part === undefined) throw new Error(`--only ${name}: there is ${PARTS.join(', ')}`);
  return part;
}
