/**
 * A roll-out to a fleet, event by event: every profile changes, and the first start with each on
 * each host misses.
 *
 * A start that finds its filter meets no other one, so such starts are counted and make no events.
 * Starts of one profile on one host are a Poisson process: the first after the host has heard of
 * the roll-out comes after an exponential time. There is no clock and no chance but the seed's, so
 * a scenario has one outcome.
 */
import { valueOf } from './parameters.ts';

/** Where a host asks for a filter that it has not. `own`: nowhere, it compiles. */
export type Path = 'own' | 'redis' | 'postgres' | 'registry' | 'caches';

export interface Scenario {
  path: Path;
  hosts: number;
  /** Seconds over which the hosts hear of the roll-out, evenly. */
  jitter: number;
  /** Whether a host, and a pull-through cache, asks once for a filter however many wait for it. */
  coalesced: boolean;
}

export interface Outcome {
  /** Of hosts. */
  lookUps: number;
  /**
   * Look-ups in each second: of hosts, those of them that are answered in time, and those that
   * reach the last server.
   */
  perSecond: { asked: number[]; found: number[]; last: number[] };
  /** Processor seconds of the servers. */
  serverTime: number;
  /** Look-ups without an answer within the deadline; the host compiles then. */
  late: number;
  /** Filters that hosts compile. */
  compiled: number;
  /** Processor seconds of the hosts, for look-ups and compilations. */
  hostTime: number;
  /** What starts wait for, in seconds, of those that wait. */
  waits: { count: number; median: number; p99: number; longest: number };
  /** Seconds until every host has every filter. */
  end: number;
}

/** Servers that take requests in the order of their coming. */
class Queue {
  readonly #free: Float64Array;
  time = 0;

  constructor(cores: number) {
    this.#free = new Float64Array(cores);
  }

  /** When a request that comes at `at` is done, in seconds. */
  done(at: number, work: number): number {
    const free = this.#free;
    let first = 0;
    for (let core = 1; core < free.length; core++) if (free[core]! < free[first]!) first = core;
    this.time += work;
    return (free[first] = Math.max(free[first]!, at) + work);
  }
}

/** Mulberry32: numbers from 0 to below 1. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Times to come, the earliest first. */
class Agenda {
  readonly #heap: { at: number; slot: number }[] = [];

  get next(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  push(at: number, slot: number): void {
    const heap = this.#heap;
    let place = heap.push({ at, slot }) - 1;
    for (let above = (place - 1) >> 1; place > 0 && heap[above]!.at > at; above = (place - 1) >> 1) {
      heap[place] = heap[above]!;
      heap[above] = { at, slot };
      place = above;
    }
  }

  pop(): { at: number; slot: number } {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && heap[below + 1]!.at < heap[below]!.at) below++;
      if (heap[below]!.at >= last.at) break;
      heap[place] = heap[below]!;
      place = below;
    }
    heap[place] = last;
    return first;
  }
}

const MILLI = 1e-3;
const MICRO = 1e-6;
/** Filters of all hosts together. */
const MOST_SLOTS = 2 ** 21;

function count(seconds: number[], at: number): void {
  const second = Math.floor(at);
  while (seconds.length <= second) seconds.push(0);
  seconds[second]! += 1;
}

/**
 * How a filter is had from elsewhere: when the answer to a look-up at `at` by a slot is there, in
 * seconds.
 */
