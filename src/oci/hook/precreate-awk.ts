/**
 * The fast path of the precreate hook: awk takes about a millisecond, while starting Node takes
 * longer than the runtime's own compilation. It cannot parse JSON. It relies on how podman writes a
 * config (Go's encoding/json: one line, no spaces between tokens, letters not escaped). If something
 * looks different it runs the Node command, which assumes nothing.
 *
 * JSON strings have no unescaped quotes, so `"seccomp":{` is always a key with its object. Only this
 * key can be linux.seccomp to a runtime if no other string begins with that word, except elements of
 * lists, which name the call. To crun from 1.28 on, a single quote begins a string too.
 */
export const PRECREATE_AWK = String.raw`# Podman "precreate" hook, written by "seccompc hook install"; "seccompc hook" explains it.
# stdin: an OCI config. stdout: the same config with the compiled filter as an annotation, or as it was.
#
# SECCOMPC_STORE    folder of files, each named by the length of the profiles in it; two lines for each profile:
#                   the text of linux.seccomp, and the filter in base64
# SECCOMPC_COMMAND  what to pipe a config to whose profile is not there; it writes the whole config, or fails and
#                   has written nothing. Exit code 65: runtimes read the config differently, and no container may start
# SECCOMPC_STRICT   1: a start without the annotation is refused

# The text of the linux.seccomp object: up to where as many braces were closed as opened. A brace within a string
# spoils the count, and then nothing is found.
function profile(    start, i, n, part, depth, size) {
  start = index(config, "\"seccomp\":{")
  if (!start || strings("seccomp") != 1) return ""
  start += 10
  n = split(substr(config, start), part, "}")
  for (i = 1; i < n; i++) {
    size += length(part[i]) + 1
    depth += gsub(/[{]/, "{", part[i]) - 1
    if (depth == 0) return substr(config, start, size)
  }
  return ""
}

# How many strings begin with a word, apart from elements of lists that are this word.
function strings(word,    i, n, part, before, count) {
  n = split(config, part, word)
  for (i = 1; i < n; i++) {
    before = substr(part[i], length(part[i]) - 1)
    if (before ~ /["']$/ && before !~ /^\\/ && !(before ~ /"$/ && part[i + 1] ~ /^"[],]/)) count++
  }
  return count + 0
}

# Where the entries of the only "annotations" begin, and that is a member of the whole document; else 0.
function annotations(    at, before) {
  at = index(config, "\"annotations\":{")
  if (!at || strings("annotations") != 1) return 0
  before = substr(config, 1, at - 1)
  gsub(/\\./, "", before)
  gsub(/"[^"]*"/, "", before)
  # Comments and single quotes are no JSON, but some runtimes read them.
  if (before ~ /[\/#']/) return 0
  return gsub(/[{[]/, "", before) - gsub(/[]}]/, "", before) == 1 ? at + 14 : 0
}

function stored(text,    file, line, filter) {
  file = ENVIRON["SECCOMPC_STORE"] "/" length(text)
  while ((getline line < file) > 0 && (getline filter < file) > 0)
    if (line "" == text "" && length(filter) % 4 == 0 && filter ~ /^[A-Za-z0-9+\/]+=?=?$/) return filter
  return ""
}

BEGIN {
  ORS = ""
  RS = "\001" # no character of JSON: all of the input is one record
  if ((getline config) <= 0) exit 1
  RS = "\n"

  # An escaped NUL, letter or sign can hide a key. Go escapes only & < > and control characters.
  hidden = index(config, "\\u") && config ~ /\\u00(00|2[0-57-9A-Fa-f]|3[0-9ABDFabdf]|[4-6]|7[0-9A-Ea-e])/
  foreign = hidden || index(config, "run.oci.seccomp")
  confined = config ~ /[^\\]["']seccomp["']/
  if (!confined && !foreign) { print config; exit 0 }

  if (confined && !foreign && (at = annotations())) {
    text = profile()
    filter = text == "" ? "" : stored(text)
    if (filter != "") {
      print substr(config, 1, at) "\"run.oci.seccomp_bpf_data\":\"" filter "\""
      if (substr(config, at + 1, 1) != "}") print ","
      print substr(config, at + 1)
      exit 0
    }
  }

  # A command that cannot be started does not read; some awks would end by that.
  command = "(" ENVIRON["SECCOMPC_COMMAND"] ") || { code=$?; while read -r line; do :; done; exit $code; }"
  print config | command
  # Some awks give the exit code, some 256 times that.
  code = close(command) % 255
  if (code == 0) exit 0
  # Without the annotation the runtime compiles the same profile itself. Not so where there is one of somebody else's.
  if (code == 65 || foreign || ENVIRON["SECCOMPC_STRICT"] == "1") exit 1
  print config
}
`;
