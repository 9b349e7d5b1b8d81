/**
 * What the simulation of a fleet starts from: measured figures of this project, and assumptions,
 * each with its source.
 */

export interface Parameter {
  value: number;
  unit: string;
  what: string;
  /** A page of docs/, or "assumed". */
  source: string;
}

const parameter = (value: number, unit: string, what: string, source: string): Parameter => ({
  value,
  unit,
  what,
  source,
});
const assumed = (value: number, unit: string, what: string) => parameter(value, unit, what, 'assumed');

export const PARAMETERS = {
  runcJson: parameter(9.6, 'ms', 'runc 1.1.5, JSON, 3 architectures', 'performance.md'),
  crunJson: parameter(9.4, 'ms', 'crun 1.8.1, JSON, 3 architectures', 'performance.md'),
  crunWarm: parameter(0.8, 'ms', 'crun 1.21, its own cache warm', 'performance.md'),
  crunFilter: parameter(0.5, 'ms', 'crun 1.8.1, filter in an annotation', 'performance.md'),
  wrapper: parameter(1.8, 'ms', 'the runtime in front of crun, a hit', 'runtime.md'),
  nodeStart: parameter(19.7, 'ms', 'start of Node 20', 'performance.md'),
  hot: parameter(1.21, 'of that', 'the command, hot tier', 'performance.md'),
  sqlite: parameter(2.41, 'of that', 'the command, from SQLite', 'performance.md'),
  compile: parameter(3.96, 'of that', 'the command, compile and prove', 'performance.md'),
  missTime: parameter(174, 'ms', 'a miss, with compilation and proof, wall', 'oci.md'),
  redis: parameter(143, 'µs', 'Redis, a connection and a record', 'performance.md'),
  postgres: parameter(5783, 'µs', 'PostgreSQL, a connection and a record', 'performance.md'),
  manifest: parameter(1063, 'µs', 'docker-registry, a manifest', 'performance.md'),
  blob: parameter(2837, 'µs', 'docker-registry, a blob', 'performance.md'),
  hosts: assumed(100_000, '', 'hosts'),
  starts: assumed(10, 'a second', 'starts of containers on each host'),
  used: assumed(8, '', 'profiles that a host uses, equally often'),
  profiles: assumed(1000, '', 'profiles of the fleet, all changed by a roll-out'),
  arm: assumed(30, '%', 'hosts with arm64; the others have x86_64'),
  roundTrip: assumed(0.5, 'ms', 'round trip within a zone, to a store or a pull-through cache'),
  farTrip: assumed(5, 'ms', 'round trip from a zone to the registry'),
  requests: assumed(3, '', 'requests of a pull: list of referrers and manifest, each as a manifest; blob'),
  deadline: assumed(1, 's', 'wait for a look-up; then the host compiles'),
  redisCores: assumed(1, '', 'cores of Redis, which has one thread'),
  postgresCores: assumed(16, '', 'cores of PostgreSQL'),
  registryCores: assumed(16, '', 'cores of the registry'),
  cacheCores: assumed(4, '', 'cores of a pull-through cache'),
  zone: assumed(1000, '', 'hosts of a zone, which share a pull-through cache'),
} satisfies Record<string, Parameter>;

export type Name = keyof typeof PARAMETERS;
export const valueOf = (name: Name): number => PARAMETERS[name].value;