function lookUpBy(scenario: Scenario, filterOf: (slot: number) => number) {
  const { path, hosts, coalesced } = scenario;
  const near = valueOf('roundTrip') * MILLI;
  const far = valueOf('farTrip') * MILLI;
  const pull = ((valueOf('requests') - 1) * valueOf('manifest') + valueOf('blob')) * MICRO;
  const origin = new Queue(
    { own: 1, redis: valueOf('redisCores'), postgres: valueOf('postgresCores'), registry: valueOf('registryCores'), caches: valueOf('registryCores') }[path], // prettier-ignore
  );
  const last: number[] = [];
  if (path !== 'caches') {
    const [work, trip] = {
      own: [0, 0],
      redis: [valueOf('redis') * MICRO, near],
      postgres: [valueOf('postgres') * MICRO, near],
      registry: [pull, valueOf('requests') * far],
    }[path] as [number, number];
    const lookUp = (at: number) => {
      count(last, at);
      return origin.done(at + trip / 2, work) + trip / 2;
    };
    return { lookUp, last, serverTime: () => origin.time };
  }
  const zones = Array.from({ length: Math.ceil(hosts / valueOf('zone')) }, () => ({
    queue: new Queue(valueOf('cacheCores')),
    /** When each filter is there. */
    has: new Map<number, number>(),
  }));
  const slotsOfZone = valueOf('zone') * valueOf('used');
  const lookUp = (at: number, slot: number) => {
    const { queue, has } = zones[Math.floor(slot / slotsOfZone)]!;
    const filter = filterOf(slot);
    let there = has.get(filter);
    // Without coalescing, each request that comes before the first answer goes on to the registry.
    if (there === undefined || (!coalesced && there > at)) {
      count(last, at);
      const fetched = origin.done(at + far / 2, pull) + (valueOf('requests') - 0.5) * far;
      there ??= fetched;
      has.set(filter, there);
    }
    return Math.max(queue.done(at + near / 2, pull), there) + (valueOf('requests') - 0.5) * near;
  };
  const zoneTime = () => zones.reduce((sum, { queue }) => sum + queue.time, 0);
  return { lookUp, last, serverTime: () => origin.time + zoneTime() };
}

export function simulate(scenario: Scenario, seed = 1): Outcome {
  const { path, hosts, jitter, coalesced } = scenario;
  const random = randomFrom(seed);
  const used = valueOf('used');
  const slots = hosts * used;
  if (slots > MOST_SLOTS) throw new RangeError(`${hosts} hosts are too many`);
  const mean = used / valueOf('starts');
  const later = () => -Math.log(1 - random()) * mean;
  const first = new Float64Array(slots);
  const filters = new Uint16Array(slots);
  for (let host = 0; host < hosts; host++) {
    const heard = random() * jitter;
    const arch = random() * 100 < valueOf('arm') ? 1 : 0;
    for (let slot = host * used; slot < (host + 1) * used; slot++) {
      first[slot] = heard + later();
      filters[slot] = 2 * Math.floor(random() * valueOf('profiles')) + arch;
    }
  }
  // Microseconds and slot in one number, which sorts by itself.
  const order = first.map((at, slot) => Math.floor(at / MICRO) * MOST_SLOTS + slot).toSorted();

  const { lookUp, last, serverTime } = lookUpBy(scenario, (slot) => filters[slot]!);
  const deadline = valueOf('deadline');
  // A process of the command, as it takes from a store on the host.
  const found = valueOf('nodeStart') * valueOf('sqlite') * MILLI;
  const compile = valueOf('nodeStart') * valueOf('compile') * MILLI;
  const ready = new Float64Array(slots).fill(Infinity);
  const again = new Agenda();
  const [asked, answered]: [number[], number[]] = [[], []];
  const waits: number[] = [];
  let [lookUps, late, compiled, end] = [0, 0, 0, 0];

  const miss = (at: number, slot: number) => {
    let done = at;
    let isFound = false;
    if (path !== 'own') {
      lookUps += 1;
      count(asked, at);
      done = lookUp(at, slot);
      isFound = done <= at + deadline;
      if (isFound) count(answered, at);
      else {
        late += 1;
        done = at + deadline;
      }
    }
    if (!isFound) compiled += 1;
    done += isFound ? found : valueOf('missTime') * MILLI;
    ready[slot] = Math.min(ready[slot]!, done);
    end = Math.max(end, ready[slot]);
    waits.push(ready[slot] - at);
    // The next start of the same profile on the same host.
    for (let next = at + later(); next < ready[slot]; next += later()) {
      if (!coalesced) {
        again.push(next, slot);
        break;
      }
      waits.push(ready[slot] - next);
    }
  };
  for (let place = 0; place < slots || again.next < Infinity;) {
    const slot = order[place]! % MOST_SLOTS;
    if (place < slots && first[slot]! <= again.next) {
      place += 1;
      miss(first[slot]!, slot);
    } else {
      const next = again.pop();
      miss(next.at, next.slot);
    }
  }
  const sorted = Float64Array.from(waits).toSorted();
  const part = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    lookUps,
    perSecond: { asked, found: answered, last },
    serverTime: serverTime(),
    late,
    compiled,
    hostTime: compiled * compile + (lookUps - late) * found,
    waits: { count: sorted.length, median: part(0.5), p99: part(0.99), longest: part(1) },
    end,
  };
}
