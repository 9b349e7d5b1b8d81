/**
 * The one table of everything this project says about its input, and the error that carries it.
 *
 * Codes are API: scripts match on them. A message states the cause; a hint says what to do.
 * docs/errors.md is generated from this table.
 */

export type Severity = 'error' | 'warning' | 'note';

/** One thing that was found. Positions are 1-based; `pointer` is RFC 6901 into the user's file. */
export interface Diagnostic {
  code: Code;
  severity: Severity;
  file?: string;
  line?: number;
  column?: number;
  pointer?: string;
  message: string;
  hint?: string;
}

/** Exit codes, after sysexits.h; the contract is docs/cli.md. */
export const EXIT = {
  ok: 0,
  no: 1,
  undecided: 2,
  usage: 64,
  dataError: 65,
  noInput: 66,
  unavailable: 69,
  software: 70,
  cannotCreate: 73,
  ioError: 74,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface Entry {
  severity: Severity;
  /** Exit code when this is an error that ends the command; 65 unless said. */
  exit?: ExitCode;
  /** `{word}` is replaced by the parameter of that name. */
  message: string;
  hint?: string;
}

// Sections by stage. Keep each sorted by the order in which the stage can find it.
const TABLE = {
  // -- reading: the text of a profile (src/profile)
  NOT_A_PROFILE: { severity: 'error', message: 'this is {what}, not an OCI or Docker seccomp profile' },
  BYTE_ORDER_MARK: {
    severity: 'warning',
    message: 'the file starts with a byte order mark, at which Docker and Podman refuse it',
    hint: 'save it as UTF-8 without a byte order mark',
  },
  JSON_TOO_LARGE: { severity: 'error', message: 'the text has more than {limit} characters' },
  JSON_TOO_DEEP: { severity: 'error', message: 'more than {limit} levels of objects and arrays' },
  JSON_SYNTAX: { severity: 'error', message: 'not JSON: {reason}' },
  JSON_COMMENT: {
    severity: 'error',
    message: 'JSON has no comments, and every runtime refuses the file',
    hint: 'put it into a member named "comment"',
  },
  JSON_TRAILING_COMMA: {
    severity: 'error',
    message: 'a comma after the last element, which JSON does not have',
    hint: 'remove the comma',
  },
  JSON_DUPLICATE_KEY: {
    severity: 'error',
    message: 'the key {key} stands twice in one object, and readers disagree on which one counts',
  },
  JSON_AFTER_END: { severity: 'error', message: 'the document is complete, but {found} follows' },
  WRONG_TYPE: { severity: 'error', message: '{member} must be {expected}, not {found}' },
  MISSING_MEMBER: { severity: 'error', message: '{owner} has no {member}' },
  UNKNOWN_ACTION: { severity: 'error', message: 'there is no action {value}' },
  UNKNOWN_OPERATOR: { severity: 'error', message: 'there is no operator {value}' },
  UNKNOWN_FLAG: { severity: 'error', message: 'there is no filter flag {value}' },
  ARG_INDEX_RANGE: {
    severity: 'error',
    message: 'a system call has arguments 0 to 5, so there is no index {value}',
  },
  NUMBER_FORM: {
    severity: 'error',
    message: '{member} is written {value}, but the runtimes take plain whole numbers only',
  },
  NUMBER_RANGE: { severity: 'error', message: '{member} must be 0 to {largest}, not {value}' },
  EMPTY_NAME: { severity: 'error', message: '{member} is empty, at which runc refuses the profile' },
  KEY_CASE: {
    severity: 'warning',
    message:
      'the key {key} is read as "{proper}": Docker and Podman ignore case here, other readers do not{more}',
    hint: 'write "{proper}"',
  },
  KEY_CASE_IGNORED: {
    severity: 'warning',
    message: 'the key {key} is ignored, as crun does, but runc reads it as "{proper}"{more}',
    hint: 'write "{proper}", or take it out',
  },
  ENGINE_KEY_IGNORED: {
    severity: 'warning',
    message: 'OCI runtimes ignore {key}, which only Docker and Podman resolve: {effect}{more}',
    hint: 'resolve the profile first ("seccompc resolve") and put the result here',
  },
  RULES_IGNORED: {
    severity: 'warning',
    message: 'NOTHING reads the key {key}, although it looks like rules: they have no effect{more}',
    hint: 'rules stand in "syscalls", each with "names" and "action"',
  },
  UNKNOWN_KEY: { severity: 'warning', message: 'no runtime reads the key {key}{more}' },

  // -- resolving: the Docker dialect against its target (src/profile/docker.ts)
  ARCHITECTURES_AND_ARCHMAP: {
    severity: 'error',
    message: 'the profile has both architectures and archMap, which Docker and Podman refuse',
    hint: 'keep one of the two',
  },
  ARCHMAP_NOT_APPLIED: {
    severity: 'warning',
    message: '{engine} does not apply archMap on {arch}, so the filter has {arch} only',
  },
  ARCHMAP_WITHOUT_NATIVE: {
    severity: 'warning',
    message: 'archMap has no entry for {name}, so the filter has {arch} only',
  },
  NAME_AND_NAMES: {
    severity: 'error',
    message: 'the entry has both name and names, which Docker and Podman refuse',
    hint: 'keep names',
  },
  ENTRY_WITHOUT_NAMES: {
    severity: 'warning',
    message: 'the entry names no system call, so it has no effect{more}',
  },
  MIN_KERNEL_INVALID: {
    severity: 'error',
    message: 'minKernel must be two numbers from 0 to 255 such as "4.8", not {value}',
  },
  MIN_KERNEL_IGNORED: {
    severity: 'warning',
    message: 'Podman ignores minKernel, so the entry {effect} whatever the kernel{more}',
  },
  ERRNO_NAME_UNKNOWN: { severity: 'error', message: 'there is no errno {value}' },
  ERRNO_NAME_IGNORED: {
    severity: 'warning',
    message: 'Docker ignores {member}, so {effect}{more}',
    hint: 'give the number as {member}Ret too',
  },
  ARCHES_NEVER_MATCH: {
    severity: 'warning',
    message: '{engine} has no architecture {value}, so this never matches{more}',
  },
  UNKNOWN_CAPABILITY: {
    severity: 'warning',
    message: 'there is no capability {value}, so this never matches{more}',
  },

  // -- target: what to compile for (src/target.ts)
  TARGET_INVALID: { severity: 'error', exit: EXIT.usage, message: '{reason}' },

  // -- policy: the resolved profile against its target (src/policy)
  MISSING_DEFAULT_ACTION: {
    severity: 'error',
    message: 'there is no defaultAction, so a runtime might start the container without any filter',
    hint: 'add "defaultAction": "SCMP_ACT_ERRNO"',
  },
  UNKNOWN_ARCHITECTURE: {
    severity: 'error',
    message: 'unknown architecture "{name}"',
    hint: 'the runtime-spec knows 23, such as "SCMP_ARCH_X86_64" and "SCMP_ARCH_AARCH64"',
  },
  ARCHITECTURE_SPELLING: {
    severity: 'warning',
    message: 'architecture "{name}" is read as {proper}, but only crun accepts this spelling',
    hint: 'write "{proper}"',
  },
  MIXED_BYTE_ORDER: {
    severity: 'error',
    message: 'one filter cannot serve {native} ({nativeOrder}-endian) and {other} ({otherOrder}-endian)',
    hint: 'list architectures of one byte order, or replace the list with --architectures',
  },
  NOTIFY_DEFAULT: {
    severity: 'error',
    message: 'SCMP_ACT_NOTIFY as default action stops the container before its listener is handed over',
    hint: 'name the calls to be notified of; --force compiles it as it is',
  },
  NOTIFY_WITHOUT_LISTENER: {
    severity: 'warning',
    message:
      'SCMP_ACT_NOTIFY without listenerPath: calls get ENOSYS unless the runtime is told of a receiver',
    hint: 'add "listenerPath"',
  },
  LISTENER_METADATA_ALONE: {
    severity: 'warning',
    message: 'listenerMetadata without listenerPath, which the runtime-spec forbids',
  },
  ERRNO_WITHOUT_EFFECT: {
    severity: 'error',
    message: '{member} beside {action}, which carries no errno: crun refuses this, runc ignores it',
    hint: 'remove {member}',
  },
  ERRNO_TOO_LARGE: {
    severity: 'error',
    message: 'errno {errno} is above {limit}, the largest that the runtimes accept',
  },
  ERRNO_MASKED: { severity: 'warning', message: 'errno {wanted} is cut to 16 bits and becomes {errno}' },
  ERRNO_MASKED_TO_ZERO: {
    severity: 'warning',
    message: 'errno {wanted} is cut to 16 bits and becomes 0: a refused call then reports success',
  },
  MISSING_NAMES: {
    severity: 'error',
    message: 'the entry has no names, so it makes no rule',
    hint: 'add "names": [...]',
  },
  UNKNOWN_SYSCALL: {
    severity: 'warning',
    message: 'no architecture has a system call "{name}", so it makes no rule',
  },
  TOO_MANY_ARGS: {
    severity: 'warning',
    message: 'the entry has {count} args: crun looks at the first {limit} only, runc at all',
  },
  ARGS_ALTERNATIVE: {
    severity: 'warning',
    message:
      'an argument index repeats, so each condition stands alone: the rule matches if any one of them holds',
    hint: 'write one entry for each alternative, or check whether a range was meant',
  },
  NOTIFY_ON_WRITE: {
    severity: 'error',
    message: 'SCMP_ACT_NOTIFY on write stops the runtime before it can hand its listener over',
    hint: 'leave write out; --force compiles it as it is',
  },
  ENTRY_EQUALS_DEFAULT: {
    severity: 'note',
    message: 'the entry asks for {action}, which is the default, so it makes no rule and shadows none',
  },
  CONSTANT_CUT: {
    severity: 'warning',
    message: '{value} is cut to its low 32 bits on {arches}',
  },
  ENOSYS_AFTER_NEEDS_DENY: {
    severity: 'error',
    message: '--enosys-after has no meaning with the default action {action}',
  },
  CONFLICTING_RULES: {
    severity: 'error',
    message:
      '{name} on {arch} has the same conditions with {action} as {other} at {pointer} has with {otherAction}',
    hint: 'the runtimes fail with "File exists"; keep one of the two',
  },
  OVERLAPPING_RULES: {
    severity: 'warning',
    message:
      '{name} on {arch}: {action} here and {otherAction} at {pointer} both match {example}; the stricter {winner} is taken',
    hint: 'make the conditions exclude each other: what a runtime does here depends on its library',
  },
  OVERLAPS_NOT_SEARCHED: {
    severity: 'warning',
    message:
      '{name} on {arch} has {count} rules with different actions: not every pair was searched for calls that both match',
    hint: 'use fewer rules on one call; where rules overlap, the stricter action is taken',
  },
  MULTIPLEXED_BYPASS: {
    severity: 'warning',
    message:
      'on {arch} {by} gives {action} outright, so the conditions on {name} do not hold for calls that go through it',
  },
  MULTIPLEXED_ARGS: {
    severity: 'warning',
    message:
      'on {arch} {name} also goes through {by}, where conditions on argument 0 are lost and the others test the arguments of {by}',
  },

  // -- any stage
  MORE_OF_A_KIND: { severity: 'note', message: '{count} more reports of {code} are left out' },

  // -- proof (src/compile.ts)
  NOT_PROVED: {
    severity: 'note',
    exit: EXIT.undecided,
    message: 'the program is not proved: {reason}',
  },
  PROOF_CONTRADICTS: {
    severity: 'error',
    exit: EXIT.software,
    message: 'the compiler made a program that differs from the profile, so nothing is written. {witness}',
    hint: 'this is a fault of seccompc; please report it with the profile',
  },

  // -- check: the kernel's acceptance rules (src/bpf/check.ts)
  FILTER_EMPTY: { severity: 'error', message: 'the filter has no instructions, which the kernel refuses' },
  FILTER_TOO_LONG: {
    severity: 'error',
    message: 'the filter has {length} instructions, but the kernel takes at most {limit}',
    hint: 'compile for fewer architectures (--architectures), or allow a call without conditions',
  },
  TOO_MANY_RULES: {
    severity: 'error',
    message: '{name} on {arch} has {rules} rules with conditions, more than fit into {limit} instructions',
    hint: 'split them over fewer architectures (--architectures), or allow the call without conditions',
  },
  FILTER_INVALID: { severity: 'error', message: 'the kernel would refuse instruction {index}: {reason}' },

  // -- cache: never a failure, always a fresh compile instead (src/cache)
  CACHE_UNAVAILABLE: {
    severity: 'warning',
    message: 'the cache at {location} was not used: {reason}',
    hint: 'the result is right, only slower; "seccompc cache clear" repairs a damaged cache, --no-cache goes without',
  },
  CACHE_MODULE_MISSING: {
    severity: 'warning',
    message: 'there is no cache: the optional package {module} is not installed',
    hint: 'install it, or go without by --no-cache',
  },
  CACHE_FOLDER_UNSAFE: {
    severity: 'warning',
    message: 'the cache at {location} was not used: {reason}, so somebody else could have put a filter there',
    hint: 'make it your own and closed (chmod 700), choose another by --cache, or go without by --no-cache',
  },
  CACHE_ENTRY_REFUSED: {
    severity: 'warning',
    message: 'a cache entry was refused and the profile compiled afresh: {reason}',
  },
  CACHE_FAILED: { severity: 'error', exit: EXIT.unavailable, message: '{reason}' },
  CACHE_SCHEME_UNKNOWN: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'there is no cache store for "{location}"',
    hint: 'known are: a folder, sqlite:FILE, redis://HOST, postgres://HOST/DATABASE',
  },
  CACHE_KEY_INVALID: {
    severity: 'error',
    message: 'no key can be read from it: {reason}',
    hint: '"openssl genpkey -algorithm ed25519" makes a private key, "openssl pkey -pubout" its public one',
  },
  CACHE_ADDRESS_WRONG: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'the address {location} of the cache is wrong: {reason}',
    hint: 'redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], postgres://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE; in names and passwords, write %40 for @ and the like',
  },
  CACHE_RECORD_NAME: {
    severity: 'error',
    exit: EXIT.usage,
    message: '{name} names no record: a key is 64 hex digits, of which the first {least} or more will do',
    hint: '"seccompc cache ls" has the keys',
  },
  CACHE_RECORD_AMBIGUOUS: {
    severity: 'error',
    exit: EXIT.usage,
    message: '{count} records have keys that begin with {name}: {keys}',
    hint: 'give more of the digits',
  },
  CACHE_RECORD_MISSING: {
    severity: 'error',
    exit: EXIT.no,
    message: 'there is no record {name} in {location}',
    hint: '"seccompc cache ls" has those that there are',
  },
  CACHE_RECORD_DAMAGED: {
    severity: 'error',
    message: 'the record {key} is never used: {reason}',
    hint: '"seccompc cache verify --remove" removes all such records',
  },
  CACHE_ARCHIVE_INVALID: {
    severity: 'error',
    message: 'this is no export of a cache that could be imported, and nothing was changed: {reason}',
    hint: '"seccompc cache export" of this version makes one',
  },
  CACHE_RECORDS_LEFT_OUT: {
    severity: 'warning',
    message: '{count} records were left out as they are never used; of {key}, {reason}',
    hint: '"seccompc cache verify" says what is wrong with each',
  },
  CACHE_ALIASES_UNSIGNED: {
    severity: 'warning',
    message:
      '{count} aliases were left out: no key that you trust has signed them, and yours would be believed',
    hint: 'name the key of whoever made them by --trust, or say --unsigned if you know that nobody else could',
  },
  CACHE_TRANSFER_BROKEN: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: '{sent} records were sent, then it broke off: {reason}',
    hint: 'run it again, and only the rest is sent',
  },

  // -- container runtimes (src/oci)
  NOT_A_CONFIG: {
    severity: 'error',
    message: 'this is no config.json of an OCI bundle: {reason}',
    hint: 'give the folder of a bundle, or its config.json; a profile alone is for "seccompc compile"',
  },
  ANNOTATION_INVALID: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the annotation {key} is no filter: {reason}',
    hint: '"seccompc bundle" puts the right one in its place',
  },
  ANNOTATION_MISSING: {
    severity: 'error',
    exit: EXIT.no,
    message: 'there is no annotation {key}, so the runtime compiles linux.seccomp itself at every start',
    hint: '"seccompc bundle" adds it',
  },
  ANNOTATION_DIFFERS: {
    severity: 'error',
    exit: EXIT.no,
    message:
      'the annotation {key} is not what linux.seccomp means. {call}: linux.seccomp says {wanted}, the annotation {actual}',
    hint: '"seccompc bundle" puts the right one in its place',
  },
  ANNOTATION_NOT_PROVED: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the annotation {key} could not be proved to mean what linux.seccomp says: {reason}',
    hint: '"seccompc bundle" puts a proved one in its place',
  },
  ANNOTATION_BASELESS: {
    severity: 'warning',
    exit: EXIT.no,
    message:
      'there is an annotation {key}, but no linux.seccomp: crun loads that filter, any other runtime none at all',
    hint: 'give the container the profile as linux.seccomp too',
  },

  // -- server: requests over a socket, and who sends them (src/serve)
  REQUEST_INVALID: { severity: 'error', exit: EXIT.usage, message: '{reason}' },
  REQUEST_TOO_LARGE: { severity: 'error', exit: EXIT.usage, message: 'the request has more than {limit}' },
  REQUEST_TOO_SLOW: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'the request was not complete within its time',
  },
  REQUEST_TYPE: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'a profile is sent as application/json without a content coding, not as {type}',
    hint: 'with curl: -H "Content-Type: application/json" --data-binary @profile.json',
  },
  ANSWER_TYPE: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'there is none of the types that the request accepts',
    hint: 'there are application/json and application/octet-stream',
  },
  ROUTE_UNKNOWN: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'there is nothing at this address',
    hint: 'there are /v1/compile, /v1/filters/SHA256, /healthz and /metrics',
  },
  METHOD_UNKNOWN: { severity: 'error', exit: EXIT.usage, message: 'this address takes {allowed} only' },
  FILTER_UNKNOWN: {
    severity: 'error',
    exit: EXIT.no,
    message: 'no filter with this digest is kept',
    hint: 'compile its profile again',
  },
  SERVER_BUSY: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'the server has no room for another compilation',
    hint: 'try again later',
  },
  SERVER_STOPPING: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'the server is stopping',
    hint: 'try again later',
  },
  COMPILE_TOO_SLOW: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'the compilation was given up: it took longer than {limit}',
  },
  SOCKET_REFUSED: { severity: 'error', exit: EXIT.cannotCreate, message: 'no socket at {path}: {reason}' },
  SERVER_UNAVAILABLE: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'no answer from a server at {path}: {reason}',
    hint: 'start one by "seccompc serve"',
  },
  SERVER_ANSWER_REFUSED: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'the answer of the server at {path} was refused: {reason}',
  },

  NOT_IN_ANNOTATION: {
    severity: 'warning',
    message: 'the annotation holds the program only, not the {members} of the profile',
    hint: 'crun takes them from linux.seccomp: give the container the profile too (--security-opt seccomp=PROFILE)',
  },
  ONLY_CRUN_READS: {
    severity: 'note',
    message: 'only crun reads {key}; with another runtime the annotation has no effect',
    hint: '{client} starts crun when it is told so: {argument}',
  },
  LOADER_MISSING: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'there is no {program} on this machine to load the filter',
    hint: 'install perl; it needs Linux. bubblewrap can load a filter too: see docs/oci.md',
  },
  LOADER_FAILED: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'the command was not started under the filter: {reason}',
    hint: 'a filter that refuses execve refuses the command itself',
  },
  COMMAND_NOT_STARTED: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'cannot run {command}: {reason}',
  },
  FOREIGN_ANNOTATION: {
    severity: 'warning',
    message: 'the container came with an annotation {key} of somebody else, which was {what}',
  },
  ANNOTATION_CHANGED: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the annotation {key} that the runtime has read is not the one in config.json any more',
  },
  START_UNCONFINED: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the container would run without any filter',
    hint: 'give it a profile: no --privileged, no seccomp=unconfined',
  },
  CEILING_EXCEEDED: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the filter allows more than {file}. {call}: at most {limit}, but the filter gives {actual}',
  },
  CEILING_NOT_PROVED: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the filter could not be proved to stay within {file}: {reason}',
  },
  NOT_A_STATE: {
    severity: 'error',
    message: 'standard input is not what a runtime tells its hooks: {reason}',
    hint: 'this command is started by a runtime, as a hook of the stage createRuntime',
  },
  HOOK_FAILS_OPEN: {
    severity: 'warning',
    message:
      'podman passes over a hook whose program is missing: if {path} goes, containers start and the runtime compiles their profiles itself',
    hint: '"seccompc hook status" finds out; install with --with-check to have such starts refused',
  },
  HOOK_WITHOUT_AWK: {
    severity: 'note',
    message: 'there is no awk, so each start waits for Node',
    hint: 'install mawk, then run this again',
  },
  HOOK_FILE_FOREIGN: {
    severity: 'error',
    exit: EXIT.no,
    message: '{file} is not a hook file as this command writes it, so it is left alone',
    hint: 'move it away, or take another folder',
  },
  HOOK_NOT_INSTALLED: { severity: 'error', exit: EXIT.no, message: 'there is no hook of ours in {folder}' },
  HOOK_PROGRAM_MISSING: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the hook needs {path}, which cannot be run',
    hint: 'run "seccompc hook install" again',
  },
  HOOK_STORE_MISSING: {
    severity: 'error',
    exit: EXIT.no,
    message: 'the store {store} cannot be read',
    hint: 'run "seccompc hook install" again',
  },
  HOOK_STORE_STALE: {
    severity: 'warning',
    message: 'the filters in {store} were made by another version, or with other options',
    hint: 'run "seccompc hook install" again to have them made anew',
  },
  HOOK_STORE_FAILED: {
    severity: 'warning',
    message: 'the filter could not be kept in {store}, so the next start has to compile it again: {reason}',
  },
  CRUN_MISSING: { severity: 'error', exit: EXIT.unavailable, message: 'cannot run {program}: {reason}' },
  CRUN_WITHOUT_CACHE: {
    severity: 'error',
    exit: EXIT.unavailable,
    message:
      '{program} does not tell of which release it and its libseccomp are, so it is too old to have the cache',
    hint: 'crun has it since 1.14; an older one takes the annotation ("seccompc bundle")',
  },
  CRUN_UNTESTED: {
    severity: 'error',
    exit: EXIT.unavailable,
    message: 'how crun {version} names the files of its cache is not known',
    hint: 'known are 1.14 to 1.29; --force takes it for one of them, which at worst makes files that it never reads',
  },
  CRUN_CACHE_CONFLICT: {
    severity: 'error',
    exit: EXIT.no,
    message: 'crun finds {path} for this profile, but that program means something else',
    hint: 'crun leaves errnos out of the name: use the annotation ("seccompc bundle"), or remove the file if no other profile needs it',
  },

  // -- command line (src/cli)
  USAGE: { severity: 'error', exit: EXIT.usage, message: '{reason}' },
  HOST_ARCHITECTURE_UNKNOWN: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'this machine ("{machine}") is none of the architectures that seccomp filters exist for',
    hint: 'name the architecture of the target by --arch, such as --arch x86_64',
  },
  INPUT_UNREADABLE: { severity: 'error', exit: EXIT.noInput, message: 'cannot be read: {reason}' },
  OUTPUT_NOT_CREATED: {
    severity: 'error',
    exit: EXIT.cannotCreate,
    message: 'cannot create {file}: {reason}',
  },
  OUTPUT_NOT_WRITTEN: { severity: 'error', exit: EXIT.ioError, message: 'cannot write {file}: {reason}' },
  OUTPUT_IS_TERMINAL: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'a raw filter is binary and would only disturb the terminal',
    hint: 'read it by --format asm, or write it by -o FILE',
  },
  NOT_A_FILTER: {
    severity: 'error',
    message: 'this is no filter: {reason}',
    hint: 'a filter is 8 bytes an instruction, as "seccompc compile" writes it, or base64 of that',
  },
  NOT_CONFINED: {
    severity: 'warning',
    message:
      'the config.json has no linux.seccomp: the container runs WITHOUT a filter, and there is nothing to compile',
    hint: 'add linux.seccomp if a filter was meant',
  },
  FILTER_BYTE_ORDER: {
    severity: 'error',
    message:
      'the filter is {filterOrder}-endian, but {arch} is {order}-endian and its kernel would refuse it',
    hint: 'name the architecture that the filter was made for by --arch',
  },
  UNDECIDED: {
    severity: 'error',
    exit: EXIT.undecided,
    message: 'cannot decide: {reason}',
    hint: 'where the decision diagram is too large, a larger --node-budget may help; see docs/proof.md',
  },
  CALL_UNKNOWN: {
    severity: 'error',
    exit: EXIT.usage,
    message: 'no system call "{call}" on {arch}',
  },
  INTERNAL_ERROR: {
    severity: 'error',
    exit: EXIT.software,
    message: 'seccompc itself failed: {reason}',
    hint: 'this is not a fault of the input; DEBUG=1 shows where it happened',
  },
} as const satisfies Record<string, Entry>;

