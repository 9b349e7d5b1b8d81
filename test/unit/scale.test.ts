/**
 * The simulation of a fleet: the same at every run, right where the answer is known, and what
 * docs/scale.md shows.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PARAMETERS } from '../bench/fleet/parameters.ts';
import { picturesOf, rollOutCells, runsOf, tablesOf } from '../bench/fleet/scale.ts';
import { simulate } from '../bench/fleet/simulate.ts';
import type { Scenario } from '../bench/fleet/simulate.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const page = readFileSync(join(DOCS, 'scale.md'), 'utf8');
const HOSTS = 1000;
const USED = 8;
const scenario = (others: Partial<Scenario>): Scenario => ({
  path: 'redis',
  hosts: HOSTS,
  jitter: 600,
  coalesced: true,
  ...others,
});

describe('the simulation', () => {
  it('gives the same figures again, and others from another seed', () => {
    const asked = scenario({ path: 'caches', jitter: 5, coalesced: false });
    expect(simulate(asked)).toEqual(simulate(asked));
    expect(simulate(asked, 2)).not.toEqual(simulate(asked));
  });

  it('brings every host each of its filters once, with the work that this is', () => {
    const { lookUps, late, serverTime, compiled, hostTime, perSecond } = simulate(scenario({}));
    expect([lookUps, late, compiled]).toEqual([HOSTS * USED, 0, 0]);
    expect(serverTime).toBeCloseTo(HOSTS * USED * 143e-6, 6);
    expect(hostTime).toBeCloseTo(HOSTS * USED * 2.41 * 19.7e-3, 6);
    const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
    expect(sum(perSecond.asked)).toBe(lookUps);
    expect(perSecond.found).toEqual(perSecond.asked);
  });

  it('lets a host compile what is late, and never start without a filter', () => {
    const { lookUps, late, compiled, waits, end } = simulate(scenario({ path: 'postgres', jitter: 0 }));
    expect(late).toBeGreaterThan(0);
    expect(compiled).toBe(late);
    expect(waits.longest).toBeCloseTo(1.174, 9);
    expect(waits.count).toBeGreaterThanOrEqual(lookUps);
    expect(end).toBeLessThan(30);
    const own = simulate(scenario({ path: 'own', jitter: 0 }));
    expect([own.lookUps, own.compiled]).toEqual([0, HOSTS * USED]);
  });

  it('asks the registry once for each filter of a zone, and more often without coalescing', () => {
    const asks = (coalesced: boolean) =>
      simulate(scenario({ path: 'caches', jitter: 0, coalesced })).perSecond.last.reduce((a, b) => a + b, 0);
    // 5600 and 2400 draws of 1000 profiles, for two architectures.
    const distinct = 1000 * (2 - Math.exp(-5.6) - Math.exp(-2.4));
    expect(Math.abs(asks(true) / distinct - 1)).toBeLessThan(0.03);
    expect(asks(false)).toBeGreaterThan(asks(true));
  });
});

describe('docs/scale.md', () => {
  it('has the tables that the simulation prints', () => {
    const { parameters, starts, least, sizes } = tablesOf(runsOf(HOSTS));
    for (const table of [parameters, starts, least, sizes]) expect(page).toContain(table);
    const run = scenario({ hosts: 100_000, jitter: 120 });
    const cells = rollOutCells({ scenario: run, outcome: simulate(run) });
    expect(page).toContain(`| ${cells.join(' | ')} |\n`);
  });

  it('shows the pictures that the simulation draws', () => {
    for (const name of Object.keys(picturesOf(runsOf(100)))) {
      expect(page).toContain(`](${name})`);
      expect(existsSync(join(DOCS, name))).toBe(true);
    }
  });

  it('takes each figure from the page that it names', () => {
    const missing = Object.values(PARAMETERS).filter(({ value, source }) => {
      if (source === 'assumed') return false;
      const text = readFileSync(join(DOCS, source), 'utf8');
      return !new RegExp(`\\b${String(value).replace('.', '\\.')}0?\\b`).test(text);
    });
    expect(missing).toEqual([]);
  });
});
