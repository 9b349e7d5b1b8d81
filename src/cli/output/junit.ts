import { printable } from './text.ts';

/** A test that passed, or what is wrong: `failure` was found, `error` could not be found out. */
export interface JunitCase {
  name: string;
  problem?: { kind: 'failure' | 'error'; message: string };
}

export interface JunitSuite {
  name: string;
  cases: readonly JunitCase[];
}

/** A test report in the XML that CI systems read. */
export function junitReport(suites: readonly JunitSuite[]): string {
  const all = suites.flatMap(({ cases }) => cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${countsOf(all)}>`,
    ...suites.flatMap(({ name, cases }) => [
      `  <testsuite name="${xml(name)}" ${countsOf(cases)}>`,
      ...cases.map(({ name: title, problem }) => {
        const begin = `    <testcase classname="${xml(name)}" name="${xml(title)}"`;
        if (problem === undefined) return `${begin}/>`;
        return `${begin}>\n      <${problem.kind} message="${xml(problem.message)}"/>\n    </testcase>`;
      }),
      '  </testsuite>',
    ]),
    '</testsuites>',
    '',
  ].join('\n');
}

function countsOf(cases: readonly JunitCase[]): string {
  const count = (kind: string) => cases.filter(({ problem }) => problem?.kind === kind).length;
  return `tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}"`;
}

function xml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return printable(text).replaceAll(/[&<>"]/g, (character) => entities[character]!);
}
