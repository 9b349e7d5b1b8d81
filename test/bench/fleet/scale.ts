/** The tables and pictures of docs/scale.md. */
import { diagram, sheet } from '../diagram.ts';
import type { Point } from '../diagram.ts';
import { bars } from '../bars.ts';
import { PARAMETERS, valueOf } from './parameters.ts';
import { simulate } from './simulate.ts';
import type { Outcome, Path, Scenario } from './simulate.ts';

const PATHS: Record<Path, string> = {
  own: 'each host compiles',
  redis: 'Redis, Valkey',
  postgres: 'PostgreSQL',
  registry: 'registry',
  caches: 'registry, pull-through caches',
};
const JITTERS = [0, 120, 600];
/** Of the roll-outs without coalescing. */
const APART = 120;
const SIZES = [100, 1000, 10_000, 100_000];
const ALL = Object.keys(PATHS) as Path[];

export interface Run {
  scenario: Scenario;
  outcome: Outcome;
}

/**
 * What the pages show: roll-outs by path and jitter, by size of the fleet, and without coalescing.
 */
export function runsOf(most: number): { rollOuts: Run[]; sizes: Run[]; apart: Run[] } {
  const run = (scenario: Scenario): Run => ({ scenario, outcome: simulate(scenario) });
  const hosts = most;
  const coalesced = true;
  const sizes = SIZES.filter((size) => size <= most);
  return {
    rollOuts: ALL.flatMap((path) => JITTERS.map((jitter) => run({ path, hosts, jitter, coalesced }))),
    sizes: ALL.slice(1).flatMap((path) =>
      sizes.map((size) => run({ path, hosts: size, jitter: 0, coalesced })),
    ),
    apart: (['own', 'postgres', 'caches'] as const).map((path) =>
      run({ path, hosts, jitter: APART, coalesced: false }),
    ),
  };
}

type Runs = ReturnType<typeof runsOf>;

/** Processor time of one start, in milliseconds: what each way of delivery pays again and again. */
const STARTS: readonly [way: string, own: boolean, cost: number][] = [
  ['runc, JSON', false, valueOf('runcJson')],
  ['crun, JSON', false, valueOf('crunJson')],
  ['crun with its own cache, JSON', false, valueOf('crunWarm')],
  ['crun, filter in the bundle', true, valueOf('crunFilter')],
  ['crun behind the runtime', true, valueOf('crunFilter') + valueOf('wrapper')],
  ['the command, hot tier', true, valueOf('crunFilter') + valueOf('nodeStart') * valueOf('hot')],
  ['the command, SQLite', true, valueOf('crunFilter') + valueOf('nodeStart') * valueOf('sqlite')],
  ['the command, compile', true, valueOf('crunFilter') + valueOf('nodeStart') * valueOf('compile')],
];

const startsPerSecond = (hosts: number) => hosts * valueOf('starts');

/** By the names of their places in docs/scale.md. */
export function tablesOf({ rollOuts, sizes, apart }: Runs): Record<string, string> {
  const hosts = valueOf('hosts');
  return {
    parameters: table(
      ['figure', 'value', 'source'],
      Object.values(PARAMETERS).map(({ what, value, unit, source }) => [
        what,
        `${number(value)} ${unit}`.trim(),
        source === 'assumed' ? source : `[${source}](${source})`,
      ]),
    ),
    starts: table(
      ['start', 'ms of a processor', `cores for ${number(startsPerSecond(hosts))} starts/s`],
      STARTS.map(([way, , cost]) => [way, cost.toFixed(1), number((startsPerSecond(hosts) * cost) / 1000)]),
    ),
    rollout: table(['path', 'jitter, s', ...OUTCOME_HEAD], rollOuts.map(rollOutCells)),
    apart: table(
      [`path, jitter ${APART} s`, ...OUTCOME_HEAD],
      apart.map(({ scenario: { path }, outcome }) => [PATHS[path], ...outcomeCells(outcome)]),
    ),
    sizes: sizesTable(sizes),
    least: leastTable(),
  };
}

/** Shares that were answered in time, by the size of the fleet, without jitter. */
function sizesTable(sizes: readonly Run[]): string {
  const all = [...new Set(sizes.map(({ scenario }) => scenario.hosts))];
  return table(
    ['hosts', ...ALL.slice(1).map((path) => PATHS[path])],
    all.map((hosts) => [number(hosts), ...sizes.filter(({ scenario }) => scenario.hosts === hosts).map(({ outcome }) => inTime(outcome))]), // prettier-ignore
  );
}

/** What each kind of server answers, and the jitter that it needs. */
function leastTable(): string {
  const hosts = valueOf('hosts');
  const used = valueOf('used');
  const pull = (valueOf('requests') - 1) * valueOf('manifest') + valueOf('blob');
  // Distinct filters that a zone asks for, of each architecture.
  const { zone, arm, profiles } = PARAMETERS;
  const distinct = [arm.value, 100 - arm.value]
    .map((share) => profiles.value * (1 - Math.exp((-zone.value * used * share) / 100 / profiles.value)))
    .reduce((a, b) => a + b);
  const rows: [string, cores: number, micro: number, lookUps: number, alone: boolean][] = [
    [PATHS.redis, valueOf('redisCores'), valueOf('redis'), hosts * used, true],
    [PATHS.postgres, valueOf('postgresCores'), valueOf('postgres'), hosts * used, true],
    [PATHS.registry, valueOf('registryCores'), pull, hosts * used, true],
    ['each pull-through cache', valueOf('cacheCores'), pull, zone.value * used, true],
    ['the registry behind them', valueOf('registryCores'), pull, (hosts / zone.value) * distinct, false],
  ];
  return table(
    ['server', 'look-ups/s', 'look-ups of a roll-out', 'least jitter, s', 'hosts without jitter'],
    rows.map(([name, cores, micro, lookUps, alone]) => {
      const most = (cores * 1e6) / micro;
      const all = alone ? number(Math.floor((most * valueOf('deadline')) / used)) : '-';
      return [name, number(most), number(lookUps), number(Math.ceil(lookUps / most)), all];
    }),
  );
}

