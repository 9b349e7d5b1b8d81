/**
 * Records what a start needs, into syscall-tables/starts.tsv: which calls a runtime, the loader and
 * libc make after the filter is on (strace), and what happens when one of them is refused.
 * syscall-tables/README.md has the method.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { configText, makeFolder, mountCgroup2 } from '../e2e/oci/containers.ts';
import { ENTER, makeDebianTree } from '../e2e/oci/debian.ts';

/**
 * Arguments that a profile can test and that do not depend on the program. The others are not kept.
 */
const ARGUMENTS: Record<string, number[]> = {
  arch_prctl: [0], clone: [0], fcntl: [1], ioctl: [1], madvise: [2], mmap: [2, 3], mprotect: [2], open: [1], openat: [2],
  personality: [0], prctl: [0], prlimit64: [1], socket: [0, 1, 2],
}; // prettier-ignore
const EPERM = { action: 'SCMP_ACT_ERRNO', errnoRet: 1 };
const ENOSYS = { action: 'SCMP_ACT_ERRNO', errnoRet: 38 };
const REFUSALS = [EPERM, ENOSYS, { action: 'SCMP_ACT_KILL_PROCESS' }];
/** Refused calls in a row of which the last one's stand-ins are tried. */
const MOST_INSTEAD = 2;
/** Signals and threads of runc are not the same in each run, so all calls of so many are taken. */
const RUNS = 6;
/** Debian's suites whose packages are recorded besides those of this machine. */
const SUITES = ['trixie', 'sid'];
const PACKAGES = ['crun', 'runc', 'musl'];

/** Numbers of arguments, by index; those that are not kept are missing. */
interface Call {
  name: string;
  args: Record<number, number>;
  /** Whether it was made in every run. */
  always: boolean;
}

interface Outcome {
  starts: boolean;
  symptom: string;
}

/** Starts a program below a seccomp object, with strace's files in `trace`. */
type Start = (seccomp: object, trace?: string) => Outcome;

/** What is recorded: the calls before the program is executed, or those from then on. */
interface Subject {
  part: string;
  release: string;
  /** `no_new_privs`, `privileges` or `-`. */
  setting: string;
  start: Start;
}

const HEAD = `# What the start of a container needs, recorded by test/record/starts.ts (npm run record:starts); see README.md.
#
# part: whose calls they are: a runtime's between the load of the filter and the execve of the program, or those of a
#   program that returns at once, with its loader and C library (static: linked with glibc)
# release: of the runtime or the C library; "-" for "seccompc exec"
# setting: no_new_privs (the runtime loads the filter last) or privileges (before it drops capabilities); "-": no difference
# call, arguments: index=value of those that a profile may test and that are the same in every run
# instead: the call is made only where this one is refused; A+B: where both are
# stage: runtime, loader, libc or program
# EPERM, ENOSYS, KILL: what comes of it if the call is refused in this way, tried in real starts; "sometimes": the call is
#   not made in every run
# symptom: the last words after an errno (EPERM if that fails)
# killed: the last words after SECCOMP_RET_KILL_PROCESS
#
# arch: X86_64
# kernel: KERNEL
# count: COUNT
`;
const work = makeFolder();
const at = (...names: string[]) => join(work.path, ...names);
/** Cells by what a row is about. */
const rows = new Map<string, string[]>();