export type Code = keyof typeof TABLE;

/** Makes a diagnostic of the table's text. `values` fills the `{word}`s; `hint` replaces the table's. */
export function diagnostic(
  code: Code,
  values: Record<string, string | number | bigint> = {},
  where: { pointer?: string; hint?: string | (() => string | undefined); severity?: Severity } = {},
): Diagnostic {
  const entry: Entry = TABLE[code];
  const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (_, key: string) => String(values[key] ?? ''));
  const hint = where.hint ?? (entry.hint === undefined ? undefined : fill(entry.hint));
  const found: Diagnostic = {
    code,
    severity: where.severity ?? entry.severity,
    message: fill(entry.message),
    ...(where.pointer === undefined ? {} : { pointer: where.pointer }),
  };
  if (typeof hint === 'function') defineLater(found, hint);
  else if (hint !== undefined) found.hint = hint;
  return found;
}

/** A hint that costs a search is made when it is read for the first time. */
function defineLater(found: Diagnostic, make: () => string | undefined): void {
  let hint: { made: string | undefined } | undefined;
  Object.defineProperty(found, 'hint', {
    get: () => (hint ??= { made: make() }).made,
    enumerable: true,
    configurable: true,
  });
}

/** Reports of one code that are kept. A person reads a few; a hostile profile has one for every three bytes. */
export const MAX_OF_A_KIND = 100;

