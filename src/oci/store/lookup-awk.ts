/**
 * The fast path of a start: awk takes about a millisecond, while starting Node takes longer than
 * the runtime's own compilation. It cannot parse JSON. It relies on how engines write a config
 * (Go's encoding/json, also indented: letters not escaped). If something looks different it runs
 * the Node command, which assumes nothing.
 *
 * JSON strings have no unescaped quotes, so `"seccomp":{` is always a key with its object. Only
 * this key can be linux.seccomp to a runtime if no other string is that word, or begins with it and
 * goes on with an escape or a character that is not printable, except elements of lists, which name
 * the call. To crun from 1.28 on, a single quote begins a string too.
 */

import { FILTER_ANNOTATION } from '../config.ts';

/**
 * Escaped NUL, letters and signs, which can hide a key. Go escapes only & < > and control
 * characters.
 */
const HIDDEN = String.raw`\\u00(00|2[0-57-9A-Fa-f]|3[0-9ABDFabdf]|[4-6]|7[0-9A-Ea-e])`;
const OPTIONS = 'run.oci.seccomp';

/** For grep -E: a config that may hold an annotation about its filter. */
export const MAY_BE_FOREIGN = `${HIDDEN}|${OPTIONS.replaceAll('.', '[.]')}`;

/**
 * Within a string of awk: tells in the log that Node did not run, which can tell everything else
 * itself.
 */
const TELL = String.raw`{ [ $code -lt 124 ] && [ -e \"$SECCOMPC_SCRIPT\" ]; } || echo \"$(date -u +%Y-%m-%dT%H:%M:%SZ) precreate: seccompc: error: Node or the script of seccompc could not be run (exit code $code) [HOOK_PROGRAM_MISSING]\" >>\"$SECCOMPC_LOG\"`;

export const LOOKUP_AWK = String.raw`# Looks up the filter of an OCI config, without Node; "seccompc hook" and "seccompc runtime" explain it.
# stdin: the config. stdout: the config with the compiled filter as an annotation, or as it was.
#
# SECCOMPC_STORE    folder of files, each named by the length of the profiles in it; two lines for each profile:
#                   the text of linux.seccomp, with \001 for a newline, and the filter in base64
# SECCOMPC_COMMAND  what to pipe a config to whose profile is not there; it writes the whole config, or fails and
#                   has written nothing. Exit code 65: runtimes read the config differently, and no container may
#                   start. Without a command, exit code 66 tells that it is needed, and nothing was written
# SECCOMPC_STRICT   1: exit code 1 if there is no filter, instead of the config as it was
# SECCOMPC_LOG      where to tell that the command could not be run
# SECCOMPC_SCRIPT   a file that the command needs

# The text of the linux.seccomp object: up to where as many braces were closed as opened. A brace within a string
# spoils the count, and then nothing is found.
function profile(    linux, start, i, n, part, depth, size) {
  linux = value("linux")
  start = value("seccomp")
  # A member of linux, which is one of the document.
  if (!linux || start < linux || !inDocument(linux) || around(linux + 1, start) != "") return ""
  n = split(substr(config, start), part, "}")
  for (i = 1; i < n; i++) {
    size += length(part[i]) + 1
    depth += gsub(/[{]/, "{", part[i]) - 1
    if (depth == 0) return substr(config, start, size)
  }
  return ""
}

# Where the object of the only member of this name begins, else 0.
function value(key,    at) {
  if (strings(key) != 1) return 0
  if (at = index(config, "\"" key "\":{")) return at + length(key) + 3
  if (at = index(config, "\"" key "\": {")) return at + length(key) + 4
  return 0
}

# How many strings some runtime may take for this word, apart from elements of lists.
function strings(word,    i, n, part, before, count) {
  n = split(config, part, word)
  for (i = 1; i < n; i++) {
    before = substr(part[i], length(part[i]) - 1)
    if (before !~ /["']$/ || before ~ /^\\/ || part[i + 1] ~ /^[] !#-&(-[^-~]/) continue
    if (before !~ /"$/ || part[i + 1] !~ /^"[ \t\r\n]*[],]/) count++
  }
  return count + 0
}

# Where the entries of the only "annotations" begin, and that is a member of the whole document; else 0.
function annotations(    at) {
  return (at = value("annotations")) && inDocument(at) ? at : 0
}

# Whether a value is that of a member of the whole document.
function inDocument(at) {
  return around(1, at) == "{"
}

# The brackets that are open at one place and were not at another, and those that were closed.
function around(from, to,    text) {
  text = plain(substr(config, from, to - from))
  # Comments and single quotes are no JSON, but some runtimes read them.
  if (text ~ /[\/#']/) return "?"
  gsub(/[^][{}]/, "", text)
  while (gsub(/[{]}|[[]]/, "", text)) continue
  return text
}

# The text without its strings.
function plain(text) {
  gsub(/\\./, "", text)
  gsub(/"[^"]*"/, "", text)
  return text
}

# Whether the annotations, which begin at a place, have this member, and no other that is about the filter.
function has(at, member,    place, part) {
  place = index(config, member)
  return place > at && split(config, part, "${OPTIONS}") == 2 && plain(substr(config, at + 1, place - at - 1)) ~ /^[:, \t\r\n]*$/
}

function stored(text,    file, line, filter) {
  file = ENVIRON["SECCOMPC_STORE"] "/" length(text)
  if (index(text, "\n")) gsub(/\n/, "\001", text)
  while ((getline line < file) > 0 && (getline filter < file) > 0)
    if (line "" == text "" && length(filter) % 4 == 0 && filter ~ /^[A-Za-z0-9+\/]+=?=?$/) return filter
  return ""
}

function insert(at, member) {
  print substr(config, 1, at) member
  if (substr(config, at + 1) !~ /^[ \t\r\n]*}/) print ","
  print substr(config, at + 1)
  exit 0
}

BEGIN {
  ORS = ""
  RS = "\001" # no character of JSON: all of the input is one record
  if ((getline config) <= 0) exit 1
  if ((getline rest) > 0) exit 65
  RS = "\n"

  hidden = index(config, "\\u") && config ~ /${HIDDEN}/
  foreign = hidden || index(config, "${OPTIONS}")
  confined = config ~ /[^\\]["']seccomp["']/
  if (!confined && !foreign) { print config; exit 0 }

  if (confined && !hidden && (text = profile()) != "" && (filter = stored(text)) != "") {
    member = "\"${FILTER_ANNOTATION}\":\"" filter "\""
    at = annotations()
    if (at && !foreign) insert(at, member)
    # The precreate hook came first.
    if (at && has(at, member)) { print config; exit 0 }
    if (!foreign && !strings("annotations") && config ~ /^[ \t\r\n]*[{]/) insert(index(config, "{"), "\"annotations\":{" member "}")
  }

  if (ENVIRON["SECCOMPC_COMMAND"] == "") exit 66
  # A command that cannot be started does not read; some awks would end by that.
  command = "(" ENVIRON["SECCOMPC_COMMAND"] ") || { code=$?; while read -r line; do :; done; ${TELL}; exit $code; }"
  print config | command
  # Some awks give the exit code, some 256 times that.
  code = close(command) % 255
  if (code == 0) exit 0
  # Without the annotation the runtime compiles the same profile itself. Not so where there is one of somebody else's.
  if (code == 65 || foreign) exit 65
  if (ENVIRON["SECCOMPC_STRICT"] == "1") exit 1
  print config
}
`;
