/**
 * The GitHub action, the job for GitLab and the hook for pre-commit, run as those programs run
 * them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { scratch } from './run.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = scratch();
const FAULTY =
  '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALOW" }]\n}\n';
const ALLOWS = '{ "defaultAction": "SCMP_ACT_ALLOW" }\n';

interface Action {
  inputs: Record<string, { default: string }>;
  runs: { using: string; steps: { shell: string; env: Record<string, string>; run: string }[] };
}

/**
 * Runs the step as a runner does: inputs by their defaults or as given, in the folder of the
 * checkout.
 */
function runAction(inputs: Record<string, string>): { code: number | null; stdout: string; stderr: string } {
  const action = parse(readFileSync(join(ROOT, 'action.yml'), 'utf8')) as Action;
  expect(action.runs).toMatchObject({ using: 'composite', steps: [{ shell: 'bash' }] });
  const [step] = action.runs.steps;
  const value = (text: string) =>
    text.replaceAll(
      /\$\{\{ inputs\.([\w-]+) \}\}/g,
      (_, name: string) => inputs[name] ?? action.inputs[name]!.default,
    );
  const env = Object.fromEntries(Object.entries(step!.env).map(([name, text]) => [name, value(text)]));
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step!.run],
    {
      cwd: folder,
      env: { ...process.env, npm_config_cache: join(folder, '.npm'), npm_config_offline: 'true', ...env },
      encoding: 'utf8',
    },
  );
  return { code: status, stdout, stderr };
}

const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
  cwd: ROOT,
  encoding: 'utf8',
}).trim();

describe('the GitHub action', () => {
  const inputs = { package: join(folder, packed), profiles: 'seccomp' };
  mkdirSync(join(folder, 'seccomp/deep'), { recursive: true });

  it('marks the line of a fault, and the assertion that does not hold', () => {
    writeFileSync(join(folder, 'seccomp/deep/faulty.json'), FAULTY);
    writeFileSync(join(folder, 'seccomp/open.json'), ALLOWS);
    writeFileSync(join(folder, 'seccomp/open.assert'), '# the host\ndeny ptrace\n');
    const { code, stdout } = runAction({ ...inputs, profiles: 'seccomp' });
    expect(code).toBe(65);
    expect(stdout).toContain('::error file=seccomp/deep/faulty.json,line=3,col=47,title=UNKNOWN_ACTION::');
    expect(stdout).toContain('::error file=seccomp/open.assert,line=2,col=1,title=ASSERTION_BROKEN::');
  });

  it('passes where nothing is found', () => {
    writeFileSync(join(folder, 'seccomp/deep/faulty.json'), '{ "name": "no profile" }');
    writeFileSync(join(folder, 'seccomp/open.assert'), 'allow ptrace\n');
    expect(runAction({ ...inputs, profiles: 'seccomp', 'fail-on': 'error' })).toMatchObject({ code: 0 });
  });

  it('takes no part of an input for a command', () => {
    const { code } = runAction({ ...inputs, profiles: '$(touch made) ; touch made' });
    expect(code).not.toBe(0);
    expect(() => readFileSync(join(folder, 'made'))).toThrow('ENOENT');
  });
});

describe('the job for GitLab in docs/review.md', () => {
  it('fails for a fault, and leaves the report that it names', () => {
    const page = readFileSync(join(ROOT, 'docs/review.md'), 'utf8');
    const [, yaml = ''] = /## GitLab\n\n```yaml\n([^]*?)```/.exec(page)!;
    const { profiles } = parse(yaml) as {
      profiles: { script: string[]; artifacts: { reports: { junit: string } } };
    };
    mkdirSync(join(folder, 'job/seccomp'), { recursive: true });
    writeFileSync(join(folder, 'job/seccomp/faulty.json'), FAULTY);
    const env = { ...process.env, npm_config_cache: join(folder, '.npm'), npm_config_offline: 'true' };
    const script = profiles.script
      .map((line) => line.replace(/seccompc@[\d.]+/, `--package ${join(folder, packed)} seccompc`))
      .join('\n');
    const { status } = spawnSync('sh', ['-e', '-c', script], { cwd: join(folder, 'job'), env });
    expect(status).toBe(65);
    const report = readFileSync(join(folder, 'job', profiles.artifacts.reports.junit), 'utf8');
    expect(report).toMatch(/<testcase[^>]*UNKNOWN_ACTION at 3:47">\s*<error /);
  });
});

describe('the hook of pre-commit', () => {
  it('names a command of the package that checks the files it gets', () => {
    const [hook] = parse(readFileSync(join(ROOT, '.pre-commit-hooks.yaml'), 'utf8')) as {
      entry: string;
      files: string;
      language: string;
    }[];
    expect(hook!.language).toBe('node');
    expect('config/seccomp/web.json').toMatch(new RegExp(hook!.files));
    const [program = '', ...words] = hook!.entry.split(' ');
    const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    writeFileSync(join(folder, 'faulty.json'), FAULTY);
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(ROOT, bin[program]!), ...words, 'faulty.json'],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    expect({ status, stdout }).toMatchObject({
      status: 65,
      stdout: expect.stringContaining('faulty.json:3:47: error'),
    });
  });
});