function run(words: readonly string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(words[0]!, words.slice(1), {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  return { status, text: stdout + stderr };
}

function must(...words: string[]): string {
  const { status, text } = run(words);
  if (status !== 0) throw new Error(`${words.join(' ')}: ${text}`);
  return text;
}

/** The line that says what happened, without what differs from run to run. */
function symptomOf({ status, text }: ReturnType<typeof run>): string {
  if (status === null) return 'does not end';
  const lines = text.split('\n').filter((each) => each.trim() !== '');
  const said = lines.findLast((each) => /not permitted|not implemented/i.test(each));
  const line =
    said ?? lines.find((each) => each.startsWith('panic:')) ?? lines.at(-1) ?? `exit code ${status}`;
  const message = /msg="(.*?[^\\])"/.exec(line)?.[1]?.replaceAll('\\"', '"') ?? line;
  return message
    .replaceAll(/\d{4}-\d\d-\d\dT\S+ /g, '')
    .replaceAll(work.path, '')
    .replaceAll(`-${process.pid}`, '')
    .replaceAll(/\s+/g, ' ');
}

const INSTALLED = /^(?:seccomp\(0x1, |prctl\(0x16, 0x2, ).* = (?:0|0x[0-9a-f]+)$/;

/** The calls after the filter, in the process that loaded it and in those that it makes. */
function tracedCalls(folder: string, isRuntime: boolean): Map<string, Call> {
  const files = new Map(
    readdirSync(folder).map((name) => [
      Number(name.slice(2)),
      readFileSync(join(folder, name), 'utf8').split('\n'),
    ]),
  );
  const filtered = [...files.values()].flatMap((lines) => {
    const loaded = lines.findLastIndex((line) => INSTALLED.test(line));
    const after = loaded < 0 ? [] : lines.slice(loaded + 1);
    return after.some((line) => line.startsWith('execve(')) ? [after] : [];
  });
  if (filtered.length !== 1) throw new Error('not one process loaded a filter and executed the program');
  const calls = new Map<string, Call>();
  const follow = (lines: readonly string[]): void => {
    let executed = false;
    for (const line of lines) {
      const [, name, text] = /^([a-z0-9_]+)\((.*)\) += /.exec(line) ?? [];
      if (name === undefined) continue;
      if (executed !== isRuntime) {
        const call = { name, args: keptOf(name, text!), always: true };
        calls.set(keyOf(call), call);
      }
      if (name === 'execve' && line.endsWith(' = 0')) executed = true;
      const child = /^(?:clone3?|v?fork)\(.* = (0x[0-9a-f]+)$/.exec(line)?.[1];
      if (child !== undefined) follow(files.get(Number(child)) ?? []);
    }
  };
  follow(filtered[0]!);
  return calls;
}

function keptOf(name: string, text: string): Record<number, number> {
  const values = text.split(', ').map(Number);
  return Object.fromEntries((ARGUMENTS[name] ?? []).map((index) => [index, values[index]!]));
}

const argsText = ({ args }: Call) =>
  Object.entries(args)
    .map(([index, value]) => `${index}=${value}`)
    .join(',') || '-';
const keyOf = (call: Call) => `${call.name} ${argsText(call)}`;

function entry({ name, args }: Call, action: object): object {
  const tests = Object.entries(args).map(([index, value]) => ({
    index: Number(index),
    value,
    op: 'SCMP_CMP_EQ',
  }));
  return { names: [name], ...action, args: tests };
}

const allowAllBut = (...syscalls: object[]) => ({ defaultAction: 'SCMP_ACT_ALLOW', syscalls });
/** Calls nobody makes: a runtime may leave out a filter without rules. */
const nothing = { names: ['acct'], ...EPERM };

/** The calls of a start that goes well, which runc needs more than one try for now and then. */
function trace(start: Start, isRuntime: boolean, ...refused: object[]): Map<string, Call> {
  for (let tries = 0; tries < 5; tries++) {
    rmSync(at('trace'), { recursive: true, force: true });
    mkdirSync(at('trace'));
    if (start(allowAllBut(...refused), at('trace')).starts) return tracedCalls(at('trace'), isRuntime);
  }
  return new Map();
}

const WORSE = ['starts', 'sometimes', 'fails'];

/** Adds a row, or what it says worse than the one of another user. */
function addRow(key: readonly string[], cells: readonly string[]): void {
  const before = rows.get(key.join('\t'));
  const worst = cells.map((cell, index) => {
    const old = before?.[index] ?? cell;
    return old === '-' || WORSE.indexOf(cell) > WORSE.indexOf(old) ? cell : old;
  });
  rows.set(key.join('\t'), worst);
}

/** A failure counts if it is one of two in a row: runc fails now and then without any filter. */
function surely(start: Start, seccomp: object): Outcome {
  for (let outcome = start(seccomp); ;) {
    const next = outcome.starts ? outcome : start(seccomp);
    if (outcome.starts === next.starts) return next;
    outcome = next;
  }
}

/**
 * Records the calls, refuses each alone, then together all that can be refused alone, and two by
 * two if that fails.
 */
function record({ part, release, setting, start }: Subject, isRuntime: boolean): void {
  const { starts, symptom } = start(allowAllBut(nothing));
  if (!starts) throw new Error(`${part} ${release} does not start: ${symptom}`);
  const traces = Array.from({ length: isRuntime ? RUNS : 2 }, () => trace(start, isRuntime, nothing));
  const calls = new Map(traces.flatMap((found) => [...found]));
  for (const [key, call] of calls) call.always = traces.every((found) => found.has(key));
  const needed: Call[] = [];
  const survivors: Call[] = [];
  const judge = (call: Call, before: readonly Call[]): Outcome[] => {
    const refused = before.map((each) => entry(each, EPERM));
    const outcomes = REFUSALS.map((refusal) => surely(start, allowAllBut(...refused, entry(call, refusal))));
    const symptoms = [outcomes.slice(0, 2), outcomes.slice(2)].map(
      (some) => some.find((one) => !one.starts)?.symptom,
    );
    // A start that survives the kill did not make the call.
    const racy = outcomes[2]!.starts || (!call.always && outcomes.some((outcome) => outcome.starts));
    if (racy) call.always = false;
    const cells = outcomes.map((outcome) => (racy ? 'sometimes' : outcome.starts ? 'starts' : 'fails'));
    const libc = call.name.startsWith('exit') ? 'program' : part === 'static' ? 'libc' : 'loader';
    if (cells[0] === 'fails' || cells[1] === 'fails') needed.push(call);
    const key = [
      part,
      release,
      setting,
      call.name,
      argsText(call),
      before.map(({ name }) => name).join('+') || '-',
    ];
    addRow(key, [isRuntime ? 'runtime' : libc, ...cells, ...symptoms.map((text) => text ?? '-')]);
    return outcomes;
  };
  // In the order in which they are made: the first that is refused ends the start.
  const judgeAll = (
    found: ReadonlyMap<string, Call>,
    before: readonly Call[],
    known: ReadonlySet<string>,
  ): void => {
    for (const call of found.values()) {
      const [eperm] = judge(call, before);
      if (!eperm!.starts || !call.always || before.length === MOST_INSTEAD) continue;
      if (before.length === 0) survivors.push(call);
      // What stands in for it has to be allowed where it is refused.
      const refused = [...before, call];
      const traced = trace(start, isRuntime, ...refused.map((each) => entry(each, EPERM)));
      const others = new Map([...traced].filter(([key]) => !known.has(key)));
      judgeAll(others, refused, new Set([...known, ...others.keys()]));
    }
  };
  judgeAll(calls, [], new Set(calls.keys()));
  const allOthers = (refusal: typeof EPERM): Outcome => {
    const names = isRuntime ? PROGRAM : RUNTIME;
    const kept = [...needed, ...[...calls.values()].filter((call) => !call.always)];
    const syscalls = [...kept.map((call) => entry(call, ALLOW)), { names, ...ALLOW }];
    return surely(start, {
      defaultAction: refusal.action,
      defaultErrnoRet: refusal.errnoRet,
      syscalls,
    });
  };
  // Two that stand in for each other, or of which one matters only without the other.
  if (!allOthers(EPERM).starts)
    for (const [place, first] of survivors.entries())
      for (const second of survivors.slice(place + 1))
        if (!surely(start, allowAllBut(entry(first, EPERM), entry(second, EPERM))).starts)
          judge(second, [first]);
  save();
  for (const refusal of [EPERM, ENOSYS]) {
    const found = allOthers(refusal);
    const all = found.starts ? 'starts' : `FAILS: ${found.symptom}`;
    process.stderr.write(`${part} ${release} ${setting}: ${calls.size} calls, ${needed.length} needed; the others all refused by ${refusal.errnoRet}: ${all}\n`); // prettier-ignore
  }
}

/** Writes what is recorded so far. */
function save(): void {
  const all = new Map(rows);
  // Threads of runc make some calls in few runs only, and so with any setting.
  for (const [key, cells] of rows) {
    const [part, release, setting, ...rest] = key.split('\t');
    if (part !== 'runc' || !cells.includes('sometimes')) continue;
    const other = setting === 'privileges' ? 'no_new_privs' : 'privileges';
    const place = [part, release, other, ...rest].join('\t');
    if (!all.has(place)) all.set(place, cells);
  }
  const kernel = /^\d+\.\d+/.exec(must('uname', '-r'))![0];
  const comments = HEAD.replace('KERNEL', kernel).replace('COUNT', String(all.size));
  const text = [...all].map(([key, cells]) => `${key}\t${cells.join('\t')}\n`);
  writeFileSync('syscall-tables/starts.tsv', comments + text.join(''));
}

const ALLOW = { action: 'SCMP_ACT_ALLOW' };
/** What the static program calls, and what crun calls before any program. */
const PROGRAM = [
  'arch_prctl', 'brk', 'exit_group', 'getrandom', 'mprotect', 'prlimit64', 'readlink', 'rseq', 'set_robust_list', 'set_tid_address',
]; // prettier-ignore
const RUNTIME = ['close', 'execve'];

/** Becomes a command where crun finds its cgroup tree, in a tree or on this machine (""). */
function enterOf(tree: string): string[] {
  const words = ['unshare', '-m', 'sh', '-ec', `${tree === '' ? mountCgroup2() : ''}exec "$@"`, 'sh'];
  return tree === '' ? words : [...words, 'sh', '-ec', ENTER, 'sh', tree];
}

/** A container whose files are below /srv of a tree, or in our folder on this machine. */
function container(
  tree: string,
  runtime: string,
  program: string,
  noNewPrivileges: boolean,
  uid: number,
): Start {
  const folder = tree === '' ? work.path : join(tree, 'srv');
  const inside = tree === '' ? work.path : '/srv';
  const cgroups = runtime === 'crun' ? ['--cgroup-manager=disabled'] : [];
  const command = [runtime, '--root', `${inside}/state`, ...cgroups];
  const enter = enterOf(tree);
  return (seccomp, traceFolder) => {
    const text = configText({
      root: `${inside}/root`,
      noNewPrivileges,
      args: [program],
      seccomp: JSON.stringify(seccomp),
    });
    const config = JSON.parse(text);
    config.process.user = { uid, gid: uid, ...(uid === 0 ? {} : { additionalGids: [uid + 1] }) };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    const id = `seccompc-record-${process.pid}`;
    const words = ['perl', '-e', AS_ENGINES, inside, id, ...command];
    // crun's cache of compiled profiles does not tell errnos apart.
    rmSync(join(folder, 'state/.cache'), { recursive: true, force: true });
    const result = run([...straced(traceFolder), ...enter, ...words]);
    run([...enter, ...command, 'delete', '--force', id]);
    return { starts: result.status === 0, symptom: symptomOf(result) };
  };
}

/**
 * Creates a container, starts it and waits for its end, as engines do: whoever is a child subreaper
 * gets the exit code.
 */
const AS_ENGINES = String.raw`
my ($PRCTL, $PR_SET_PDEATHSIG, $PR_SET_CHILD_SUBREAPER, $SIGKILL) = (157, 1, 36, 9);
my ($bundle, $id, @runtime) = @ARGV;
sub run { # a command that ends with us, also by the time limit
  my $child = fork;
  if (!$child) { syscall($PRCTL, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0); exec @_ or exit 127 }
  waitpid $child, 0;
  return $?;
}
syscall($PRCTL, $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or die;
unlink "$bundle/pid";
run(@runtime, "create", "--bundle", $bundle, "--pid-file", "$bundle/pid", $id) == 0 or exit 1;
open(my $file, "<", "$bundle/pid") or die;
my $pid = <$file> + 0;
my $failed = run(@runtime, "start", $id);
kill "KILL", $pid if $failed;
waitpid $pid, 0;
exit($failed ? 1 : $? & 127 ? 128 + ($? & 127) : $? >> 8);
`;

const straced = (folder: string | undefined) =>
  folder === undefined ? [] : ['strace', '-ff', '-qq', '-e', 'raw=all', '-e', 'signal=none', '-o', join(folder, 't')]; // prettier-ignore

/** Below a filter without a container, by a command of ours. */
function plain(script: string): Start {
  return (seccomp, traceFolder) => {
    writeFileSync(at('profile.json'), JSON.stringify(seccomp));
    const command = resolve('dist/cli/main.cjs');
    const words = ['sh', '-ec', script, 'sh', process.execPath, command, at('profile.json'), at('static')];
    const result = run([...straced(traceFolder), ...words]);
    return { starts: result.status === 0, symptom: symptomOf(result) };
  };
}

function makeRoot(tree: string): void {
  const root = tree === '' ? at('root') : join(tree, 'srv/root');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'lib', 'lib64'])
    mkdirSync(join(root, name), { recursive: true });
  for (const name of ['static', 'glibc', 'musl']) cpSync(at(name), join(root, 'bin', name));
  const copy = (from: string, to: string) =>
    cpSync(join(tree || '/', from), join(root, to), { dereference: true });
  copy('usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2', 'lib64/ld-linux-x86-64.so.2');
  copy('usr/lib/x86_64-linux-gnu/libc.so.6', 'lib/libc.so.6');
  copy('usr/lib/x86_64-linux-musl/libc.so', 'lib/ld-musl-x86_64.so.1');
}

const releaseOf = (tree: string, file: string, pattern: RegExp) =>
  pattern.exec(readFileSync(join(tree || '/', file), 'latin1'))![1]!;

function recordAll(tree: string): void {
  makeRoot(tree);
  const versionOf = (runtime: string) =>
    /version:? ([\d.]+\d)|^crun ([\d.]+\d)/
      .exec(must(...enterOf(tree), runtime, '--version'))!
      .slice(1)
      .find(Boolean)!;
  for (const runtime of ['crun', 'runc'])
    for (const noNewPrivileges of [true, false])
      for (const uid of [0, 1000]) {
        const start = container(tree, runtime, '/bin/static', noNewPrivileges, uid);
        const setting = noNewPrivileges ? 'no_new_privs' : 'privileges';
        record({ part: runtime, release: versionOf(runtime), setting, start }, true);
      }
  const libcs: Record<string, string> = {
    glibc: releaseOf(tree, 'usr/lib/x86_64-linux-gnu/libc.so.6', /GNU C Library .* version ([\d.]+\d)/),
    musl: releaseOf(tree, 'usr/lib/x86_64-linux-musl/libc.so', /(?:\0)(1\.[23]\.\d+)\0/),
  };
  if (tree === '') libcs['static'] = libcs['glibc']!;
  for (const [part, release] of Object.entries(libcs))
    record({ part, release, setting: '-', start: container(tree, 'crun', `/bin/${part}`, true, 0) }, false);
}

for (const [compiler, ...options] of [
  ['gcc', '-static', '-o', at('static')],
  ['gcc', '-o', at('glibc')],
  ['musl-gcc', '-o', at('musl')],
] as const) {
  writeFileSync(at('true.c'), 'int main(void) { return 0; }\n');
  must(compiler, '-O1', ...options, at('true.c'));
}
recordAll('');
const exec = plain('exec "$1" "$2" exec --no-cache -q "$3" -- "$4"');
const bwrap = plain(
  '"$1" "$2" compile --no-cache -q "$3" -o "$3.bpf"; exec bwrap --ro-bind / / --seccomp 3 "$4" 3<"$3.bpf"',
);
record({ part: 'exec', release: '-', setting: '-', start: exec }, true);
record(
  {
    part: 'bwrap',
    release: must('bwrap', '--version').replace('bubblewrap ', '').trim(),
    setting: '-',
    start: bwrap,
  },
  true,
);
const given = process.argv.slice(2);
for (const suite of given.length > 0 ? given : SUITES) {
  const tree = given.length > 0 ? { path: suite, remove() {} } : await makeDebianTree(PACKAGES, suite);
  if ('missing' in tree) throw new Error(tree.missing);
  mkdirSync(join(tree.path, 'srv'), { recursive: true });
  recordAll(tree.path);
  tree.remove();
}
work.remove();
