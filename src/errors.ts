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
  /** An error unless said. */
  severity?: Severity;
  /** Exit code when this is an error that ends the command; 65 unless said. */
  exit?: ExitCode;
  /** `{word}` is replaced by the parameter of that name. */
  message: string;
  hint?: string;
}

// Sections by stage. Keep each sorted by the order in which the stage can find it.
const TABLE = {
  // -- reading: the text of a profile (src/profile)
  NOT_A_PROFILE: { message: 'this is {what}, not an OCI or Docker seccomp profile' },
  PROFILE_FOUND: { severity: 'note', message: 'the profile is {where}' },
  SEVERAL_PROFILES: {
    message: 'this document has {count} places that can be meant: {places}',
    hint: 'give one of them, for example by "jq .[0] FILE"',
  },
  YAML_REFUSED: {
    message: 'YAML that is not clear: {reason}',
    hint: 'write numbers in decimal digits and texts in quotes, without anchors and tags, in one document',
  },
  IMPORT_REFUSED: { message: 'cannot import this exactly: {reason}' },
  IMPORT_SECTION: {
    severity: 'note',
    message: 'LXC gives the rules of {section} to all architectures of the machine, and so does the profile',
  },
  IMPORT_LEFT_OUT: {
    severity: 'note',
    message: '{setting} makes a filter of its own, which is not in the profile',
  },
  BYTE_ORDER_MARK: {
    severity: 'warning',
    message: 'the file starts with a byte order mark; Docker and Podman refuse it',
    hint: 'save it as UTF-8 without a byte order mark',
  },
  JSON_TOO_LARGE: { message: 'the text has more than {limit} characters' },
  JSON_TOO_DEEP: { message: 'more than {limit} levels of objects and arrays' },
  JSON_SYNTAX: { message: 'not JSON: {reason}' },
  JSON_COMMENT: {
    message: 'JSON has no comments: crun skips them, every other runtime refuses the file',
    hint: 'put it into a member named "comment"',
  },
  JSON_TRAILING_COMMA: {
    message: 'trailing comma after the last element',
    hint: 'remove the comma',
  },
  JSON_DUPLICATE_KEY: { message: 'duplicate key {key}: readers disagree on which one counts' },
  JSON_AFTER_END: { message: 'unexpected {found} after the end of the document' },
  JSON_NUL: {
    message: 'the string {value} contains a NUL character; crun reads only the part before it',
    hint: 'remove the NUL character',
  },
  JSON_SURROGATE: {
    message:
      'the string {value} contains half a surrogate pair; runtimes replace it with different characters',
    hint: 'write the character itself, or both halves of the pair',
  },
  WRONG_TYPE: { message: '{member} must be {expected}, not {found}' },
  MISSING_MEMBER: { message: '{owner} has no {member}' },
  UNKNOWN_ACTION: { message: 'unknown action {value}' },
  UNKNOWN_OPERATOR: { message: 'unknown operator {value}' },
  UNKNOWN_FLAG: { message: 'unknown filter flag {value}' },
  ARG_INDEX_RANGE: { message: 'argument index {value} is out of range: a system call has arguments 0 to 5' },
  NUMBER_FORM: { message: '{member} is {value}, but runtimes accept only whole numbers in decimal digits' },
  NUMBER_RANGE: { message: '{member} must be 0 to {largest}, not {value}' },
  EMPTY_NAME: { message: '{member} is empty; runc refuses the profile' },
  KEY_CASE: {
    severity: 'warning',
    message: 'the key {key} is read as "{proper}": Docker and Podman ignore case, other readers do not{more}',
    hint: 'write "{proper}"',
  },
  KEY_CASE_IGNORED: {
    severity: 'warning',
    message: 'the key {key} is ignored, as crun does, but runc reads it as "{proper}"{more}',
    hint: 'write "{proper}", or remove it',
  },
  KEY_CASE_RUNC: {
    severity: 'warning',
    message: 'the key {key} is read as "{proper}", as runc does, but crun ignores it{more}',
    hint: 'write "{proper}", or remove it',
  },
  READ_OTHERWISE: {
    message: 'the profile was read as {reader} reads it, but {semantics} reads some of its keys differently',
    hint: 'pass the semantics of the target to readProfile',
  },
  ENGINE_KEY_IGNORED: {
    severity: 'warning',
    message: 'only Docker and Podman read {key}, an OCI runtime ignores it: {effect}{more}',
    hint: 'resolve the profile first ("seccompc resolve") and put the result here',
  },
  RULES_IGNORED: {
    severity: 'warning',
    message: 'the key {key} looks like rules, but NOTHING reads it: they have no effect{more}',
    hint: 'put rules into "syscalls", each with "names" and "action"',
  },
  UNKNOWN_KEY: {
    severity: 'warning',
    message: 'no runtime reads the key {key}{more}',
    hint: 'remove it, or correct its spelling',
  },

  // -- resolving: the Docker dialect against its target (src/profile/docker.ts)
  ARCHITECTURES_AND_ARCHMAP: {
    message: 'the profile has both architectures and archMap; Docker and Podman refuse it',
    hint: 'keep one of the two',
  },
  ARCHMAP_NOT_APPLIED: {
    severity: 'warning',
    message: '{engine} does not apply archMap on {arch}, so the filter has {arch} only',
    hint: 'name the architectures with --architectures, or list them in "architectures" instead of archMap',
  },
  ARCHMAP_WITHOUT_NATIVE: {
    severity: 'warning',
    message: 'archMap has no entry for {name}, so the filter has {arch} only',
    hint: 'add an entry for {name} to archMap',
  },
  NAME_AND_NAMES: {
    message: 'the entry has both name and names; Docker and Podman refuse it',
    hint: 'keep names',
  },
  ENTRY_WITHOUT_NAMES: {
    severity: 'warning',
    message: 'the entry names no system call, so it has no effect{more}',
    hint: 'add "names": [...], or remove the entry',
  },
  MIN_KERNEL_INVALID: { message: 'minKernel must be two numbers from 0 to 255 such as "4.8", not {value}' },
  MIN_KERNEL_IGNORED: {
    severity: 'warning',
    message: 'Podman ignores minKernel, so the entry {effect} on every kernel{more}',
    hint: 'remove minKernel if every kernel may have the entry, or keep a profile for each engine',
  },
  ERRNO_NAME_UNKNOWN: { message: 'unknown errno {value}' },
  DOCKER_MEMBER_IGNORED: {
    severity: 'warning',
    message: 'Docker {release} does not read "{member}", so the runtime does not get it',
    hint: 'Docker reads it from 23.0 on; --engine docker says what the newest release does',
  },
  ERRNO_NAME_IGNORED: {
    severity: 'warning',
    message: 'Docker ignores {member}, so {effect}{more}',
    hint: 'give the number as {member}Ret too',
  },
  ARCHES_NEVER_MATCH: {
    severity: 'warning',
    message: '{engine} does not know an architecture {value}, so this never matches{more}',
    hint: 'correct its spelling, or remove it',
  },
  UNKNOWN_CAPABILITY: {
    severity: 'warning',
    message: 'unknown capability {value}, so this never matches{more}',
    hint: 'use a name of capabilities(7), such as "CAP_SYS_ADMIN"',
  },

  // -- target: what to compile for (src/target.ts)
  TARGET_INVALID: { exit: EXIT.usage, message: '{reason}' },

  // -- policies of sandboxes (src/sandbox)
  POLICY_RULE: { message: '{rule}: {reason}' },
  POLICY_CONFLICT: {
    message: '{first} and {second} give one call different answers on {arch}',
    hint: 'add conditions, such as isNot, so that only one of them matches',
  },

  // -- policy: the resolved profile against its target (src/policy)
  MISSING_DEFAULT_ACTION: {
    message: 'defaultAction is missing: some runtimes would start the container without a filter',
    hint: 'add "defaultAction": "SCMP_ACT_ERRNO"',
  },
  UNKNOWN_ARCHITECTURE: {
    message: 'unknown architecture "{name}"',
    hint: 'the runtime-spec has 23, such as "SCMP_ARCH_X86_64" and "SCMP_ARCH_AARCH64"',
  },
  ARCHITECTURE_SPELLING: {
    severity: 'warning',
    message: 'architecture "{name}" is read as {proper}, but only crun accepts this spelling',
    hint: 'write "{proper}"',
  },
  MIXED_BYTE_ORDER: {
    message:
      'one filter cannot contain both {native} ({nativeOrder}-endian) and {other} ({otherOrder}-endian)',
    hint: 'list architectures of one byte order, or replace the list with --architectures',
  },
  ARCHITECTURES_CUT: {
    severity: 'note',
    message: 'every call of {names} now ends its thread (KILL_THREAD)',
    hint: '"seccompc diff PROFILE RESULT --loosens" shows the calls',
  },
  YOUKI_REFUSES: { message: 'youki {what}' },
  NOTIFY_DEFAULT: {
    message: 'SCMP_ACT_NOTIFY as default action blocks the container before its listener is handed over',
    hint: 'use SCMP_ACT_NOTIFY only for named calls; --force compiles the profile unchanged',
  },
  NOTIFY_WITHOUT_LISTENER: {
    severity: 'warning',
    message: 'SCMP_ACT_NOTIFY without listenerPath: {effect}',
    hint: 'add "listenerPath"{force}',
  },
  FLAG_REFUSED: {
    message: 'no runtime takes the flag {flag}: crun and runc refuse to start the container',
    hint: 'remove it; runtimes add what they need themselves',
  },
  FLAG_NEEDS_RELEASE: {
    severity: 'warning',
    message: 'runc before {release} refuses to start a container with {flag}',
    hint: 'remove it, or require that release',
  },
  FLAG_NEEDS_LISTENER: {
    severity: 'warning',
    message: 'the kernel refuses {flag} without a listener; crun then drops all flags of the profile',
    hint: 'remove it, or add SCMP_ACT_NOTIFY with "listenerPath"',
  },
  LISTENER_METADATA_ALONE: {
    severity: 'warning',
    message: 'the runtime-spec forbids listenerMetadata without listenerPath',
    hint: 'add "listenerPath", or remove listenerMetadata',
  },
  ERRNO_WITHOUT_EFFECT: {
    message: '{action} carries no errno, so {member} is wrong here: crun refuses it, runc ignores it',
    hint: 'remove {member}',
  },
  ERRNO_TOO_LARGE: { message: 'errno {errno} is too large: runtimes accept at most {limit}' },
  ERRNO_MASKED: {
    severity: 'warning',
    message: 'errno {wanted} is truncated to 16 bits and becomes {errno}',
    hint: 'write {errno}, or the errno that you mean',
  },
  ERRNO_MASKED_TO_ZERO: {
    severity: 'warning',
    message: 'errno {wanted} is truncated to 16 bits and becomes 0: a refused call then reports success',
    hint: 'write an errno from 1 to 4094',
  },
  MISSING_NAMES: {
    message: 'the entry has no names, so it makes no rule',
    hint: 'add "names": [...]',
  },
  UNKNOWN_SYSCALL: {
    severity: 'warning',
    message: 'no architecture has a system call "{name}", so it makes no rule',
    hint: 'correct the name, or remove it',
  },
  TOO_MANY_ARGS: {
    severity: 'warning',
    message: 'the entry has {count} args: crun reads only the first {limit}, runc reads all',
    hint: 'write one entry for each alternative',
  },
  ARGS_ALTERNATIVE: {
    severity: 'warning',
    message:
      'an argument index repeats, so the conditions are alternatives: the rule matches if any one of them holds',
    hint: 'write one entry for each alternative; check whether you meant a range',
  },
  NOTIFY_ON_WRITE: {
    message: 'SCMP_ACT_NOTIFY on write blocks the runtime before it can hand over the listener',
    hint: 'remove write from the entry; --force compiles the profile unchanged',
  },
  ENTRY_EQUALS_DEFAULT: {
    severity: 'note',
    message: 'the entry has the default action {action}, so it makes no rule and does not shadow one',
  },
  ENTRY_WITHOUT_CALL: {
    severity: 'warning',
    message: 'the entry refuses nothing on {arch}, because {names} are no system calls there',
    hint: 'also name the calls that do the same there, such as mkdirat for mkdir',
  },
  NO_RULE_FOR_NATIVE: {
    severity: 'warning',
    message: 'no entry names a system call of {arch}, so all its calls get {action}',
    hint: 'also name the calls that do the same there, such as mkdirat for mkdir',
  },
  KILL_IS_THREAD: {
    severity: 'note',
    message: 'SCMP_ACT_KILL ends only the thread that makes the call; other threads of the process go on',
    hint: 'write "SCMP_ACT_KILL_PROCESS" to end the process, or "SCMP_ACT_KILL_THREAD" if you mean the thread',
  },
  CONSTANT_CUT: {
    severity: 'warning',
    message: '{value} is truncated to its low 32 bits on {arches}',
    hint: 'compare at most 32 bits, or leave these architectures out with --architectures',
  },
  ENOSYS_AFTER_NEEDS_DENY: { message: '--enosys-after has no meaning with the default action {action}' },
  CONFLICTING_RULES: {
    message:
      '{name} on {arch} has the same conditions here with {action} and at {place} ({other}) with {otherAction}',
    hint: 'the runtimes fail with "File exists"; keep one of the two',
  },
  OVERLAPPING_RULES: {
    severity: 'warning',
    message:
      '{name} on {arch}: {action} here and {otherAction} at {place} both match {example}, which gets {winner}{more}',
    hint: 'make the conditions exclude each other; where actions differ in kind, runtimes may answer less strictly',
  },
  OVERLAPS_NOT_SEARCHED: {
    severity: 'warning',
    message:
      '{name} on {arch} has {count} rules with different actions: not all pairs were searched for overlaps',
    hint: 'use fewer rules on one call',
  },
  MULTIPLEXED_BYPASS: {
    severity: 'warning',
    message:
      'on {arch}, {by} gets {action} unconditionally, so calls of {name} through {by} bypass these conditions',
    hint: 'do not give {by} {action}: an entry that refuses it with an errno other than the default, such as 38 (ENOSYS), makes programs call {name} itself',
  },
  MULTIPLEXED_ARGS: {
    severity: 'warning',
    message:
      'on {arch}, {name} is also reachable through {by}: conditions on argument 0 are lost there, the others test the arguments of {by}',
    hint: 'add an entry that refuses {by} without conditions, with an errno other than the default, such as 38 (ENOSYS)',
  },

  // -- lint: what a profile means, and its author perhaps not (src/lint)
  ENTRY_WITHOUT_EFFECT: {
    severity: 'warning',
    message: 'the entry has no effect{on}: {why}',
    hint: 'remove the entry, or correct it',
  },
  ARGUMENT_WIDTH: {
    severity: 'warning',
    message:
      'the kernel keeps {bits} bits of argument {arg} of {name}, and this compares more of them: {effect}',
    hint: 'compare only the bits that the kernel keeps, with SCMP_CMP_MASKED_EQ',
  },
  CONDITION_WITHOUT_EFFECT: {
    severity: 'warning',
    message: 'the condition does not test what it seems to: {why}',
    hint: 'remove the condition, or correct it',
  },
  MISSING_SIBLING: {
    severity: 'warning',
    message: '{name} is restricted here, but on {arches} {others} {why}, and nothing restricts that',
    hint: 'add {others} to the entry',
  },
  ENOSYS_EXPECTED: {
    severity: 'note',
    message: '{names} {verb} {answer}; libraries use an older call instead only if they get ENOSYS',
  },
  FALSE_SUCCESS: {
    severity: 'warning',
    message: 'errno 0: the call does not run, and reports success',
    hint: 'give the errno that programs expect, such as 1 (EPERM) or 38 (ENOSYS)',
  },
  DANGEROUS_CALL: {
    severity: 'warning',
    message: '{names} {verb} allowed on {arches}; {each} {why}',
    hint: 'take it out, or put it into an entry for containers that have the capability for it',
  },
  ASSERTION_BROKEN: { message: '"{text}" does not hold: {reason}' },
  ASSERTION_UNDECIDED: {
    severity: 'warning',
    message: '"{text}" is undecided: {reason}',
    hint: 'docs/proof.md tells what cannot be decided',
  },
  IGNORE_INVALID: {
    severity: 'warning',
    message: 'this "seccompc:ignore" has no effect: {reason}',
    hint: 'write "seccompc:ignore CODE reason"',
  },
  FIX_REFUSED: {
    severity: 'warning',
    message: 'fixes were not applied ({count}): {reason}',
    hint: 'make the changes by hand',
  },

  // -- any stage
  MORE_OF_A_KIND: { severity: 'note', message: '{count} more reports of {code} are left out' },

  // -- proof (src/compile/proof.ts)
  NOT_PROVED: {
    severity: 'note',
    exit: EXIT.undecided,
    message: 'the program is not proved: {reason}',
  },
  PROOF_CONTRADICTS: {
    exit: EXIT.software,
    message: 'the compiled program differs from the profile, so nothing was written. {witness}',
    hint: 'this is a bug in seccompc; please report it with the profile',
  },

  // -- check: the kernel's acceptance rules (src/bpf/check.ts)
  FILTER_EMPTY: { message: 'the filter has no instructions; the kernel refuses it' },
  FILTER_TOO_LONG: {
    message: 'the filter has {length} instructions; the kernel accepts at most {limit}',
    hint: 'compile for fewer architectures (--architectures), or allow a call without conditions',
  },
  TOO_MANY_RULES: {
    message:
      '{name} on {arch} has {rules} rules with conditions. They do not fit into {limit} instructions, the limit of the kernel',
    hint: 'use fewer rules for this call, for example one range instead of many single values',
  },
  FILTER_INVALID: { message: 'the kernel would refuse instruction {index}: {reason}' },

  // -- cache: never a failure, always a fresh compile instead (src/cache)
  CACHE_UNAVAILABLE: {
    severity: 'warning',
    message: 'the cache at {location} was not used: {reason}',
    hint: 'the result is correct, only slower; "seccompc cache clear" repairs a damaged cache',
  },
  CACHE_MODULE_MISSING: {
    severity: 'warning',
    message: 'the cache at {location} was not used: this Node has no SQLite',
    hint: 'use Node 22.13 or newer, or install @photostructure/sqlite beside seccompc',
  },
  CACHE_WITHOUT_SQLITE: {
    severity: 'warning',
    message: 'this Node has no SQLite, so the cache at {location} keeps a file for each record',
    hint: 'use Node 22.13 or newer, or install @photostructure/sqlite beside seccompc; this is said once',
  },
  CACHE_FOLDER_UNSAFE: {
    severity: 'warning',
    message: 'the cache is not used, because somebody else could put a filter there: {location}: {reason}',
    hint: 'make it your own with mode 700, or choose another directory with --cache',
  },
  CACHE_DATABASE_REFUSED: {
    severity: 'warning',
    message: 'the cache at {location} was not used: {reason}',
    hint: '"seccompc cache clear" makes a new one; choose another with --cache, or use --no-cache',
  },
  CACHE_DATABASE_FOREIGN: {
    severity: 'warning',
    message: 'the cache at {location} was not used: it is a database of another program',
    hint: 'choose another file with --cache, or use --no-cache',
  },
  CACHE_ENTRY_REFUSED: {
    severity: 'warning',
    message: 'a cache entry was not used: {reason}',
    hint: 'the filter is correct; "seccompc cache verify --remove" removes such entries',
  },
  CACHE_FAILED: { exit: EXIT.unavailable, message: '{reason}' },
  CACHE_SCHEME_UNKNOWN: {
    exit: EXIT.usage,
    message: 'unknown kind of cache: "{location}"',
    hint: 'use a directory, sqlite:FILE, redis://HOST, postgres://HOST/DATABASE or oci://HOST/NAME',
  },
  CACHE_KEY_INVALID: {
    message: 'cannot read a key: {reason}',
    hint: '"openssl genpkey -algorithm ed25519" makes a private key, "openssl pkey -pubout" its public one',
  },
  CACHE_ADDRESS_WRONG: {
    exit: EXIT.usage,
    message: 'wrong cache address {location}: {reason}',
    hint: 'redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], postgres://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE, oci://HOST[:PORT]/NAME; in names and passwords, write %40 for @ and the like',
  },
  CACHE_RECORD_NAME: {
    exit: EXIT.usage,
    message: '{name} is not a key: give at least the first {least} of its 64 hex digits',
    hint: '"seccompc cache ls" lists the keys',
  },
  CACHE_RECORD_AMBIGUOUS: {
    exit: EXIT.usage,
    message: '{count} keys begin with {name}: {keys}',
    hint: 'give more digits',
  },
  CACHE_RECORD_MISSING: {
    exit: EXIT.no,
    message: 'no record {name} in {location}',
    hint: '"seccompc cache ls" lists the records',
  },
  CACHE_RECORD_DAMAGED: {
    message: 'the record {key} is damaged and never used: {reason}',
    hint: '"seccompc cache verify --remove" removes all such records',
  },
  CACHE_ARCHIVE_INVALID: {
    message: 'cannot import this file, nothing was changed: {reason}',
    hint: 'export the cache again with this version',
  },
  CACHE_EXPORT_UNSAFE: {
    message: 'somebody else could have changed this file, so --unsigned does not accept it: {path}: {reason}',
    hint: 'move it to a directory that only you and root can write to, or give the key of its signer with --trust',
  },
  CACHE_RECORDS_LEFT_OUT: {
    severity: 'warning',
    message: '{count} damaged records were left out, such as {key}: {reason}',
    hint: '"seccompc cache verify" lists what is wrong with each',
  },
  CACHE_ALIASES_UNSIGNED: {
    severity: 'warning',
    message:
      '{count} aliases were left out: not signed by a trusted key; entries in your own cache are trusted without a signature',
    hint: 'name their signing key with --trust, or pass --unsigned if nobody else can write to that cache',
  },
  CACHE_TRANSFER_BROKEN: {
    exit: EXIT.unavailable,
    message: 'interrupted after {sent} records: {reason}',
    hint: 'run the command again to send the rest',
  },

  // -- registries (src/distribution, src/registry)
  REFERENCE_INVALID: {
    exit: EXIT.usage,
    message: 'wrong reference {text}: {reason}',
    hint: 'oci://HOST[:PORT]/NAME[:TAG][@sha256:DIGEST]',
  },
  REGISTRY_CREDENTIALS: {
    message: 'the credentials for the registry cannot be read: {reason}',
    hint: 'log in again by "docker login" or "podman login"',
  },
  REGISTRY_UNREACHABLE: {
    exit: EXIT.unavailable,
    message: '{place} cannot be asked: {reason}',
    hint: 'run the command again: what the registry has is not sent again',
  },
  REGISTRY_DENIED: {
    exit: EXIT.unavailable,
    message: '{place} does not let us in: {reason}',
    hint: 'log in by "docker login" or "podman login"; REGISTRY_AUTH_FILE and DOCKER_CONFIG name other files of credentials',
  },
  REGISTRY_REFUSED: { exit: EXIT.unavailable, message: '{place} refuses: {reason}' },
  REGISTRY_DAMAGED: {
    message: '{place} gives something else than it should: {reason}',
    hint: 'nothing of it was used; somebody may have changed it, push it again',
  },
  REGISTRY_MISSING: {
    exit: EXIT.noInput,
    message: 'there is no {reference}',
  },
  REGISTRY_UNSIGNED: {
    message: '{reference} is not used: {reason}',
    hint: 'sign it with "seccompc push --sign" or cosign, or name it by its digest',
  },
  REGISTRY_NO_PROFILE: { message: '{reference} is no seccomp profile: {reason}' },
  REGISTRY_NO_FILTER: {
    exit: EXIT.no,
    message: 'no filter of {reference} can be used for {target}: {reason}',
    hint: 'compile the profile, or push it again with --arch',
  },
  PROFILE_NOT_PORTABLE: {
    message: 'runtimes refuse this profile as an artifact: {reason}',
    hint: '"seccompc simplify" takes out entries that are not needed; any profile can be given to a runtime as a file',
  },
  PROFILE_NEEDS_TARGET: {
    message: 'a profile of the Docker dialect means something else on each machine: {reason}',
    hint: 'give one --arch and --kernel for which it is resolved, or an OCI profile ("seccompc resolve")',
  },
  PROFILE_NAME: {
    exit: EXIT.usage,
    message: 'no repository can have the name of this profile: {reason}',
    hint: 'push it alone, to a reference of your choice',
  },

  // -- records of refused calls (src/audit)
  STRACE_MISSING: {
    exit: EXIT.unavailable,
    message: 'there is no strace',
    hint: 'install it ("apt-get install strace"), or give a log from elsewhere with --from-log',
  },
  NOTHING_RECORDED: {
    exit: EXIT.no,
    message: 'no call was recorded',
    hint: 'strace says above why it could not run the command; a log must be that of "strace -f"',
  },
  RECORDED_COMMAND_FAILED: {
    severity: 'warning',
    message: 'the command ended with exit code {end}, so it may not have done all of its work',
    hint: 'record a run that succeeds, unless this is the exit code of one',
  },
  ARGUMENT_NOT_NARROWED: {
    severity: 'warning',
    message: '{argument} was not narrowed: a value is not known, or there are too many',
    hint: 'write the condition by hand if there is one; "seccompc lookup" shows the arguments of the call',
  },
  RECORD_INCOMPLETE: {
    severity: 'note',
    message:
      'the profile has the {calls} calls of this run on {arches}: other inputs, errors, C libraries and kernels make others, and arguments were not looked at unless --args names them',
    hint: 'try it with "seccompc exec", and let "seccompc audit" add what it refuses',
  },
  CALL_ENDED_COMMAND: {
    severity: 'note',
    message: 'the filter ended the command at {call} on {arch}: {answer}',
    hint: '"dmesg | seccompc audit --profile {file}" shows the change that allows it',
  },
  CALL_ENDED_CHILD: {
    severity: 'note',
    message:
      'by exit code {code}, SIGSYS ended a process of the command, probably {program} at {call} on {arch}: {answer}',
    hint: 'not certain: the log does not tell whose process it was, and this is its last record since the start that fits the profile; "dmesg | seccompc audit --profile {file}" shows the change that allows it',
  },
  CALL_NOT_LOGGED: {
    severity: 'note',
    message: 'SIGSYS ended {ended}, so the filter may have refused a call: {reason}',
    hint: 'find it with "strace -f -o LOG" before this command, then "seccompc audit LOG --profile {file}"',
  },
  NO_RECORDS: {
    exit: EXIT.no,
    message: 'no record of a refused call',
    hint: 'the kernel logs KILL and LOG, and other actions under SECCOMP_FILTER_FLAG_LOG if /proc/sys/kernel/seccomp/actions_logged has them; "strace -f" shows the rest',
  },
  RECORD_UNREADABLE: {
    severity: 'warning',
    message: '{count} records were left out, the first one here: no such architecture, call or action',
    hint: '"ausearch" without -i prints numbers, which are read also where the names are not known',
  },

  // -- container runtimes (src/oci)
  NOT_A_CONFIG: {
    message: 'this is not the config.json of an OCI bundle: {reason}',
    hint: 'give a bundle directory or its config.json; use "seccompc compile" for a profile',
  },
  CONFIG_KEY_CASE: {
    message: 'the key {key} means "{proper}" to runc and nothing to crun',
    hint: 'write "{proper}", or remove it',
  },
  ANNOTATION_INVALID: {
    exit: EXIT.no,
    message: 'the annotation {key} is not a filter: {reason}',
    hint: '"seccompc bundle" replaces it with the right one',
  },
  ANNOTATION_MISSING: {
    exit: EXIT.no,
    message: 'the annotation {key} is missing, so the runtime compiles linux.seccomp at every start',
    hint: '"seccompc bundle" adds it',
  },
  ANNOTATION_DIFFERS: {
    exit: EXIT.no,
    message:
      'the annotation {key} differs from linux.seccomp. {call}: linux.seccomp says {wanted}, the annotation {actual}',
    hint: '"seccompc bundle" replaces it with the right one',
  },
  ANNOTATION_NOT_PROVED: {
    exit: EXIT.no,
    message: 'the annotation {key} could not be proved equal to linux.seccomp: {reason}',
    hint: '"seccompc bundle" replaces it with a proved one',
  },
  ANNOTATION_BASELESS: {
    severity: 'warning',
    exit: EXIT.no,
    message: 'annotation {key} without linux.seccomp: crun loads that filter, every other runtime loads none',
    hint: 'also give the container the profile as linux.seccomp',
  },
  NOT_IN_ANNOTATION: {
    severity: 'warning',
    message: 'the annotation contains only the program, not the {members} of the profile',
    hint: 'crun reads them from linux.seccomp: also pass --security-opt seccomp=PROFILE',
  },
  ONLY_CRUN_READS: {
    severity: 'note',
    message: 'only crun reads {key}; another runtime enforces the profile that {client} gives it',
    hint: 'also give {client}: {arguments}',
  },
  CLIENT_READS_OTHERWISE: {
    message:
      '{client} does not read {what} as a profile: under another runtime than crun the container would have the wrong filter, or none',
    hint: 'convert it with "seccompc resolve", and give the result to this command and to {client}',
  },
  LAUNCHER_ARCHITECTURE: {
    exit: EXIT.usage,
    message: 'there is no launcher for {arch}',
    hint: 'launchers are for {arches}; elsewhere compile with --format c and build it with -DSECCOMPC_MAIN',
  },
  LAUNCHER_HAS_NO_LISTENER: {
    message: 'a launcher cannot answer {what}',
    hint: 'use a profile without SCMP_ACT_NOTIFY and its flags, or a container runtime with a listener',
  },
  LOADER_MISSING: {
    exit: EXIT.unavailable,
    message: 'the program that loads and reads filters cannot be started: {reason}',
    hint: 'the package must be unpacked on a file system that allows programs; for other architectures build a loader: --format c and -DSECCOMPC_MAIN',
  },
  LOADER_FAILED: {
    exit: EXIT.unavailable,
    message: 'the command was not started under the filter: {reason}',
    hint: 'a filter that refuses execve also refuses the command',
  },
  COMMAND_NOT_STARTED: { exit: EXIT.unavailable, message: 'cannot run {command}: {reason}' },
  FOREIGN_ANNOTATION: {
    severity: 'warning',
    message: 'the container has an annotation {key} that is not from this hook; it was {what}',
    hint: 'find out what sets it; it may be another hook',
  },
  ANNOTATION_CHANGED: {
    exit: EXIT.no,
    message: 'the annotation {key} has changed since the runtime read config.json: {change}',
    hint: 'find out what writes to the bundle; it may be another hook',
  },
  START_UNCONFINED: {
    exit: EXIT.no,
    message: 'the container would run without a filter',
    hint: 'give it a profile; do not use --privileged or seccomp=unconfined',
  },
  CEILING_EXCEEDED: {
    exit: EXIT.no,
    message: 'the filter allows more than {file}. {call}: at most {limit}, but the filter gives {actual}',
  },
  CEILING_NOT_PROVED: {
    exit: EXIT.no,
    message: 'the filter could not be proved to allow at most what {file} allows: {reason}',
  },
  CEILING_LISTENER: {
    exit: EXIT.no,
    message: '{source} hands calls to {listener}, which can let through what {file} refuses',
    hint: 'if you trust that listener, name it with --listener',
  },
  LISTENER_UNKNOWN: {
    exit: EXIT.no,
    message: 'the environment of the runtime may name a listener, but cannot be read: {reason}',
  },
  PROFILE_UNSEEN: {
    severity: 'note',
    message:
      'only config.json as it is now was checked: the runtime compiles linux.seccomp itself, and a hook of this stage cannot see what it read',
    hint: 'check the loaded filter with a poststart hook "seccompc hook check --loaded", or use --require-annotation',
  },
  FILTER_UNREADABLE: {
    exit: EXIT.noInput,
    message: 'cannot read the loaded filter of process {pid}: {reason}',
    hint: 'this needs Linux and root outside of user namespaces, and seccompc itself must not have a filter',
  },
  LOADED_NONE: {
    exit: EXIT.no,
    message: 'process {pid} has no filter (Seccomp: {mode})',
    hint: 'before the stage poststart the runtime has not loaded the filter',
  },
  LOADED_DIFFERS: {
    exit: EXIT.no,
    message: '{which} not equal to linux.seccomp. {call}: linux.seccomp says {wanted}, the filter {actual}',
    hint: 'with runc, use --semantics runc; an older libseccomp ignores calls that it does not know',
  },
  LOADED_NOT_PROVED: {
    exit: EXIT.no,
    message: 'the loaded filter could not be proved equal to linux.seccomp: {reason}',
  },
  FILTERS_OF_THREADS: {
    severity: 'warning',
    message:
      'this is about thread {pid}, which has {count} filters: {others} of the {threads} threads of its process have more or fewer',
    hint: '"grep Seccomp_filters /proc/{pid}/task/*/status" shows them; --pid also takes the id of a thread',
  },
  FILTERS_OF_CONTAINER: { severity: 'note', message: 'container {name} is process {pid} ({engines})' },
  PROCESS_32_BIT: {
    severity: 'note',
    message: 'process {pid} runs a 32-bit program: its calls have the numbers of another architecture',
  },
  FLAGS_UNSEEN: {
    severity: 'note',
    message:
      'the {members} of the profile are not compared: the kernel does not tell them of a loaded filter',
  },
  CONTAINER_NOT_FOUND: {
    exit: EXIT.noInput,
    message: 'no running container {name} here. {reasons}',
    hint: 'root does not see the containers of other users; --pid takes the process itself',
  },
  CONTAINER_AMBIGUOUS: {
    exit: EXIT.usage,
    message: '{name} is several containers. {reasons}',
    hint: 'say which, such as --container {engine}:{name}',
  },
  CONTAINER_ENGINE_MISSING: {
    exit: EXIT.unavailable,
    message: 'no program in PATH to ask for a container: {engines}',
    hint: '--pid takes the process itself',
  },
  CONTAINER_ENDED: {
    severity: 'warning',
    message: 'the container was ended: process {pid} got SIGKILL',
    hint: 'the errors beside this one say why',
  },
  CONTAINER_NOT_ENDED: { exit: EXIT.no, message: 'the container could not be ended: {reason}' },
  NOT_A_STATE: {
    message: 'standard input is not the container state that runtimes give to hooks: {reason}',
    hint: 'a runtime starts this command as a hook of the stage createRuntime or poststart',
  },
  HOOK_FAILS_OPEN: {
    severity: 'warning',
    message:
      'podman skips a hook whose program is missing: without {path}, containers start and the runtime compiles their profiles',
    hint: '"seccompc hook status" reports it; install with --with-check to refuse such starts',
  },
  HOOK_WITHOUT_AWK: {
    severity: 'note',
    message: 'awk is missing, so each container start waits for Node',
    hint: 'install mawk, then run this command again',
  },
  HOOK_FILE_FOREIGN: {
    exit: EXIT.no,
    message: '{file} was not written by this command, so it was not changed',
    hint: 'move it away, or use another directory',
  },
  HOOK_NOT_INSTALLED: { exit: EXIT.no, message: 'no hook of seccompc in {folder}' },
  HOOK_REASONS: { severity: 'note', message: '{log} has the reason of each start that the check refuses' },
  HOOK_LEFT: {
    severity: 'note',
    message: '{path} is left in place',
    hint: 'remove it if nothing else uses it',
  },
  HOOK_PROGRAM_MISSING: {
    exit: EXIT.no,
    message: 'containers need {path} to start with their filter, and it is missing or not executable',
    hint: 'run the same "seccompc ... install" again',
  },
  PLACE_UNSAFE: {
    exit: EXIT.cannotCreate,
    message: 'somebody else could change what containers load, or what runs at their start: {path}: {reason}',
    hint: 'use directories, and an installation of Node and seccompc, that only you and root can write to, from / down',
  },
  HOOK_STORE_MISSING: {
    exit: EXIT.no,
    message: 'the store {store} cannot be read',
    hint: 'run the same "seccompc ... install" again',
  },
  HOOK_STORE_STALE: {
    severity: 'warning',
    message: 'the filters in {store} were made by another version of seccompc or with other options',
    hint: 'run the same "seccompc ... install" again',
  },
  HOOK_STORE_FAILED: {
    severity: 'warning',
    message: 'cannot write the filter to {store}, so the next start compiles it again: {reason}',
    hint: 'make room or correct the owner of the store, then run the same "seccompc ... install" again',
  },
  HOOK_MISS: {
    severity: 'note',
    message: 'compiled a profile of {bytes} bytes, which the store did not have',
  },
  RUNTIME_NOT_CRUN: {
    exit: EXIT.unavailable,
    message: '{runtime} is not crun, and other runtimes take no compiled filter: {reason}',
    hint: 'install crun 0.18 or later and give its path: --runtime /usr/bin/crun',
  },
  RUNTIME_WITHOUT_TOOL: {
    exit: EXIT.unavailable,
    message: 'the runtime needs the program {name} at each start, and PATH does not have it',
    hint: 'install it (mawk is the fastest awk), or set PATH to absolute directories',
  },
  RUNTIME_NOT_INSTALLED: { exit: EXIT.no, message: 'no runtime of seccompc at {file}' },
  CRUN_MISSING: { exit: EXIT.unavailable, message: 'cannot run {program}: {reason}' },
  CRUN_WITHOUT_CACHE: {
    exit: EXIT.unavailable,
    message: '"{program} features" does not tell the versions of crun and libseccomp: {reason}',
    hint: 'crun has the cache since 1.14; with an older one use the annotation ("seccompc bundle")',
  },
  CRUN_UNTESTED: {
    exit: EXIT.unavailable,
    message: 'unknown version of crun: {version}',
    hint: '1.14 to 1.29 are known; --force treats it like these, and at worst writes files that it never reads',
  },
  CRUN_CACHE_CONFLICT: {
    exit: EXIT.no,
    message: 'crun would use {path} for this profile, but that program differs from it',
    hint: `crun's file names ignore errnos: use the annotation ("seccompc bundle"), or remove the file if no other profile needs it`,
  },

  // -- server: requests over a socket, and who sends them (src/serve)
  REQUEST_INVALID: { exit: EXIT.usage, message: '{reason}' },
  REQUEST_TOO_LARGE: { exit: EXIT.usage, message: 'the request has more than {limit}' },
  REQUEST_TOO_SLOW: { exit: EXIT.usage, message: 'the request was not complete in time' },
  REQUEST_TYPE: {
    exit: EXIT.usage,
    message: 'send the profile as application/json without content encoding, not as {type}',
    hint: 'with curl: -H "Content-Type: application/json" --data-binary @profile.json',
  },
  ANSWER_TYPE: {
    exit: EXIT.usage,
    message: 'cannot produce any type in the Accept header',
    hint: 'the server can produce application/json and application/octet-stream',
  },
  ROUTE_UNKNOWN: {
    exit: EXIT.usage,
    message: 'unknown address',
    hint: 'use /v1/compile, /v1/filters/SHA256, /healthz or /metrics',
  },
  METHOD_UNKNOWN: { exit: EXIT.usage, message: 'this address accepts only {allowed}' },
  FILTER_UNKNOWN: {
    exit: EXIT.no,
    message: 'unknown digest',
    hint: 'compile the profile again',
  },
  SERVER_BUSY: {
    exit: EXIT.unavailable,
    message: 'the server is busy',
    hint: 'try again later',
  },
  SERVER_STOPPING: {
    exit: EXIT.unavailable,
    message: 'the server is stopping',
    hint: 'try again later',
  },
  COMPILE_TOO_SLOW: {
    exit: EXIT.unavailable,
    message: 'the compilation took longer than {limit} and was stopped',
  },
  COMPILE_TOO_LARGE: {
    exit: EXIT.unavailable,
    message: 'the compilation needed more than {limit} of memory and was stopped',
  },
  SOCKET_REFUSED: { exit: EXIT.cannotCreate, message: 'cannot listen at {path}: {reason}' },
  SERVER_UNAVAILABLE: {
    exit: EXIT.unavailable,
    message: 'no answer from a server at {path}: {reason}',
    hint: 'start one with "seccompc serve"',
  },
  SERVER_ANSWER_REFUSED: {
    exit: EXIT.unavailable,
    message: 'refused the answer of the server at {path}: {reason}',
  },

  // -- command line (src/cli)
  USAGE: { exit: EXIT.usage, message: '{reason}' },
  HOST_ARCHITECTURE_UNKNOWN: {
    exit: EXIT.usage,
    message: 'unknown architecture of this machine: "{machine}"',
    hint: "name the target's architecture, such as --arch x86_64",
  },
  PROFILE_NOT_ON_HOST: {
    exit: EXIT.noInput,
    message: 'cannot find {name} on this host: {reason}',
    hint: `give a file instead; a started container's config.json has its profile below linux.seccomp`,
  },
  INPUT_UNREADABLE: { exit: EXIT.noInput, message: 'cannot read: {reason}' },
  OUTPUT_NOT_CREATED: { exit: EXIT.cannotCreate, message: 'cannot create {file}: {reason}' },
  OUTPUT_NOT_WRITTEN: { exit: EXIT.ioError, message: 'cannot write {file}: {reason}' },
  OUTPUT_IS_TERMINAL: {
    exit: EXIT.usage,
    message: 'refusing to write a binary filter to the terminal',
    hint: 'use --format asm to read it, or -o FILE to write it',
  },
  NOT_A_FILTER: {
    message: 'this is not a filter: {reason}',
    hint: 'a filter has 8 bytes for each instruction, raw or in a text form that "seccompc compile --format" writes',
  },
  NOT_CONFINED: {
    message: 'the input defines no filter, so a container would run WITHOUT one',
    hint: 'a filter needs a defaultAction, in a container configuration below linux.seccomp; if you want no filter, pass --allow-unconfined',
  },
  FILTER_OF_OTHER_MACHINE: {
    message: 'the filter is for {arches}: it would end every process on {arch}',
    hint: 'compile the profile for this machine',
  },
  FILTER_BYTE_ORDER: {
    message: 'the filter is {filterOrder}-endian, but {arch} is {order}-endian',
    hint: "name the filter's architecture with --arch",
  },
  UNDECIDED: {
    exit: EXIT.undecided,
    message: 'cannot decide: {reason}',
    hint: 'docs/proof.md tells what cannot be decided',
  },

  // -- intersect, union, subtract, extend, simplify (src/merge)
  MERGE_LOST: {
    severity: 'warning',
    exit: EXIT.no,
    message: 'a profile cannot say this exactly; it refuses more, or with another errno: {calls}',
    hint: 'a filter is always exact: --format raw',
  },
  MERGE_LISTENERS: {
    message: 'the result hands calls to a listener, and the inputs name several: {paths}',
    hint: 'a process can have one listener; give all inputs the same listenerPath',
  },
  PATCH_MEMBER: {
    message: '{member} is not for a patch: the base decides that',
    hint: 'a patch has "syscalls", and a "listenerPath" for SCMP_ACT_NOTIFY; intersect and union combine whole profiles',
  },
  PATCH_WITHOUT_EFFECT: {
    severity: 'warning',
    message: '{names} in this entry changes nothing: {reason}',
    hint: 'take it out if it is not meant for another base',
  },
  ASSERTION_INVALID: { message: 'the assertion "{text}" cannot be judged: {reason}' },
  ASSERTION_VACUOUS: {
    severity: 'note',
    message: '"{text}" holds because no architecture of the filter has such a call',
  },
  CALL_UNKNOWN: { exit: EXIT.usage, message: 'no system call "{call}" on {arch}{elsewhere}' },
  INTERNAL_ERROR: {
    exit: EXIT.software,
    message: 'seccompc itself failed: {reason}',
    hint: 'this is a bug in seccompc, not a fault of the input; DEBUG=1 shows where it happened',
  },
} as const satisfies Record<string, Entry>;