/** Adds diagnostics to a list, the first {@link MAX_OF_A_KIND} of each code; one note counts the others. */
export function collector(diagnostics: Diagnostic[]): (found: Diagnostic) => void {
  const counts = new Map<string, number>();
  const leftOut = new Map<string, Diagnostic>();
  return (found) => {
    const { code, severity, file } = found;
    const kind = `${code} ${severity}`;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    if (count <= MAX_OF_A_KIND) {
      diagnostics.push(found);
      return;
    }
    const more = diagnostic('MORE_OF_A_KIND', { count: count - MAX_OF_A_KIND, code });
    const known = leftOut.get(kind);
    if (known !== undefined) known.message = more.message;
    else {
      const note = { ...more, ...(file === undefined ? {} : { file }) };
      leftOut.set(kind, note);
      diagnostics.push(note);
    }
  };
}

/** Every member is there in every diagnostic, null where there is nothing to say. */
export function diagnosticJson(found: Diagnostic): Record<string, string | number | null> {
  const { code, severity, file, line, column, pointer, message, hint } = found;
  return {
    code,
    severity,
    file: file ?? null,
    line: line ?? null,
    column: column ?? null,
    pointer: pointer ?? null,
    message,
    hint: hint ?? null,
  };
}

/** All codes with their texts, in table order: for docs/errors.md. */
export function codeTable(): ReadonlyArray<Entry & { code: Code }> {
  return Object.entries(TABLE).map(([code, entry]) => ({ code: code as Code, ...entry }));
}

/** The only error this project throws on purpose: one or more diagnostics, and what to exit with. */
export class SeccompcError extends Error {
  override readonly name = 'SeccompcError';
  readonly diagnostics: readonly Diagnostic[];
  readonly exitCode: ExitCode;

  constructor(diagnostics: readonly Diagnostic[], options: { cause?: unknown } = {}) {
    const errors = diagnostics.filter((d) => d.severity === 'error');
    super(
      errors.map((d) => `${d.message} [${d.code}]`).join('\n'),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.diagnostics = diagnostics;
    const first = errors[0];
    const entry: Entry | undefined = first && TABLE[first.code];
    this.exitCode = entry?.exit ?? EXIT.dataError;
  }
}

/** Throws a single fault of the table. */
export function fail(
  code: Code,
  values: Record<string, string | number | bigint> = {},
  where: { pointer?: string; hint?: string; cause?: unknown } = {},
): never {
  throw new SeccompcError([diagnostic(code, values, where)], { cause: where.cause });
}
