/** The script that stands in front of crun: sh(1) and one awk, because every start waits for it. */
import { LOOKUP_AWK, MAY_BE_FOREIGN } from '../store/lookup-awk.ts';
import { precreateWords, shellWord } from '../store/program.ts';
import type { Preparation } from '../store/program.ts';

/** All that the script is made of, without what is only needed to install it. */
export interface RuntimeSettings extends Omit<Preparation, 'target'> {
  version: string;
  /** The crun that gets every command. */
  runtime: string;
  /** The directory of the pairs, below the store. */
  pairs: string;
  /** A directory for the configs that crun gets; only its owner can enter it. Made at a start. */
  copies: string;
  /** Absolute paths; timeout and flock may be missing. */
  tools: {
    awk: string;
    grep: string;
    rm: string;
    mkdir: string;
    date: string;
    timeout?: string;
    flock?: string;
  };
}

/** Seconds in which a start waits for Node, the wait for others that compile included. */
export const LIMIT = 10;
/** How many old configs may lie in the directory before a start removes them. */
const MOST_COPIES = 32;

const MARK =
  '# An OCI runtime in front of crun, written by "seccompc runtime install", which also explains it.\n# ';

/**
 * Its variables have long names, because one that crun's environment has too would be changed
 * there.
 */
export function formatRuntime(settings: RuntimeSettings): string {
  const { runtime, pairs, copies, log, strict, command, tools } = settings;
  const { awk, grep, rm, mkdir, date, timeout, flock } = tools;
  const word = shellWord;
  const limit = timeout === undefined ? '' : `${word(timeout)} -k 1 ${LIMIT} `;
  const lock = flock === undefined ? '' : `${word(flock)} ${word(copies)} `;
  const compile = [...command, ...precreateWords(settings)].map(word).join(' ');
  const variables = `SECCOMPC_STORE=${word(pairs)} SECCOMPC_STRICT=1 LC_ALL=C`;
  const lookup = `${word(awk)} "$seccompc_awk" <"$seccompc_config"`;
  return `#!/bin/sh
${MARK}${JSON.stringify(settings)}
set -f

# Why there is no filter of ours.
seccompc_tell() {
  seccompc_reason=$1
  echo "$(${word(date)} -u +%Y-%m-%dT%H:%M:%SZ) runtime: seccompc: $seccompc_reason" 2>/dev/null >>${word(log)}
  ${strict ? 'seccompc_refuse' : ':'}
}

# The same, then crun's arguments.
seccompc_without() {
  seccompc_tell "$1"; shift
  # crun compiles linux.seccomp itself, unless the config brings a filter of its own.
  ${word(grep)} -Eqs ${word(MAY_BE_FOREIGN)} <"$seccompc_config"
  [ $? = 1 ] || seccompc_refuse
  exec ${word(runtime)} "$@"
}

# Engines show what crun writes to its log, some of them nothing else.
seccompc_refuse() {
  echo "seccompc: the start is refused: $seccompc_reason;" ${word(`${log} may tell more`)} >&2
  seccompc_log=\${seccompc_log#file:}
  case $seccompc_log in '' | syslog:* | journald:*) exit 1 ;; esac
  if [ "$seccompc_format" = json ]; then
    echo "{\\"level\\":\\"error\\",\\"msg\\":\\"seccompc: the start is refused: $seccompc_reason; "${word(
      JSON.stringify(log).slice(1, -1),
    )}" may tell more\\",\\"time\\":\\"$(${word(date)} -u +%Y-%m-%dT%H:%M:%SZ)\\"}"
  else
    echo "seccompc: the start is refused: $seccompc_reason"
  fi 2>/dev/null >>"$seccompc_log"
  exit 1
}

# What is not understood goes to crun as it is.
seccompc_pass() {
  case " $* " in *" create "* | *" run "*) seccompc_tell "its arguments are not understood, or there is no config" ;; esac
  exec ${word(runtime)} "$@"
}

# Removes configs of starts that are over, if there are more than $1.
seccompc_sweep() {
  seccompc_most=$1
  set +f; set -- ${word(copies)}/[0-9]*; set -f
  [ $# -gt "$seccompc_most" ] || return
  for seccompc_word do
    shift
    seccompc_process=\${seccompc_word##*/}
    [ -d "/proc/\${seccompc_process%%.*}" ] || set -- "$@" "$seccompc_word"
  done
  [ $# = 0 ] || ${word(rm)} -f -- "$@"
}

seccompc_take() {
  case $1 in
    -b | --bundle) seccompc_config=$2/config.json ;;
    -f | --config) seccompc_given=$2 ;;
    --log) seccompc_log=$2 ;;
    --log-format) seccompc_format=$2 ;;
  esac
}

seccompc_command='' seccompc_next='' seccompc_id='' seccompc_config=./config.json seccompc_given='' seccompc_log=''
seccompc_format=''
for seccompc_word do
  if [ -n "$seccompc_next" ]; then
    seccompc_take "$seccompc_next" "$seccompc_word"
    seccompc_next=''
  elif [ -n "$seccompc_id" ]; then
    seccompc_pass "$@"
  elif [ -z "$seccompc_command" ]; then
    case $seccompc_word in
      create | run) seccompc_command=$seccompc_word ;;
      --debug | --systemd-cgroup) ;;
      --cgroup-manager | --log | --log-format | --log-level | --root | --rootless) seccompc_next=$seccompc_word ;;
      --cgroup-manager=* | --log=* | --log-format=* | --log-level=* | --root=* | --rootless=*)
        seccompc_take "\${seccompc_word%%=*}" "\${seccompc_word#*=}" ;;
      delete) seccompc_sweep 0; exec ${word(runtime)} "$@" ;;
      -*) seccompc_pass "$@" ;;
      *) exec ${word(runtime)} "$@" ;;
    esac
  else
    case $seccompc_word in
      -d | --detach | --keep | --no-new-keyring | --no-pivot | --no-subreaper) ;;
      -b | --bundle | -f | --config | --console-socket | --pid-file | --preserve-fds) seccompc_next=$seccompc_word ;;
      --bundle=* | --config=* | --console-socket=* | --pid-file=* | --preserve-fds=*)
        seccompc_take "\${seccompc_word%%=*}" "\${seccompc_word#*=}" ;;
      -[bf]*) seccompc_take "\${seccompc_word%"\${seccompc_word#??}"}" "\${seccompc_word#??}" ;;
      -'?' | --help | --usage) exec ${word(runtime)} "$@" ;;
      -*) seccompc_pass "$@" ;;
      *) seccompc_id=$seccompc_word ;;
    esac
  fi
done
# This name is that of a file in the bundle, other relative paths begin at the current directory.
case $seccompc_given in '' | config.json) ;; *) seccompc_config=$seccompc_given ;; esac
[ -n "$seccompc_id" ] && [ -f "$seccompc_config" ] || seccompc_pass "$@"

[ -d ${word(copies)} ] || ${word(mkdir)} -m 700 ${word(copies)} 2>/dev/null
[ -O ${word(copies)} ] || seccompc_without "no private copy can be made of the config" "$@"
seccompc_sweep ${MOST_COPIES}
# Containers that share the directory may have processes of one number, but no two have one ID as well.
seccompc_copy=${word(copies)}/$$.$seccompc_id
# Of an earlier process with this number.
[ ! -e "$seccompc_copy" ] || ${word(rm)} -f "$seccompc_copy"

seccompc_awk=${word(LOOKUP_AWK.replaceAll(/^ *#.*\n/gm, ''))}
set -C
${variables} SECCOMPC_COMMAND= ${lookup} 2>/dev/null >"$seccompc_copy"
seccompc_code=$?
set +C
if [ $seccompc_code = 66 ]; then
  # Others that start now wait for the first, and then find its filter.
  ${variables} SECCOMPC_COMMAND=${word(compile)} SECCOMPC_LOG=${word(log)} SECCOMPC_SCRIPT=${word(command[1])} \\
    ${limit}${lock}${lookup} 2>/dev/null >|"$seccompc_copy"
  seccompc_code=$?
fi
case $seccompc_code in
  0) ;;
  65) seccompc_reason="runtimes may read different profiles in this config"; seccompc_refuse ;;
  *) seccompc_without "no filter could be made, exit code $seccompc_code" "$@" ;;
esac

# The last --config counts, and the container comes last.
seccompc_left=$#
for seccompc_word do
  shift
  [ $seccompc_left != 1 ] || set -- "$@" --config="$seccompc_copy"
  seccompc_left=$((seccompc_left - 1))
  set -- "$@" "$seccompc_word"
done
exec ${word(runtime)} "$@"
`;
}

/** The settings in a script of {@link formatRuntime}, of any version; undefined for other texts. */
export function readRuntime(text: string): RuntimeSettings | undefined {
  const start = `#!/bin/sh\n${MARK}`;
  if (!text.startsWith(start)) return undefined;
  try {
    return JSON.parse(text.slice(start.length, text.indexOf('\n', start.length))) as RuntimeSettings;
  } catch {
    return undefined;
  }
}