/** A row of the table of roll-outs. */
export function rollOutCells({ scenario: { path, jitter }, outcome }: Run): string[] {
  return [PATHS[path], number(jitter), ...outcomeCells(outcome)];
}

const OUTCOME_HEAD = [
  'look-ups', 'most in a second', 'in time', 'compiled on hosts', 'core hours of hosts', 'core hours of servers',
  'wait: median, ms', '99 %, ms', 'longest, ms', 'done after, s',
]; // prettier-ignore

function outcomeCells(outcome: Outcome): string[] {
  const { lookUps, perSecond, serverTime, compiled, hostTime, waits, end } = outcome;
  return [
    number(lookUps),
    number(Math.max(0, ...perSecond.last)),
    inTime(outcome),
    number(compiled),
    hours(hostTime),
    hours(serverTime),
    ...[waits.median, waits.p99, waits.longest].map((seconds) => number(seconds * 1000)),
    number(end),
  ];
}

const hours = (seconds: number) => number(seconds / 3600);

function inTime({ lookUps, late }: Outcome): string {
  return lookUps === 0 ? '-' : `${number(((lookUps - late) / lookUps) * 100)} %`;
}

/** Three digits that count; thousands apart. */
function number(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded >= 1000 ? String(rounded).replaceAll(/\B(?=(?:\d{3})+$)/g, ',') : String(rounded);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return [head, head.map((_, at) => (at === 0 ? '---' : '---:')), ...rows].map(line).join('');
}

/** By the names of their files in docs/. */
export function picturesOf({ rollOuts, sizes }: Runs): Record<string, string> {
  const hosts = valueOf('hosts');
  const cost = { title: `Cores for ${number(startsPerSecond(hosts))} container starts a second`, unit: '' };
  const values = STARTS.map(([name, own, ms]) => ({
    name,
    own,
    value: (startsPerSecond(hosts) * ms) / 1000,
  }));
  const seconds = { from: 0, to: 0, ticks: [] as number[], linear: true as const };
  return {
    'scale-starts.svg': bars('What a container start costs a fleet', [{ ...cost, values }], 210),
    'scale-rollout.svg': sheet(
      'Look-ups of a roll-out, second by second',
      JITTERS.map((jitter) => {
        const to = jitter + 20;
        const x = { ...seconds, to, ticks: [0, to / 2, to] };
        const y = { from: 1, to: 1e6, ticks: [1, 100, 10_000, 1_000_000] };
        return {
          heading: `Look-ups a second (green: answered in time), ${jitter === 0 ? 'without jitter' : `jitter of ${jitter} s`}`,
          diagrams: rollOuts
            .filter(({ scenario }) => scenario.jitter === jitter && scenario.path !== 'own')
            .map(({ scenario: { path }, outcome: { perSecond } }) => {
              const line = (name: string, counts: readonly number[]) => ({
                name,
                points: counts
                  .slice(0, to + 1)
                  .flatMap((count, at): Point[] => (count > 0 ? [[at, count]] : [])),
              });
              return diagram(PATHS[path], { x, y }, [
                line('other', perSecond.asked),
                line('own', perSecond.found),
              ]);
            }),
        };
      }),
    ),
    'scale-fleets.svg': sheet('Roll-outs without jitter, by the size of the fleet', [
      {
        heading: 'Look-ups that are answered in time, in %, by hosts',
        diagrams: ALL.slice(1).map((path) =>
          diagram(
            PATHS[path],
            {
              x: { from: 100, to: 100_000, ticks: [100, 1000, 10_000, 100_000] },
              y: { from: 0, to: 100, ticks: [0, 50, 100], linear: true },
            },
            [
              {
                name: 'own',
                points: sizes
                  .filter(({ scenario }) => scenario.path === path)
                  .map(({ scenario, outcome: { lookUps, late } }): Point => [
                    scenario.hosts,
                    ((lookUps - late) / lookUps) * 100,
                  ]),
              },
            ],
          ),
        ),
      },
    ]),
  };
}

/**
 * Puts tables into the places of a page that are marked for them.
 * @throws RangeError for a table without a place
 */
export function withTables(page: string, tables: Readonly<Record<string, string>>): string {
  let text = page;
  for (const [name, content] of Object.entries(tables)) {
    const [begin, end] = [
      `<!-- Made by "npm run simulate:fleet": ${name} -->\n`,
      '<!-- End of what is made -->',
    ];
    const from = text.indexOf(begin) + begin.length;
    const to = text.indexOf(end, from);
    if (from < begin.length || to < 0) throw new RangeError(`the page has no place for "${name}"`);
    text = `${text.slice(0, from)}\n${content}\n${text.slice(to)}`;
  }
  return text;
}
