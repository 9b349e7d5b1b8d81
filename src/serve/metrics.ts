/** The counters of the server, in the text format of Prometheus (version 0.0.4). */

/** Seconds; the upper bounds of the histogram. Most profiles take a few hundredths. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const ROUTES = ['compile', 'filters', 'healthz', 'metrics', 'none'] as const;
export type Route = (typeof ROUTES)[number];

/** A value that is read for each answer. */
interface Gauge {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  read: () => number;
}

export interface Metrics {
  /** Answered requests, by route and status. */
  request(route: Route, status: number): void;
  /**
   * Compile requests that were answered with a filter, by where it came from: `memory`, a store,
   * `none`.
   */
  filter(tier: string): void;
  /** Compile requests whose profile was refused, by whether the refusal was in memory. */
  refused(remembered: boolean): void;
  /** Seconds that a filter took which was not in memory, waiting included. */
  compiled(seconds: number): void;
  cacheFault(): void;
  /** A request failed by a fault of ours. */
  crashed(): void;
  render(): string;
}

export function makeMetrics(gauges: readonly Gauge[]): Metrics {
  // An array for each route, indexed by status: this is on the path of every hit.
  const requests = new Map<Route, number[]>(ROUTES.map((route) => [route, []]));
  const tiers = new Map<string, number>();
  const buckets = BOUNDS.map(() => 0);
  const refusals = { compiler: 0, memory: 0 };
  let [count, sum, faults, crashes] = [0, 0, 0, 0];
  return {
    request(route, status) {
      const statuses = requests.get(route)!;
      statuses[status] = (statuses[status] ?? 0) + 1;
    },
    filter: (tier) => void tiers.set(tier, (tiers.get(tier) ?? 0) + 1),
    refused: (remembered) => void (refusals[remembered ? 'memory' : 'compiler'] += 1),
    compiled(seconds) {
      count += 1;
      sum += seconds;
      BOUNDS.forEach((bound, index) => (buckets[index]! += seconds <= bound ? 1 : 0));
    },
    cacheFault: () => void (faults += 1),
    crashed: () => void (crashes += 1),
    render() {
      const answered = ROUTES.flatMap((route) =>
        Object.entries(requests.get(route)!).map(([status, n]) => `{route="${route}",code="${status}"} ${n}`),
      );
      const histogram = 'seccompc_compile_seconds';
      return [
        ...family('seccompc_requests_total', 'counter', 'Requests, by route and status.', answered),
        ...family(
          'seccompc_filters_total',
          'counter',
          'Compile requests answered with a filter, by where it came from.',
          [...tiers].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([tier, n]) => `{tier="${tier}"} ${n}`),
        ),
        ...family(
          'seccompc_refusals_total',
          'counter',
          'Compile requests whose profile was refused, by where the refusal came from.',
          Object.entries(refusals).map(([origin, n]) => `{origin="${origin}"} ${n}`),
        ),
        ...family('seccompc_cache_faults_total', 'counter', 'Times that the cache could not be used.', [
          ` ${faults}`,
        ]),
        ...family('seccompc_crashes_total', 'counter', 'Requests that failed by a fault of seccompc.', [
          ` ${crashes}`,
        ]),
        ...family(histogram, 'histogram', 'Time of a filter that was not in memory, waiting included.', []),
        ...BOUNDS.map((bound, index) => `${histogram}_bucket{le="${bound}"} ${buckets[index]}`),
        `${histogram}_bucket{le="+Inf"} ${count}`,
        `${histogram}_sum ${sum}`,
        `${histogram}_count ${count}`,
        ...gauges.flatMap(({ name, type, help, read }) => family(name, type, help, [` ${read()}`])),
        '',
      ].join('\n');
    },
  };
}

function family(name: string, type: string, help: string, samples: readonly string[]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.map((text) => `${name}${text}`)];
}