export type Code = keyof typeof TABLE;

/**
 * Makes a diagnostic of the table's text. `values` fills the `{word}`s; `hint` replaces the
 * table's.
 */
export function diagnostic(
  code: Code,
  values: Record<string, string | number | bigint> = {},
  where: {
    file?: string | undefined;
    pointer?: string | undefined;
    hint?: string | (() => string | undefined) | undefined;
    severity?: Severity | undefined;
  } = {},
): Diagnostic {
  const entry: Entry = TABLE[code];
  const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (_, key: string) => String(values[key] ?? ''));
  const hint = where.hint ?? (entry.hint === undefined ? undefined : fill(entry.hint));
  const found: Diagnostic = {
    code,
    severity: where.severity ?? entry.severity ?? 'error',
    message: fill(entry.message),
    ...(where.file === undefined ? {} : { file: where.file }),
    ...(where.pointer === undefined ? {} : { pointer: where.pointer }),
  };
  if (typeof hint === 'function') defineLater(found, () => hint() ?? (entry.hint && fill(entry.hint)));
  else if (hint !== undefined) found.hint = hint;
  return found;
}

/** @param found `isBudget`: the command has --node-budget, and a larger one may help */
export function undecided({ reason, isBudget }: { reason: string; isBudget?: boolean }): Diagnostic {
  const hint = isBudget ? 'a larger --node-budget may help; see docs/proof.md' : undefined;
  return diagnostic('UNDECIDED', { reason }, { hint });
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

/**
 * Reports of one code that are kept. A person reads a few; a hostile profile has one for every
 * three bytes.
 */
export const MAX_OF_A_KIND = 100;

/**
 * Adds diagnostics to a list, the first {@link MAX_OF_A_KIND} of each code; one note counts the
 * others.
 */
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
export function codeTable(): ReadonlyArray<Entry & { code: Code; severity: Severity }> {
  return Object.entries(TABLE).map(([code, entry]) => ({ code: code as Code, severity: 'error', ...entry }));
}

/**
 * The only error this project throws on purpose: one or more diagnostics, and what to exit with.
 */
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
  where: { file?: string; pointer?: string; hint?: string | undefined; cause?: unknown } = {},
): never {
  throw new SeccompcError([diagnostic(code, values, where)], { cause: where.cause });
}
